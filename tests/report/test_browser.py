"""A report in a real browser, where there is one: no error in its console, nothing asked of another
host, and the buttons for 3D are there only with a script.
"""

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gen404_assets.commands.cli import main
from tests.report.pages import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


class _Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *_: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def served(written: Path) -> Iterator[tuple[str, list[str]]]:
    """The report over HTTP: its URL, and the paths that were asked for."""
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(written))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def _open(url: str, profile: Path) -> tuple[str, str]:
    """What a browser makes of a page, and what it says of it."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    done = subprocess.run(
        [str(CHROMIUM), *options, f"--user-data-dir={profile}", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=250,
        check=True,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("kind", ["index.html", "rounds/1/index.html", "rounds/1/matches"])
def test_a_page_opens_without_an_error(
    written: Path, served: tuple[str, list[str]], tmp_path: Path, kind: str
) -> None:
    url, asked = served
    path = written / kind
    page = path if path.suffix else next(path.iterdir())
    shown, said = _open(f"{url}/{page.relative_to(written)}", tmp_path / "profile")
    assert "CONSOLE" not in said
    assert "<h1>" in shown
    assert f"/{page.relative_to(written)}" in asked
    assert "/static/report.css" in asked
    assert "/static/view-mesh.js" not in asked


def test_3d_is_offered_once_the_script_runs(honest: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    options = ["--rounds", "0", "--host", "https://objects.invalid", "-o", str(folder)]
    assert main(["report", str(honest), *options]) == 0
    match = next((folder / "rounds/0/matches").iterdir())
    offered = Page(match).tags.count("button")
    shown, _ = _open(match.as_uri(), tmp_path / "profile")
    hidden = shown.count('class="in-3d" hidden')
    assert shown.count('class="in-3d"') == offered
    assert hidden == 0
