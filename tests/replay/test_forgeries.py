"""What a forger changes is found, or named, and the commit with it: each single change of each kind
of file, in the platform's name and in a person's, in the round under way and in a past one.

The table of all of them is `docs/forgeries.md`; `python -m tests.replay.test_forgeries` prints it.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from gen404_assets.competition.catalogue import CATALOGUE
from gen404_assets.competition.commits import by_hand_alone
from gen404_assets.competition.round import CONFIG, POOL
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.acts import act_of, acts
from gen404_assets.replay.result import Finding
from gen404_assets.replay.rounds import replay_round, rounds_of
from simulators.recording import REAL, RECORDED
from tests.replay.forgeries import Forgery, forgeries, path_of
from tests.replay.forging import (
    PERSON,
    Content,
    Forger,
    Seen,
    complaints,
    cut_before,
    platforms_message,
)
from tests.replay.tampering import open_history

TABLE = Path(__file__).parents[2] / "docs/forgeries.md"
_COLUMNS = (
    "Past, as the platform",
    "Past, as a person",
    "Now, as the platform",
    "Now, as a person",
)
_HEAD = f"| File | Change | {' | '.join(_COLUMNS)} |"


@dataclass(frozen=True)
class Case:
    """One forgery where it is tried. `past`: in a round that is over."""

    forgery: Forgery
    past: bool
    path: str
    content: Content


def competition(bundle: Path, folder: Path) -> Forger:
    """Round 0 is over, round 1 is about to be decided."""
    history = open_history(Path(shutil.copy(bundle, folder)), folder)
    return Forger(cut_before(history, "Round 1 winner"))


def cases(forger: Forger) -> Iterator[Case]:
    for forgery in forgeries():
        for number in (0, 1):
            shared = "/" not in forgery.kind
            path = path_of(forger.honest, number, forgery.kind)
            if path is None or (shared and number == 0):
                continue
            raw = forger.honest.read(path) or b""
            content = forgery.edit(raw)
            if content != raw:
                yield Case(forgery, number == 0, path, content)


@pytest.fixture(scope="module")
def forger(tmp_path_factory: pytest.TempPathFactory) -> Forger:
    return competition(RECORDED, tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def outcomes(forger: Forger) -> Mapping[Case, tuple[Seen, Seen]]:
    """Some 670 forgeries: what is made of each in the platform's name, and in a person's."""
    return seen_of(forger)


def seen_of(forger: Forger) -> Mapping[Case, tuple[Seen, Seen]]:
    return {
        case: (
            forger.seen({case.path: case.content}, platforms_message(case.path, forger.current)),
            forger.seen({case.path: case.content}, PERSON),
        )
        for case in cases(forger)
    }


def table(outcomes: Mapping[Case, tuple[Seen, Seen]]) -> list[str]:
    """The rows of the table in the documentation."""
    rows: dict[Forgery, dict[bool, tuple[Seen, Seen]]] = {}
    for case, seen in outcomes.items():
        rows.setdefault(case.forgery, {})[case.past] = seen
    lines = [_HEAD, "|---" * 6 + "|"]
    for forgery, found in rows.items():
        cells = [*found.get(True, ("-", "-")), *found.get(False, ("-", "-"))]
        kind = forgery.kind.removeprefix("round/").replace("miner/duels_", "miner/duels_*.json")
        where = kind if "/" in forgery.kind else f"{kind} (shared)"
        lines.append(f"| {where} | {forgery.change} | {' | '.join(cells)} |")
    return lines


def test_there_are_enough_forgeries_and_none_of_a_kind_of_file_is_forgotten() -> None:
    all_ = list(forgeries())
    assert len(all_) >= 150
    kinds = {each.kind.rsplit("/", 1)[-1] for each in all_}
    files = {entry.file.rsplit("/", 1)[-1] for entry in CATALOGUE.values()}
    assert {file.replace("duels_*.json", "duels_") for file in files} <= kinds


def test_no_forgery_is_silent(outcomes: Mapping[Case, tuple[Seen, Seen]]) -> None:
    silent = [
        (case.forgery.kind, case.forgery.change, case.past)
        for case, seen in outcomes.items()
        if Seen.SILENT in seen
    ]
    assert silent == []


def test_what_is_done_to_a_past_round_in_the_platforms_name_is_found(
    outcomes: Mapping[Case, tuple[Seen, Seen]],
) -> None:
    missed = [
        (case.forgery.kind, case.forgery.change)
        for case, (as_platform, _) in outcomes.items()
        if case.past and as_platform is not Seen.FOUND and not by_hand_alone(case.path)
    ]
    assert missed == []


def test_the_documentation_has_the_table(outcomes: Mapping[Case, tuple[Seen, Seen]]) -> None:
    assert "\n".join(table(outcomes)) in TABLE.read_text()


def test_a_forgery_stands_with_its_file_and_its_commit(forger: Forger) -> None:
    path = path_of(forger.honest, 0, "round/miner/generated.json") or ""
    outputs = json.loads(forger.honest.read(path) or b"")
    next(iter(outputs.values()))["distance"] = 0.001
    changed = json.dumps(outputs).encode()
    history = forger.forge({path: changed}, platforms_message(path, forger.current))
    replayed = replay_round(history, 0, Rules())
    [file] = [file for file in replayed.files if file.path == path]
    assert file.finding is Finding.DIFFERS
    [difference] = file.differences
    assert "round 1 was under way, not round 0" in difference.derived
    assert difference.origin == history.cite(len(history.commits) - 1)
    assert replayed.wrong
    by_hand = replay_round(forger.forge({path: changed}, PERSON), 0, Rules())
    [file] = [file for file in by_hand.files if file.path == path]
    assert any("changed after the round's end by a person" in note for note in file.notes)
    assert (by_hand.wrong, by_hand.changed_by_people) == (False, True)


@pytest.mark.parametrize("path", [CONFIG, POOL])
def test_a_person_who_changes_what_rounds_are_played_by_is_a_person_who_acted(
    forger: Forger, path: str
) -> None:
    content = (forger.honest.read(path) or b"").replace(
        b'"win_margin": 0.', b'"win_margin": 0.1', 1
    )
    changed = forger.forge({path: content + b"\n"}, PERSON)
    replayed = replay_round(changed, forger.current, Rules())
    assert (replayed.wrong, replayed.changed_by_people) == (False, True)


def test_a_message_that_names_a_person_explains_nothing(forger: Forger) -> None:
    path = path_of(forger.honest, 0, "round/matches_matrix.csv") or ""
    rows = (forger.honest.read(path) or b"").replace(b",-", b",", 1)
    message = 'Round 0 winner: typed"bya"person'
    replayed = replay_round(forger.forge({path: rows}, message), 0, Rules())
    assert replayed.wrong


def test_a_report_and_its_row_changed_together_are_found(forger: Forger) -> None:
    path = path_of(forger.honest, 0, "round/miner/duels_") or ""
    report = json.loads(forger.honest.read(path) or b"")
    old = f"{report['left']},{report['right']},{report['margin']!r}"
    duel = next(each for each in report["duels"] if each["winner"] == "left")
    duel["winner"] = "right"
    duel.pop("evidence")
    report["score"] += 2
    report["margin"] = report["score"] / len(report["duels"])
    matrix = "rounds/0/matches_matrix.csv"
    row = f"{report['left']},{report['right']},{report['margin']!r}"
    rows = (forger.honest.read(matrix) or b"").replace(old.encode(), row.encode())
    files = {path: json.dumps(report, indent=2).encode(), matrix: rows}
    for message in (platforms_message(path, 0), PERSON):
        history = forger.forge(files, message)
        found = complaints(replay_round(history, 0, Rules()))
        assert any(path in complaint for complaint in found), message


@pytest.mark.parametrize("message", ["Update submitted for round 1, miner 5C", PERSON])
def test_a_rounds_folder_that_is_removed_is_missed(forger: Forger, message: str) -> None:
    gone = dict.fromkeys(forger.honest.of_round(0))
    history = forger.forge(gone, message)
    assert rounds_of(history) == [0, 1]
    files = replay_round(history, 0, Rules()).files
    missed = {file.path for file in files if file.finding is Finding.DIFFERS}
    assert {"rounds/0/schedule.json", "rounds/0/winner.json", "rounds/0/seed.json"} <= missed
    cited = history.cite(len(history.commits) - 1)
    assert all(cited in str(file.differences[0]) for file in files if file.path in missed)


@pytest.mark.parametrize("folder", ["00", "01", "+1", "x"])
def test_a_copied_folder_that_is_no_rounds_is_found(forger: Forger, folder: str) -> None:
    winner = forger.honest.read("rounds/0/winner.json")
    path = f"rounds/{folder}/winner.json"
    for message in ("Round 1 winner: leader", PERSON):
        history = forger.forge({path: winner}, message)
        replayed = replay_round(history, 1, Rules())
        assert [file.finding for file in replayed.files if file.path == path] == [Finding.DIFFERS]


@pytest.mark.parametrize("content", [b'{"a": 1}', b"[[]]", b'{"a": {"attempts": "x"}}'])
def test_g17_a_file_of_another_shape_is_one_finding_and_stops_only_what_takes_it(
    forger: Forger, content: bytes
) -> None:
    kinds = {each.kind for each in forgeries() if "/" in each.kind and "prompts" not in each.kind}
    for path in sorted(path for kind in kinds if (path := path_of(forger.honest, 0, kind))):
        files = replay_round(forger.forge({path: content}, PERSON), 0, Rules()).files
        unreadable = [file.path for file in files if file.finding is Finding.MALFORMED]
        assert unreadable == [path]
        assert any(file.finding is Finding.IDENTICAL for file in files)


def test_a_round_to_come_is_not_prepared_in_the_platforms_name(forger: Forger) -> None:
    path = "rounds/2/schedule.json"
    schedule = forger.honest.read("rounds/1/schedule.json")
    history = forger.forge({path: schedule}, platforms_message(path, 2))
    act = act_of(history, path, history.versions(path)[-1])
    assert act is not None
    assert "does not write it in the stage duels" in act.wrong


def test_control_characters_of_a_message_stay_out(forger: Forger) -> None:
    winner = forger.honest.read("rounds/0/winner.json") or b""
    forged = {"rounds/0/winner.json": winner.replace(b"5", b"6")}
    history = forger.forge(forged, 'mend\x1b[2J "it"\u202e')
    assert history.cite(len(history.commits) - 1).endswith("\"mend\ufffd[2J 'it'\ufffd\"")


# --- a real history, which is not part of this repository


@pytest.mark.skipif(not REAL.exists(), reason="the real history is not here")
def test_a_real_history_has_no_forgeries_and_each_made_to_its_past_round_is_found(
    tmp_path: Path,
) -> None:
    forger = competition(REAL, tmp_path)
    assert not [act for number in (0, 1) for act in acts(forger.honest, number) if act.wrong]
    tried = 0
    for case in islice(cases(forger), 0, None, 9):
        for message in (platforms_message(case.path, forger.current), PERSON):
            history = forger.forge({case.path: case.content}, message)
            act = act_of(history, case.path, history.versions(case.path)[-1])
            if case.past:
                assert act is not None, case.forgery
                assert bool(act.wrong) is (message != PERSON and not act.by_person), case.forgery
            elif message == PERSON:
                assert act is not None, case.forgery
            tried += 1
    assert tried > 60


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write("\n".join(table(seen_of(competition(RECORDED, Path(folder))))) + "\n")
