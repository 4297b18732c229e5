"""Chromium and three.js: where they are, and the pictures that they make of GLB files.

The page asks a server here, on loopback, for one file after the other, and posts back the pixels.
three.js comes from npm, by its name, into `.node/`, which git ignores.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

from gpu.meshes.reduce import halve
from gpu.picture_size import SIDE
from gpu.views import Picture, grid

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".node"
LARGE = 2 * SIDE
SECONDS = 180.0  # for one picture, on a busy processor
_MIME = {".js": "text/javascript", ".html": "text/html", ".wasm": "application/wasm"}
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


class DrawingFailed(Exception):
    """three.js or Chromium didn't draw a file; the message says why."""


def chromium() -> str | None:
    """Where Chromium is."""
    return (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )


def missing() -> str | None:
    """What is not installed, and how it gets installed; None if all is there."""
    if chromium() is None:
        return "there is no Chromium: apt-get install chromium"
    if not (TOOLS / "node_modules/three/package.json").exists():
        return f"there is no three.js: npm install --prefix {TOOLS.name} --no-package-lock three"
    return None


def install() -> None:
    """Get three.js by npm."""
    if missing() and chromium():
        TOOLS.mkdir(exist_ok=True)
        command = [
            "npm",
            "install",
            "--prefix",
            str(TOOLS),
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "three",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def pictures(files: Sequence[bytes], *, present_light: bool) -> Iterator[Picture]:
    """Each GLB file's grid (1041, 1041, 3), in order. Raises DrawingFailed.

    With `present_light`, three.js's equations of light are those of the present renderer, and the
    rest is its own.
    """
    waiting, done = SimpleQueue[bytes](), SimpleQueue[bytes]()
    for file in files:
        waiting.put(file)
    with (
        _server(waiting, done) as port,
        _browser(f"http://127.0.0.1:{port}/{'?present' if present_light else ''}"),
    ):
        for _ in files:
            try:
                reply = done.get(timeout=SECONDS)
            except Empty:
                raise DrawingFailed(f"Chromium drew nothing within {SECONDS:.0f} s") from None
            if len(reply) != 4 * LARGE * LARGE * 4:
                raise DrawingFailed(reply.decode(errors="replace")[:2000])
            views = np.frombuffer(reply, np.uint8).reshape(4, LARGE, LARGE, 4)[:, ::-1]
            yield grid([halve(view, (0, 0, LARGE, LARGE))[..., :3] for view in views])


@contextmanager
def _browser(address: str) -> Iterator[None]:
    program = chromium()
    assert program
    with tempfile.TemporaryDirectory() as profile:
        command = [program, *_FLAGS, f"--user-data-dir={profile}", address]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def _server(waiting: SimpleQueue[bytes], done: SimpleQueue[bytes]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path == "/next":
                try:
                    self._answer(200, waiting.get_nowait(), "application/octet-stream")
                except Empty:
                    self._answer(410, b"", "text/plain")
                return
            file = HERE / "page.html"
            if path.startswith("/modules/"):
                file = TOOLS / "node_modules" / path.removeprefix("/modules/")
            if (path != "/" and not path.startswith("/modules/three/")) or not file.is_file():
                self._answer(404, b"", "text/plain")
                return
            self._answer(200, file.read_bytes(), _MIME.get(file.suffix, "application/octet-stream"))

        def do_POST(self) -> None:
            done.put(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(204, b"", "text/plain")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
            """Nothing is logged."""

        def _answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
