"""A report in a real browser, where there is one: on a screen and a phone, by keyboard, and without
scripts. No error in the console, and nothing asked of another host.
"""

import functools
import http.server
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gen404_assets.commands.cli import main
from resources.local_network.lathe import Turned
from tests.report.browser import CHROMIUM, PATIENCE, Tab, browser
from tests.report.pages import Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

KINDS = ["", "rounds/1/", "rounds/1/matches", "rounds/1/miners", "rounds/1/audits"]
LEAST_CONTRAST = 4.5
"""WCAG 2.1, success criterion 1.4.3 (AA), for text of any size."""

CONTRASTS = """(() => {
  const parsed = colour => (colour.match(/[0-9.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parsed(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
    if (!text.length) continue;
    const pair = [light(parsed(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < LEAST) found[text[0].data.trim().slice(0, 40)] = ratio;
  }
  return found;
})()""".replace("LEAST", str(LEAST_CONTRAST))
"""JavaScript: the texts of a page that stand out too little from what is behind them."""

TOO_WIDE = """[...document.querySelectorAll("body *")]
  .filter(each => !each.closest(".wide") && each.getBoundingClientRect().right > innerWidth + 1)
  .map(each => each.outerHTML.slice(0, 100))"""

FOCUSED = """(() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const seen = at.offsetParent !== null && style.outlineStyle !== "none"
    && parseFloat(style.outlineWidth) >= 2;
  return [[...document.querySelectorAll("*")].indexOf(at), at.localName, seen];
})()"""

CLICKABLE = """[...document.querySelectorAll("a[href], button, summary, input, [tabindex]")]
  .filter(each => each.type !== "radio" || each.checked)
  .filter(each => each.checkVisibility())
  .map(each => [...document.querySelectorAll("*")].indexOf(each))"""
"""JavaScript: what Tab must reach; of a group of radio buttons, that is the chosen one."""


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def served(written: Path) -> Iterator[str]:
    """The report over HTTP: its URL."""
    with _serving(written) as url:
        yield url


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("chromium") / "profile") as opened:
        yield opened


def _page(written: Path, kind: str) -> str:
    path = written / kind
    page = path / "index.html"
    found = page if page.is_file() else min(path.iterdir())
    return found.relative_to(written).as_posix()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_readable_on_a_screen_and_a_phone(
    written: Path, served: str, tab: Tab, kind: str
) -> None:
    tab.asked.clear()
    tab.complaints.clear()
    tab.resize(1280, 900)
    tab.open(f"{served}/{_page(written, kind)}")
    assert tab.run(CONTRASTS) == {}
    tab.resize(390, 844, phone=True)
    assert tab.run(TOO_WIDE) == []
    assert tab.run("document.documentElement.scrollWidth") <= 390
    assert tab.complaints == []
    assert [url for url in tab.asked if not url.startswith(f"{served}/")] == []
    assert not any("view-" in url for url in tab.asked)


@pytest.mark.parametrize("kind", ["rounds/1/", "rounds/1/matches"])
def test_all_that_can_be_clicked_is_reached_by_tab_and_seen_there(
    written: Path, served: str, tab: Tab, kind: str
) -> None:
    tab.resize(1280, 900)
    tab.open(f"{served}/{_page(written, kind)}")
    wanted = set(tab.run(CLICKABLE))
    reached, unseen = set(), []
    for _ in range(len(wanted) + 5):
        tab.press("Tab", 9)
        place, name, seen = tab.run(FOCUSED)
        if name == "body":
            break
        reached.add(place)
        unseen += [] if seen else [place]
    assert wanted <= reached
    assert unseen == []


def test_duels_are_filtered_without_a_script(written: Path, served: str, tab: Tab) -> None:
    tab.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(f"{served}/{_page(written, 'rounds/1/matches')}")
        shown = "[...document.querySelectorAll('.duel')].filter(d => d.checkVisibility())"
        assert tab.run(f"{shown}.length") == tab.run("document.querySelectorAll('.duel').length")
        tab.run("document.querySelector('#show-all').focus()")
        tab.press("ArrowRight", 39)
        assert tab.run("document.querySelector('#show-draws').checked")
        assert tab.run(f"{shown}.every(duel => duel.matches('.draw'))")
    finally:
        tab.send("Emulation.setScriptExecutionDisabled", value=False)


def test_3d_opens_and_closes_by_keyboard(honest: Path, tab: Tab, tmp_path: Path) -> None:
    options = ["--rounds", "0", "--host", "https://objects.invalid", "-o", str(tmp_path)]
    assert main(["report", str(honest), *options]) == 0
    match = next((tmp_path / "rounds/0/matches").iterdir())
    tab.open(match.as_uri())
    offered = Page(match).tags.count("button")
    assert tab.run("document.querySelectorAll('.in-3d:not([hidden])').length") == offered > 0
    tab.run("document.querySelector('.in-3d').focus()")
    tab.press("Enter", 13)
    _until(lambda: tab.run("document.activeElement.closest('dialog') !== null"), bool)
    tab.press("Escape", 27)
    _until(lambda: tab.run("document.querySelector('dialog') === null"), bool)
    assert tab.run("document.activeElement.className") == "in-3d"


def _shape(tab: Tab) -> Any:
    """The pixels (height, width) of the focused canvas that the model covers, True or False."""
    rectangle = tab.run(
        "(box => [box.left, box.top, box.right, box.bottom].map(Math.round))"
        "(document.activeElement.getBoundingClientRect())"
    )
    shown = Image.open(io.BytesIO(tab.picture())).convert("L").crop(rectangle)
    return np.asarray(shown) < 250


def _until(look: Callable[[], Any], holds: Callable[[Any], Any]) -> Any:
    """What `look` gives as soon as it `holds`: the browser draws in its own time."""
    until = time.monotonic() + PATIENCE
    while not holds(seen := look()):
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.05)
    return seen


def test_a_file_in_3d_is_turned_and_zoomed_by_keyboard(
    written: Path, tab: Tab, tmp_path: Path
) -> None:
    match = _page(written, "rounds/1/matches")
    page = tmp_path / match
    page.parent.mkdir(parents=True)
    # The button that a report has where its objects lie on the page's own host.
    button = '<button class="in-3d" data-left="../../../prism.glb" data-right="" data-static="'
    text = (written / match).read_text().replace("</main>", f'{button}../../../static/"></main>')
    page.write_text(text)
    (tmp_path / "static").symlink_to(written / "static")
    ends, grey = np.array([-0.5, 0.5]), np.full(3, 0.2)
    prism = Turned(ends, np.array([0.5, 0.5]), np.tile(grey, (2, 1)), grey).to_glb(3)
    (tmp_path / "prism.glb").write_bytes(prism)
    tab.complaints.clear()
    tab.resize(800, 700)
    with _serving(tmp_path) as url:
        tab.open(f"{url}/{match}")
        tab.run("[...document.querySelectorAll('.in-3d')].at(-1).click()")
        tab.press("Tab", 9)
        assert tab.run(FOCUSED)[1:] == ["canvas", True]
        assert "Arrow keys" in tab.run("document.activeElement.ariaLabel")
        _until(lambda: tab.run("document.activeElement.dataset.drawn"), bool)
        first = _until(lambda: _shape(tab), lambda shape: shape.any())
        tab.press("ArrowRight", 39)
        turned = _until(lambda: _shape(tab), lambda shape: (shape != first).any())
        tab.press("-", 189)
        tab.press("-", 189)
        far = _until(lambda: _shape(tab), lambda shape: shape.sum() < 0.8 * turned.sum())
        tab.press("+", 187)
        _until(lambda: _shape(tab), lambda shape: shape.sum() > far.sum())
        tab.run("document.querySelector('dialog').close()")
    # What the page before had asked for may fail now. That a picture was taken of what the GPU
    # draws, the console calls slow.
    ours = [each for each in tab.complaints if url in each]
    assert [each for each in ours if "GL Driver Message" not in each] == []
