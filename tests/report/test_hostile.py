"""What strangers wrote is text in a report, never markup, an address that runs, or a path; and a
file that can't be read costs its part of a page.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.commands.cli import main
from gen404_assets.report.addresses import (
    Objects,
    code_address,
    match_page,
    miner_page,
    plain,
    round_page,
    web_address,
)
from tests.replay.tampering import AUDITS, MATRIX, SUBMISSIONS, Tampered
from tests.report.pages import Page, broken, pages

MARKUP = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'`{{7*7}}{% raw %}"


def _report(tampered: Tampered, tmp_path: Path, files: dict[str, bytes]) -> Path:
    """The report of round 0 after a person has changed files."""
    tampered.write(files)
    folder = tmp_path / "report"
    assert main(["report", str(tampered.path), "--rounds", "0", "-o", str(folder)]) == 0
    for page in pages(folder):
        assert page.tags.count("script") == 1
        assert not page.handlers
        assert "onerror" not in page.tags
        assert not any(link.lower().startswith(("javascript:", "data:")) for link in page.links)
    return folder


@pytest.mark.parametrize("key", ["repo", "commit", "cdn_url"])
def test_markup_in_a_submission_is_text(tampered: Tampered, tmp_path: Path, key: str) -> None:
    document = tampered.json(SUBMISSIONS)
    hotkey = next(iter(document))
    document[hotkey][key] = MARKUP
    folder = _report(tampered, tmp_path, {SUBMISSIONS: json.dumps(document).encode()})
    assert MARKUP in "".join(Page(folder / miner_page(0, hotkey)).texts)


def test_markup_in_the_judges_words_is_text_and_no_address_of_a_duel_runs(
    tampered: Tampered, tmp_path: Path
) -> None:
    document = tampered.json(tampered.report)
    document["duels"][0]["issues"] = MARKUP
    document["duels"][0]["left_png"] = "javascript:alert(3)"
    document["duels"][0]["right_glb"] = "data:text/html,<script>alert(4)</script>"
    document["duels"][0]["prompt"] = "javascript:alert(5)//x.png"
    folder = _report(tampered, tmp_path, {tampered.report: json.dumps(document).encode()})
    page = Page(folder / match_page(0, ("leader", tampered.loser)))
    assert MARKUP in "".join(page.texts)


def test_a_hotkey_that_is_a_path_leaves_the_folder_alone(
    tampered: Tampered, tmp_path: Path
) -> None:
    document = tampered.json(SUBMISSIONS)
    hotkey = next(iter(document))
    climbing = "../../../../climbed"
    renamed = {climbing if key == hotkey else key: value for key, value in document.items()}
    matrix = tampered.read(MATRIX).replace(hotkey.encode(), climbing.encode())
    files = {SUBMISSIONS: json.dumps(renamed).encode(), MATRIX: matrix}
    folder = _report(tampered, tmp_path, files)
    assert not list(tmp_path.rglob("*climbed*"))
    assert (folder / miner_page(0, climbing)).is_file()
    assert broken(folder) == []


def test_characters_that_are_not_seen_are_shown_as_such(tampered: Tampered, tmp_path: Path) -> None:
    document = tampered.json(tampered.report)
    document["duels"][0]["issues"] = "good\u202egood\x07"
    folder = _report(tampered, tmp_path, {tampered.report: json.dumps(document).encode()})
    text = Page(folder / match_page(0, ("leader", tampered.loser))).text
    assert "good\ufffdgood\ufffd" in text


@pytest.mark.parametrize("path", [SUBMISSIONS, MATRIX, AUDITS, "config.json", "leader.json"])
def test_a_file_that_cant_be_read_costs_its_part_alone(
    tampered: Tampered, tmp_path: Path, path: str
) -> None:
    folder = _report(tampered, tmp_path, {path: b"{]"})
    page = Page(folder / round_page(0))
    assert f"{path}:1" in page.text or path == "config.json"
    assert "What the replay says" in page.text
    assert broken(folder) == []


@given(st.text())
def test_the_part_of_a_path_that_a_hotkey_gives_is_plain(hotkey: str) -> None:
    assert plain(hotkey).isalnum()
    assert plain(hotkey).isascii()
    assert ".." not in match_page(1, (hotkey, hotkey))


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "//host/x", "file:///x", "http://[", "", None],
)
def test_what_is_no_web_address_is_never_linked_or_shown(url: str | None) -> None:
    assert web_address(url) is None
    assert Objects("https://host.invalid").shown(url, "") is None


def test_only_what_lies_below_the_pages_host_is_shown() -> None:
    objects = Objects("https://host.invalid/", {"https://else.invalid/a.png": "objects/a.png"})
    assert objects.shown("https://host.invalid/a.png", "../") == "https://host.invalid/a.png"
    assert objects.shown("https://host.invalid.evil/a.png", "../") is None
    assert objects.shown("https://else.invalid/a.png", "../") == "../objects/a.png"


def test_code_is_linked_only_as_github_names_it() -> None:
    commit = "0" * 40
    assert code_address("owner/name", commit) == f"https://github.com/owner/name/tree/{commit}"
    assert code_address("owner/../../evil", commit) is None
    assert code_address("owner/name", "main") is None
