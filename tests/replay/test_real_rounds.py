"""Two rounds of a real competition, derived again: what holds is said to hold, and what people did
is named.

What is expected here was read out of the history by other means than ours. The history is not part
of this repository; without it, these tests are skipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.result import FileReplay, Finding, RoundReplay
from gen404_assets.replay.rounds import replay_round
from tests.replay.tampering import open_history

BUNDLE = Path(__file__).parents[3] / "shared/history/mesh-rounds-0-1.bundle"
pytestmark = pytest.mark.skipif(not BUNDLE.exists(), reason="the real history is not here")

EVIDENCE = {"baseline", "renders", "regenerated", "source_audits"}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return open_history(BUNDLE, tmp_path_factory.mktemp("mirrors"))


@pytest.fixture(scope="module")
def rounds(history: History) -> list[RoundReplay]:
    return [replay_round(history, number, Rules()) for number in history.round_numbers]


def one(replayed: RoundReplay, asset: str) -> FileReplay:
    [file] = files_of(replayed, asset)
    return file


def files_of(replayed: RoundReplay, asset: str) -> list[FileReplay]:
    return [file for file in replayed.files if file.asset == asset]


def test_exactly_two_files_are_not_what_the_head_gives(rounds: list[RoundReplay]) -> None:
    differing = [
        file.path
        for replayed in rounds
        for file in replayed.files
        if file.finding is Finding.DIFFERS
    ]
    assert differing == ["rounds/0/generation_audits.json", "rounds/1/require_audit.json"]
    assert not [
        file.path
        for replayed in rounds
        for file in replayed.files
        if file.finding is Finding.MALFORMED
    ]


def test_every_file_is_looked_at_and_all_but_evidence_is_derived(
    history: History, rounds: list[RoundReplay]
) -> None:
    by_path = {file.path: file for replayed in rounds for file in replayed.files}
    assert set(by_path) == {
        path for path in history.paths if path not in {"config.json", "prompts.txt"}
    }
    underivable = {file.asset for file in by_path.values() if file.finding is Finding.NOT_DERIVABLE}
    assert underivable == EVIDENCE | {"seed", "schedule"}
    taken = [
        file.path
        for file in by_path.values()
        if file.finding is Finding.NOT_DERIVABLE and file.asset == "schedule"
    ]
    assert taken == ["rounds/0/schedule.json"], "the first schedule, which a person wrote"


def test_as_much_is_derived_as_there_is(rounds: list[RoundReplay]) -> None:
    identical = [
        sum(file.finding is Finding.IDENTICAL for file in files_of(replayed, "duels"))
        for replayed in rounds
    ]
    assert identical == [107, 36, 0]
    fits = [
        {fit.rule: (fit.fits, fit.explains[fit.fits], fit.files) for fit in replayed.versions}
        for replayed in rounds
    ]
    assert fits == [
        {"prompts": ("unique", 1, 1), "overtime": ("5%", 107, 107), "weights": ("rounded", 1, 1)},
        {"prompts": ("unique", 1, 1), "overtime": ("5%", 36, 36), "weights": ("rounded", 1, 1)},
        {},
    ]


def test_the_verdict_that_a_person_typed_is_named_to_the_last_entry(
    rounds: list[RoundReplay],
) -> None:
    audits = one(rounds[0], "audits")
    hotkey = "5FP3qpaSyRrmpEcFstA3NbCDFvRB6GErTrwTX93zNPJvwXfr"
    other = "5FcDQ6Eh3dCvSe5WCqNSkaGYkksEUvjm3Be5y1EbJcuKpTt8"
    reason = "Non-critical mismatches ({}) exceed tolerance (6)"
    assert {
        difference.entry: (difference.recorded, difference.derived)
        for difference in audits.differences
    } == {
        f"{hotkey}.hotkey": (other, hotkey),
        f"{hotkey}.checked_prompts": ("102", "128"),
        f"{hotkey}.failed_prompts": ("9", "36"),
        f"{hotkey}.generation_time": ("67.99", "67.98748711496592"),
        f"{hotkey}.reason": (reason.format(9), reason.format(36)),
    }
    typed = 'typed by a person in 94c599d "Generation audit early stop"'
    assert {difference.origin for difference in audits.differences} == {typed}
    assert audits.by_person == ['94c599d "Generation audit early stop"']


def test_the_request_of_a_deleted_match_is_named_with_its_commits(
    rounds: list[RoundReplay],
) -> None:
    [difference] = one(rounds[1], "audit_requests").differences
    assert difference.entry == "5GgVxYJS3RsZtdhCVkW9DwBcjojAkcSpZXz6AnefsThrhPJf"
    assert difference.origin == (
        'asked for in 8eaa94b "Match report: leader vs 5D2vzzgaYq" after leader,5GgVxYJS3R ended '
        '+0.75 in 8eaa94b "Match report: leader vs 5D2vzzgaYq", which calls for it with these '
        "critical prompts; a person deleted the match in e843b62 "
        '"rendering service bug: base miner generations reset"'
    )


def test_what_people_changed_is_named_and_nothing_else(rounds: list[RoundReplay]) -> None:
    people = {
        file.path: [commit[:7] for commit in file.by_person]
        for file in rounds[0].files
        if file.by_person
    }
    assert people == {
        "rounds/0/schedule.json": ["718544c", "414529c"],
        "rounds/0/builds.json": ["54b5f54"],
        "rounds/0/generation_audits.json": ["94c599d"],
        "rounds/0/source_audit.json": ["f50e8a2", "d3b10ce"],
        "leader.json": ["cf906f7", "25744fa"],
        "state.json": ["25744fa"],
    }
    people = {
        file.path: [commit[:7] for commit in file.by_person]
        for file in rounds[1].files
        if file.by_person
    }
    assert people == {
        "rounds/1/leader/generated.json": ["355717a", "e843b62"],
        "rounds/1/matches_matrix.csv": ["e843b62"],
        "state.json": ["e189e46", "229f7cf"],
    }


def test_the_states_that_people_set_are_told_and_the_platforms_are_legal(
    rounds: list[RoundReplay],
) -> None:
    first, second, third = (one(replayed, "state") for replayed in rounds)
    fix = '25744fa "competition schedule fix and faulty commit rollback"'
    assert first.notes == [f"a person set it from finished to finalizing in {fix}"]
    assert second.notes == [
        'finalizing without rounds/1/winner.json in 5629048 "Update matches matrix for round 1"',
        'a person set it from finalizing to duels in 229f7cf "revert to duels to save winner.json"',
    ]
    assert third.notes == []


def test_the_draws_that_no_judge_decided_are_told_with_their_weight(
    rounds: list[RoundReplay],
) -> None:
    noted = {
        (file.path.split("/")[2][:10], file.path.rsplit("_", 1)[1][:10]): file.notes[0]
        for file in files_of(rounds[0], "duels")
        if file.notes
    }
    note = "duels were recorded as draws that the judge never decided; the verdict"
    assert noted == {
        ("5E5A9q65xz", "5FLiyT19Vc"): f"15 {note} depends on them",
        ("5HEocZgrZ8", "5FLiyT19Vc"): f"6 {note} doesn't depend on them",
    }
    assert not [file.path for file in files_of(rounds[1], "duels") if file.notes]


def test_schedules_start_on_the_days_that_they_did(rounds: list[RoundReplay]) -> None:
    starts = [one(replayed, "schedule").notes[0].split(" UTC")[0] for replayed in rounds[1:]]
    assert starts == ["starts 2026-02-05 08:00", "starts 2026-02-08 08:00"]


def gen404(home: Path, *arguments: str) -> tuple[int, str]:
    command = [
        sys.executable,
        "-m",
        "gen404_assets.commands.cli",
        "replay",
        str(BUNDLE),
        *arguments,
    ]
    settings = os.environ | {"GEN404_HOME": str(home)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=settings, timeout=240
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_command_line_names_both_and_says_so_in_its_exit_code(tmp_path: Path) -> None:
    code, text = gen404(tmp_path)
    assert code == 1
    assert "94c599d" in text
    assert "e843b62" in text
    assert text.splitlines()[-1].startswith(
        "3 rounds, 258 files: 162 identical, 2 differs, 94 not derivable"
    )
    code, text = gen404(tmp_path, "--rounds", "1", "--json")
    assert code == 1
    replayed: dict[str, Any] = json.loads(text)["rounds"][0]
    assert [file["path"] for file in replayed["files"] if file["finding"] == "differs"] == [
        "rounds/1/require_audit.json"
    ]
    assert gen404(tmp_path, "--rounds", "2")[0] == 0
