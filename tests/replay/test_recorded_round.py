"""The recorded competition in the repository: what a replay says of it, and that the platform
still plays it so.
"""

import shutil
from pathlib import Path

import pytest

from gen404_assets.commands.replay_text import replay_text
from gen404_assets.competition.audits import AuditOutcome, GenerationAudits
from gen404_assets.competition.commits import by_person
from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.winner import Winner
from gen404_assets.replay.editions.choosing import COMPETITION_1
from gen404_assets.replay.result import Finding, RoundReplay
from gen404_assets.replay.rounds import replay_round
from simulators.recording import CHANGED, OUTCOME, RECORDED, play_recorded, record
from tests.replay.tampering import open_history


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("recorded")
    return open_history(Path(shutil.copy(RECORDED, folder)), folder)


@pytest.fixture(scope="module")
def rounds(history: History) -> list[RoundReplay]:
    return [replay_round(history, number, Rules()) for number in history.round_numbers]


def test_a_replay_says_what_it_said_when_the_rounds_were_recorded(
    rounds: list[RoundReplay],
) -> None:
    assert replay_text(rounds, shown=COMPETITION_1.shown) + "\n" == OUTCOME.read_text()


def test_only_what_a_person_changed_differs(rounds: list[RoundReplay]) -> None:
    differing = [
        file for each in rounds for file in each.files if file.finding is not Finding.IDENTICAL
    ]
    differing = [file for file in differing if file.finding is not Finding.NOT_DERIVABLE]
    assert [file.path for file in differing] == [CHANGED]
    assert differing[0].explained


def test_all_judged_duels_follow_from_the_judges_answers(rounds: list[RoundReplay]) -> None:
    files = [file for each in rounds for file in each.files]
    assert sum(file.from_answers for file in files) > 40
    assert sum(file.as_recorded for file in files) == 0


def test_the_rounds_hold_what_their_description_says(history: History) -> None:
    assert RECORDED.stat().st_size < 300_000
    assert history.round_numbers == [0, 1]
    audits = GenerationAudits.parse(history.read(CHANGED) or b"", CHANGED).root.values()
    outcomes = sorted(audit.outcome for audit in audits)
    assert outcomes == [AuditOutcome.PASSED, AuditOutcome.REJECTED, AuditOutcome.REJECTED]
    assert history.round(0).missing
    for number in (0, 1):
        path = f"rounds/{number}/winner.json"
        winner = Winner.parse(history.read(path) or b"", path)
        assert winner.winner_hotkey in {audit.hotkey for audit in audits}
    assert any(by_person(version.message) for version in history.commits)


def test_the_platform_plays_the_rounds_as_it_did(history: History, tmp_path: Path) -> None:
    record(play_recorded(), tmp_path / "again.bundle")
    again = open_history(tmp_path / "again.bundle")
    assert set(again.paths) == set(history.paths)
    other = [path for path in again.paths if again.read(path) != history.read(path)]
    assert other == []
