"""A report that is what the rules give, byte for byte, is not read as a model; it is told as if it
had been, and any other report is read.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from gen404_assets.competition.duels import MatchReport
from gen404_assets.competition.history import History
from gen404_assets.competition.match_under_play import MatchUnderPlay
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.round import Round, report_path
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.exact import Undecided, exact_report
from gen404_assets.replay.reporting import replay_report, reports, sides_of
from gen404_assets.replay.result import FileReplay, Finding
from simulators.histories import REGISTRY, make_competition
from tests.replay.tampering import open_history

RULES = Rules(docker_image_format=REGISTRY)
ROUNDS = (0, 1)
"""The pictures of some prompts of the second round could not be had."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("made")
    made = make_competition(folder / "made.git", rounds=2, miners=4, prompts=18, seed=5)
    return open_history(made, folder / "mirrors")


def matches(history: History) -> Iterator[tuple[Pair, Round, MatchUnderPlay, bytes]]:
    for number in ROUNDS:
        for pair in reports(history, number):
            version = history.last(report_path(number, pair))
            assert version is not None
            current = history.round(number, version.index)
            sides = next(sides_of(history, number, pair, version.index))
            raw = history.content(version) or b""
            yield pair, current, MatchUnderPlay(pair, current, sides, RULES), raw


def told(history: History) -> list[FileReplay | None]:
    return [
        replay_report(history, number, pair, RULES)
        for number in ROUNDS
        for pair in reports(history, number)
    ]


def test_an_exact_report_says_what_its_model_says(history: History) -> None:
    for _, current, match, raw in matches(history):
        exact = exact_report(raw, match, current)
        report = MatchReport.parse(raw, "a report")
        assert exact is not None
        assert (exact.score, exact.undecided) == (report.score, Undecided.from_duels(report.duels))


def test_reports_are_told_alike_whether_they_are_read_as_models_or_not(history: History) -> None:
    with patch.object(MatchReport, "parse", side_effect=AssertionError("read as a model")):
        quick = told(history)
    with patch("gen404_assets.replay.reporting.exact_report", return_value=None):
        assert told(history) == quick
    assert quick
    assert {file.finding for file in quick if file is not None} == {Finding.IDENTICAL}


def other(raw: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(raw)
    change(document)
    return json.dumps(document, indent=2).encode()


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "another layout": lambda raw: json.dumps(json.loads(raw)).encode(),
    "a line more": lambda raw: raw + b"\n",
    "cut short": lambda raw: raw[:-9],
    "no object": lambda _: b"[]",
    "duels that are none": lambda raw: other(raw, lambda report: report.update(duels=[1])),
    "no duels": lambda raw: other(raw, lambda report: report.update(duels=[])),
    "another key": lambda raw: other(raw, lambda report: report.update(note="")),
    "a key that occurs twice": lambda raw: raw.replace(b'"score"', b'"score": 0, "score"', 1),
    "no number": lambda raw: raw.replace(b'"margin": ', b'"margin": NaN, "was": ', 1),
    "another score": lambda raw: other(raw, lambda report: report.update(score=99)),
    "another side": lambda raw: other(raw, lambda report: report.update(left="5else")),
    "a duel less": lambda raw: other(raw, lambda report: report["duels"].pop()),
    "a duel twice": lambda raw: other(
        raw, lambda report: report["duels"].append(report["duels"][0])
    ),
    "no outcome": lambda raw: other(raw, lambda report: report["duels"][0].update(winner="both")),
    "outcomes of a list": lambda raw: other(raw, lambda r: r["duels"][0].update(winner=["left"])),
    "a number for a text": lambda raw: other(raw, lambda r: r["duels"][0].update(issues=1)),
    "another picture": lambda raw: other(raw, lambda r: r["duels"][0].update(left_png="x")),
    "answers": lambda raw: other(raw, lambda r: r["duels"][0].update(evidence=None)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_other_report_is_read(history: History, change: Callable[[bytes], bytes]) -> None:
    for _, current, match, raw in matches(history):
        assert exact_report(change(raw), match, current) is None


def test_what_the_rules_decide_and_what_may_not_be_skipped_is_not_taken_as_recorded(
    history: History,
) -> None:
    turned = 0
    for _, current, match, raw in matches(history):
        for name, decision in match.forced.items():
            if decision is None and not current.missing:
                continue

            def turn(report: dict[str, Any], stem: str = name) -> None:
                duel = next(duel for duel in report["duels"] if duel["name"] == stem)
                duel["winner"] = "draw" if duel["winner"] == "skipped" else "skipped"

            assert exact_report(other(raw, turn), match, current) is None
            turned += 1
    assert turned
