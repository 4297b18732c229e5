"""Public rounds of competitions 0 and 2, derived again by their own rules.

What is expected was read out of the files by other means. They are not part of this repository;
without them, these tests are skipped.
"""

from pathlib import Path

import pytest

from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.editions.choosing import edition_of
from gen404_assets.replay.result import FileReplay, Finding, RoundReplay
from tests.replay.tampering import is_clean, open_history

HISTORIES = Path(__file__).parents[4] / "shared/history"
BUNDLES = {
    "competition-0": HISTORIES / "competition-0-rounds-0-1.bundle",
    "competition-2": HISTORIES / "competition-2-three-rounds.bundle",
}
pytestmark = pytest.mark.skipif(
    not all(bundle.exists() for bundle in BUNDLES.values()), reason="the histories are not here"
)


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, History]:
    folder = tmp_path_factory.mktemp("mirrors")
    return {name: open_history(bundle, folder) for name, bundle in BUNDLES.items()}


@pytest.fixture(scope="module")
def replays(histories: dict[str, History]) -> dict[str, dict[int, RoundReplay]]:
    return {
        name: {
            number: edition_of(history).replay(history, number, Rules(), {})
            for number in history.round_numbers
        }
        for name, history in histories.items()
    }


def files(replayed: dict[int, RoundReplay]) -> dict[str, FileReplay]:
    return {file.path: file for each in replayed.values() for file in each.files}


@pytest.mark.parametrize("name", BUNDLES)
def test_the_edition_is_known_by_the_files(histories: dict[str, History], name: str) -> None:
    assert edition_of(histories[name]).name == name


@pytest.mark.parametrize("name", BUNDLES)
def test_nothing_is_said_to_differ(replays: dict[str, dict[int, RoundReplay]], name: str) -> None:
    assert all(map(is_clean, replays[name].values()))


@pytest.mark.parametrize("name", BUNDLES)
def test_every_file_of_every_round_is_looked_at(
    histories: dict[str, History], replays: dict[str, dict[int, RoundReplay]], name: str
) -> None:
    history = histories[name]
    expected = {path for number in history.round_numbers for path in history.of_round(number)}
    assert set(files(replays[name])) == expected | {"leader.json", "state.json"} - (
        {"state.json"} if name == "competition-2" else set()
    )
    assert not [file for file in files(replays[name]).values() if file.asset == "other files"]


def test_of_competition_0_only_what_pods_made_and_chance_drew_is_evidence(
    replays: dict[str, dict[int, RoundReplay]],
) -> None:
    taken = [
        file.asset
        for file in files(replays["competition-0"]).values()
        if file.finding is Finding.NOT_DERIVABLE
    ]
    assert set(taken) == {"seed", "generations"}
    assert taken.count("generations") == 45, "44 miners' and the leader's, in two rounds"


def test_competition_0_had_no_time_limit_at_first(
    replays: dict[str, dict[int, RoundReplay]],
) -> None:
    fits = [each.versions for each in replays["competition-0"].values()]
    assert [[(fit.rule, fit.fits, fit.explains[fit.fits]) for fit in each] for each in fits] == [
        [("overtime", "none", 18)],
        [("overtime", "35s", 41)],
        [],
    ]


def test_people_of_competition_0_are_named_with_their_commits(
    replays: dict[str, dict[int, RoundReplay]],
) -> None:
    rounds = replays["competition-0"]
    [state, *_] = [file for file in rounds[0].files if file.asset == "state"]
    assert len(state.by_person) == 6
    retried = {
        commit
        for file in rounds[0].files
        if file.asset == "generations"
        for commit in file.by_person
    }
    assert retried == {
        'f58003c "Manual generation re-try"',
        'b376f66 "Manual generation re-try. Last attempt"',
    }
    [leader] = [file for file in rounds[1].files if file.asset == "leader"]
    assert [commit[:7] for commit in leader.by_person] == ["6ec9ba0", "9c41d69"]


def test_winners_and_verdicts_of_competition_2_are_derived(
    replays: dict[str, dict[int, RoundReplay]],
) -> None:
    derived = {
        (number, file.asset)
        for number, replayed in replays["competition-2"].items()
        for file in replayed.files
        if file.finding is Finding.IDENTICAL
    }
    for asset in ("winner", "audits", "matches_matrix", "audit_matrix", "generation_reports"):
        assert {number for number, name in derived if name == asset} == {28, 29, 34}


def test_what_is_missing_or_older_in_the_copy_of_competition_2_is_said(
    replays: dict[str, dict[int, RoundReplay]],
) -> None:
    found = files(replays["competition-2"])
    assert "older than generation_audits.json" in found["rounds/28/require_audit.json"].reason
    assert "round 27" in found["rounds/28/prompts.txt"].reason
    assert found["rounds/29/prompts.txt"].notes == [
        "32 carried over from round 28",
        "the pool isn't in the repository: new ones as recorded",
    ]
    assert "5Fs844" in found["rounds/28/winner.json"].notes[0]
