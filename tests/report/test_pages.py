"""The pages of a report: complete, linked, loading nothing from elsewhere, readable without a
script.
"""

from pathlib import Path

import pytest

from gen404_assets.commands.cli import main
from gen404_assets.competition.history import History
from gen404_assets.competition_repository import newest_history
from gen404_assets.report.addresses import audit_page, match_page, miner_page, round_page
from tests.report.pages import Page, broken, is_elsewhere, pages


@pytest.fixture(scope="module")
def history(honest: Path) -> History:
    return newest_history(str(honest), "main")


def test_every_round_match_miner_and_audit_has_its_page(written: Path, history: History) -> None:
    expected = {"index.html"}
    for number in history.round_numbers:
        current = history.round(number)
        expected.add(round_page(number))
        expected |= {match_page(number, match.pair) for match in current.matrix.matches}
        expected |= {miner_page(number, hotkey) for hotkey in current.timeline.order}
        expected |= {audit_page(number, request.hotkey) for request in current.requests.root}
    assert {str(page.path.relative_to(written)) for page in pages(written)} == expected


def test_every_link_leads_somewhere(written: Path) -> None:
    assert broken(written) == []


def test_no_page_loads_anything_from_elsewhere(written: Path) -> None:
    for page in pages(written):
        assert [address for address in page.loaded if is_elsewhere(address)] == []
    for chart in written.rglob("*.svg"):
        drawn = chart.read_text()
        assert 'href="http' not in drawn
        assert "<script" not in drawn


def test_no_page_holds_a_script_of_its_own_and_each_picture_has_a_text(written: Path) -> None:
    for page in pages(written):
        assert page.tags.count("script") == 1
        assert any(address.endswith("static/report.js") for address in page.loaded)
        assert page.handlers == []
        assert page.unnamed_pictures == 0
        assert len(page.ids) == len(set(page.ids))
        assert page.tags.count("h1") == 1


def test_the_same_commit_gives_the_same_pages(written: Path, honest: Path, tmp_path: Path) -> None:
    assert main(["report", str(honest), "--rounds", "1", "-o", str(tmp_path)]) == 0
    for path in (tmp_path / "rounds" / "1").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (written / path.relative_to(tmp_path)).read_bytes()


def test_rounds_that_were_not_chosen_are_not_linked(honest: Path, tmp_path: Path) -> None:
    assert main(["report", str(honest), "--rounds", "0", "-o", str(tmp_path)]) == 0
    assert [path.name for path in (tmp_path / "rounds").iterdir()] == ["0"]
    assert broken(tmp_path) == []


def test_the_round_tells_the_timeline_with_its_reasons(written: Path, history: History) -> None:
    for number in history.round_numbers:
        current = history.round(number)
        told = Page(written / round_page(number)).text
        for match in current.matrix.matches:
            if match.left == "leader":
                sign = "≥" if match.margin >= current.config.win_margin else "<"
                assert f"{match.margin:+.4f} {sign} {current.config.win_margin:g}" in told
        for hotkey, audit in current.audits.items():
            assert hotkey[:10] in told
            assert audit.reason in told


def test_a_match_shows_every_duel_with_its_words(written: Path, history: History) -> None:
    current = history.round(1)
    for match in current.matrix.matches:
        report = current.report(match.pair)
        if report is None:
            continue
        page = Page(written / match_page(1, match.pair))
        assert page.tags.count("section") == len(report.duels)
        for duel in report.duels:
            assert duel.name in page.text
            assert " ".join(duel.issues.split()) in page.text


def test_an_audit_shows_what_was_submitted_beside_what_was_regenerated(
    written: Path, history: History
) -> None:
    for number in history.round_numbers:
        current = history.round(number)
        for hotkey, audit in current.audits.items():
            page = Page(written / audit_page(number, hotkey))
            assert page.tags.count("section") == audit.checked_prompts
            mismatched = audit.failed_prompts + audit.failed_critical
            assert page.text.count(": mismatched") == mismatched


def test_pictures_below_the_pages_host_are_shown(
    honest: Path, history: History, tmp_path: Path
) -> None:
    current = history.round(0)
    match = next(each for each in current.matrix.matches if current.report(each.pair))
    report = current.report(match.pair)
    assert report is not None
    png = next(duel.right_png for duel in report.duels if duel.right_png)
    host = png[: png.index("/rounds/")]
    options = ["--host", host, "--rounds", "0", "-o", str(tmp_path)]
    assert main(["report", str(honest), *options]) == 0
    page = Page(tmp_path / match_page(0, match.pair))
    assert png in page.loaded
    assert all(address.startswith(host + "/") for address in page.loaded if is_elsewhere(address))
    assert page.tags.count("button")
