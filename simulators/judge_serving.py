"""Real HTTP on loopback: an application under uvicorn, and files by name."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import uvicorn


@contextmanager
def serving(app: Any, **settings: Any) -> Iterator[str]:
    """The base URL of an ASGI application; `settings` are further ones of uvicorn."""
    usual = {"port": 0, "log_level": "error", "lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(app, **{**usual, **settings}))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


class Files:
    """What is served by name, and which names were asked for; a name that begins with `moved`
    redirects.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.asked: list[str] = []
        self.url = ""


@contextmanager
def serving_files(content: Mapping[str, bytes]) -> Iterator[Files]:
    files = Files(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/")
            files.asked.append(name)
            data = files.files.get(name)
            self.send_response(302 if name.startswith("moved") else 404 if data is None else 200)
            if name.startswith("moved"):
                self.send_header("Location", f"{files.url}/{name.removeprefix('moved-')}")
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        files.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield files
        server.shutdown()
        thread.join()
