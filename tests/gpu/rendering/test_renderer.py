"""The renderer as the platform has it: what is a miner's fault, and what says nothing of a file."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gpu.picture_size import GRID, SIDE
from gpu.views import grid, png
from resources.renderer import DrawnHere, RenderService, RenderServices, open_renderer
from resources.settings import BadSetting
from simulators.files_3d import mesh

PICTURE = png(grid([np.zeros((SIDE, SIDE, 3), np.uint8)] * 4))
JSON, TEXT, HTML = "application/json", "text/plain; charset=utf-8", "text/html"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "model.glb"
    file.write_bytes(mesh())
    return file


@contextmanager
def answering(status: int, kind: str, content: bytes) -> Iterator[str]:
    """The URL of a server that gives every request this answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_settings_say_who_draws() -> None:
    assert isinstance(open_renderer({}), DrawnHere)
    service = open_renderer({"RENDER_URL": "http://127.0.0.1:8094"})
    assert isinstance(service, RenderService)
    service.close()
    several = open_renderer({"RENDER_URL": "http://127.0.0.1:8094, http://127.0.0.1:8095/"})
    assert isinstance(several, RenderServices)
    several.close()
    for bad in ("nowhere", "http://a:1,", "http://a:1,http://a:1/"):
        with pytest.raises(BadSetting, match="RENDER_URL"):
            open_renderer({"RENDER_URL": bad})


def test_a_picture_from_the_service_is_handed_on(file: Path) -> None:
    with answering(200, "image/png", PICTURE) as url:
        assert RenderService(url).render(file, "glb") == PICTURE


@pytest.mark.parametrize(
    ("kind", "content"),
    [(JSON, b'{"detail": "two meshes"}'), (TEXT, b"two meshes\n")],
    ids=["json", "text"],
)
def test_a_reason_is_the_miners_fault(file: Path, kind: str, content: bytes) -> None:
    with answering(400, kind, content) as url, pytest.raises(MinerFault, match=r"^two meshes$"):
        RenderService(url).render(file, "glb")


@pytest.mark.parametrize(
    ("status", "kind", "content"),
    [
        (200, "image/png", b""),
        (200, "image/png", PICTURE[:5000]),
        (200, "image/png", b"\x89PNG\r\n\x1a\n"),
        (200, "image/png", PICTURE[:33] + b"A" * 15_000_000 + PICTURE[-12:]),
        (200, "image/png", png(np.zeros((GRID, 1000, 3), np.uint8))),
        (200, HTML, b"<html>Welcome</html>"),
        (204, "image/png", b""),
        (400, HTML, b"<html>Bad gateway</html>"),
        (400, JSON, b'{"detail": [{"loc": ["file"]}]}'),
        (400, JSON, b"[]"),
        (400, JSON, b"{"),
        (400, TEXT, b" "),
        (404, JSON, b'{"detail": "Not Found"}'),
        (413, HTML, b"too large for a proxy on the way"),
        (422, JSON, b'{"detail": "no file"}'),
        (500, JSON, b'{"detail": "x"}'),
        (503, JSON, b'{"detail": "all workers are busy"}'),
    ],
)
def test_g01_a_service_out_of_order_is_no_verdict(
    file: Path, status: int, kind: str, content: bytes
) -> None:
    with (
        answering(status, kind, content) as url,
        pytest.raises(InfrastructureFault, match="no picture"),
    ):
        RenderService(url).render(file, "glb")


def test_g01_no_service_at_all_is_no_verdict(file: Path) -> None:
    with pytest.raises(InfrastructureFault, match="no picture"):
        RenderService("http://127.0.0.1:9").render(file, "glb")


def test_g12_a_service_that_does_not_answer_is_given_up(file: Path) -> None:
    with (
        HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent,
        pytest.raises(InfrastructureFault),
    ):
        RenderService(f"http://127.0.0.1:{silent.server_port}", seconds=0.2).render(file, "glb")


def test_a_file_over_200_mib_is_the_miners_fault_and_not_sent(tmp_path: Path) -> None:
    with (tmp_path / "large.glb").open("wb") as large:
        large.truncate(200 * 2**20 + 1)
    with pytest.raises(MinerFault, match="more than"):
        RenderService("http://127.0.0.1:9").render(tmp_path / "large.glb", "glb")


def test_in_process_the_faults_are_the_same(tmp_path: Path) -> None:
    renderer = open_renderer({"OPENAI_API_KEY": "secret"})
    bad = tmp_path / "bad.ply"
    bad.write_bytes(mesh())
    with pytest.raises(MinerFault, match="isn't a PLY"):
        renderer.render(bad, "ply")
    with pytest.raises(InfrastructureFault, match="can't be opened"):
        renderer.render(tmp_path / "gone.ply", "ply")
    with pytest.raises(ValueError, match="formats glb, ply"):
        renderer.render(bad, "obj")
    renderer.close()
    with pytest.raises(InfrastructureFault, match="closed"):
        renderer.render(bad, "ply")
