"""What a forger changes in a competition of another edition is found, or named, with its commit: in
the platform's name and in a person's, in a past round and in the one under way.

Its table is in `docs/forgeries.md`; `python -m tests.replay.editions.test_forgeries` prints it.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest

from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.round import round_of
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.editions.acts import act_of, acts
from gen404_assets.replay.editions.choosing import EDITIONS, Edition, edition_of
from gen404_assets.replay.editions.edition_round import EditionRound
from gen404_assets.replay.result import Finding, RoundReplay
from simulators.edition_histories import make_competition_0, make_competition_2
from tests.replay.editions.forgeries import forgeries_of
from tests.replay.forgeries import Forgery
from tests.replay.forging import PERSON, Content, Forger, Seen, complaints, cut_before
from tests.replay.tampering import open_history

TABLE = Path(__file__).parents[3] / "docs/forgeries.md"
_MAKERS = {
    "competition-0": (make_competition_0, "Update state (finalizing) for round 1"),
    "competition-2": (make_competition_2, "Round 0 winner"),
}
PLATFORM = {
    "competition-0": "Update judge progress for round 1\nMatch report: leader vs 5C",
    "competition-2": "Update matches and audits for round 0\nMatch report: leader vs 5C",
}
HEAD = (
    "| Edition | File | Change | Past, as the platform | Past, as a person | Now, as the platform "
    "| Now, as a person |"
)


@dataclass(frozen=True, eq=False)
class Place:
    """A history to forge, and the round in which it is done."""

    edition: Edition
    forger: Forger
    number: int
    past: bool
    replays: dict[int, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def shared(self) -> int:
        """The round under way at the head, whose the files are that all share."""
        return max(self.edition.rounds(self.forger.honest))

    def path_of(self, kind: str) -> str | None:
        """The first file of a kind."""
        honest = self.forger.honest
        if not kind.startswith("round/"):
            return kind
        wanted = kind.removeprefix("round/")
        for path in honest.of_round(self.number):
            miner, _, name = path.removeprefix(f"rounds/{self.number}/").rpartition("/")
            if wanted in {name, f"{miner}/{name}"}:
                return path
            is_miners = wanted.startswith("miner/") and miner not in {"", LEADER}
            usable = b'"draw"' in (honest.read(path) or b"") or name == "generations.json"
            if is_miners and name.startswith(wanted.removeprefix("miner/")) and usable:
                return path
        return None

    def replay(self, history: History, number: int) -> RoundReplay:
        return self.edition.replay(history, number, Rules(), {})

    def seen(self, path: str, content: Content, message: str) -> Seen:
        """What a replay makes of a change; where something is found, the commit is cited."""
        history = self.forger.forge({path: content}, message)
        own = round_of(path)
        number = self.shared if own is None else own
        rules = self.edition.rules
        assert rules is not None
        act = act_of(EditionRound(history, number, rules), path, history.versions(path)[-1])
        if act is not None and (act.wrong or act.stray):
            return Seen.FOUND
        if act is not None:
            return Seen.NAMED
        replayed = self.replay(history, number)
        cited = history.commits[-1].sha[:7]
        new = complaints(replayed) - self._honest(number)
        if new:
            assert any(cited in complaint for complaint in new), (cited, new)
            return Seen.FOUND
        notes = [note for file in replayed.files for note in file.notes]
        return Seen.NAMED if any(cited in note for note in notes) else Seen.SILENT

    def _honest(self, number: int) -> frozenset[str]:
        if number not in self.replays:
            self.replays[number] = complaints(self.replay(self.forger.honest, number))
        return self.replays[number]


def places(name: str, folder: Path) -> tuple[Place, Place]:
    """Round 0 when the competition went on; and the round under way, before its end."""
    make, until = _MAKERS[name]
    whole = Forger(open_history(make(folder / name), folder))
    under_way = Forger(cut_before(whole.honest, until))
    current = max(number for number in under_way.honest.round_numbers)
    edition = EDITIONS[name]
    return Place(edition, whole, 0, past=True), Place(edition, under_way, current, past=False)


def cases(place: Place) -> Iterator[tuple[Forgery, str, Content]]:
    for forgery in forgeries_of(place.edition.name):
        path = place.path_of(forgery.kind)
        if path is None or (place.past and not forgery.kind.startswith("round/")):
            continue
        raw = place.forger.honest.read(path)
        if raw is not None or forgery.kind.startswith("rounds/"):
            content = forgery.edit(raw or b"")
            if content != raw:
                yield forgery, path, content


Outcomes = Mapping[tuple[Forgery, bool], tuple[Seen, Seen]]


def outcomes_of(name: str, folder: Path) -> Outcomes:
    return {
        (forgery, place.past): (
            place.seen(path, content, PLATFORM[name]),
            place.seen(path, content, PERSON),
        )
        for place in places(name, folder)
        for forgery, path, content in cases(place)
    }


def table(outcomes: Mapping[str, Outcomes]) -> list[str]:
    """The rows of the table in the documentation."""
    lines = [HEAD, "|---" * 7 + "|"]
    for name, found in outcomes.items():
        for forgery in dict.fromkeys(forgery for forgery, _ in found):
            cells = [
                str(each)
                for past in (True, False)
                for each in found.get((forgery, past), ("-", "-"))
            ]
            where = forgery.kind.removeprefix("round/") + (
                "*.json" if forgery.kind.endswith("_") else ""
            )
            shared = "" if "/" in forgery.kind else " (shared)"
            row = [name.rpartition("-")[2], where + shared, forgery.change, *cells]
            lines.append(f"| {' | '.join(row)} |")
    return lines


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcomes]:
    return {name: outcomes_of(name, tmp_path_factory.mktemp(name)) for name in _MAKERS}


def test_no_forgery_of_another_edition_is_silent(outcomes: Mapping[str, Outcomes]) -> None:
    assert sum(len(found) for found in outcomes.values()) > 250
    silent = [
        (name, *key)
        for name, found in outcomes.items()
        for key, seen in found.items()
        if Seen.SILENT in seen
    ]
    assert silent == []


def test_what_is_done_to_a_past_round_of_another_edition_in_the_platforms_name_is_found(
    outcomes: Mapping[str, Outcomes],
) -> None:
    missed = [
        (forgery.kind, forgery.change)
        for found in outcomes.values()
        for (forgery, past), (as_platform, _) in found.items()
        if past and as_platform is not Seen.FOUND and not forgery.kind.endswith("source_audit.json")
    ]
    assert missed == []


def test_the_documentation_has_the_table_of_other_editions(
    outcomes: Mapping[str, Outcomes],
) -> None:
    assert "\n".join(table(outcomes)) in TABLE.read_text()


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Place]:
    folder = tmp_path_factory.mktemp("past")
    return {name: places(name, folder)[0] for name in _MAKERS}


@pytest.mark.parametrize("name", _MAKERS)
def test_an_honest_round_of_another_edition_has_no_wrong_act(
    past: Mapping[str, Place], name: str
) -> None:
    place = past[name]
    rules = place.edition.rules
    assert rules is not None
    rounds = [EditionRound(place.forger.honest, number, rules) for number in (0, 1)]
    assert [act for each in rounds for act in acts(each) if act.wrong] == []


@pytest.mark.parametrize("name", _MAKERS)
def test_a_round_of_another_edition_that_is_removed_is_missed(
    past: Mapping[str, Place], name: str
) -> None:
    place = past[name]
    gone = dict.fromkeys(place.forger.honest.of_round(0))
    for message in (PLATFORM[name], PERSON):
        history = place.forger.forge(gone, message)
        assert place.edition.rounds(history) == [0, 1, *([2] if name == "competition-0" else [])]
        files = place.replay(history, 0).files
        missed = [file for file in files if file.finding is Finding.DIFFERS]
        assert {file.path for file in missed} >= {"rounds/0/seed.json", "rounds/0/builds.json"}
        assert all(history.commits[-1].sha[:7] in str(file.differences[0]) for file in missed)


@pytest.mark.parametrize("name", _MAKERS)
def test_a_file_of_another_edition_put_into_a_round_does_not_change_the_rules(
    past: Mapping[str, Place], name: str
) -> None:
    strangers = ("judge_progress.json", "audit_matrix.csv", "x/generated.json", "x/duels.json")
    for path in (f"rounds/{number}/{file}" for number in (0, 9) for file in strangers):
        history = past[name].forger.forge({path: b"{}"}, PLATFORM[name])
        assert edition_of(history).name == name


def test_what_was_changed_later_is_the_fault_of_no_other_file(past: Mapping[str, Place]) -> None:
    place = past["competition-0"]
    path = "rounds/0/submissions.json"
    changed = (place.forger.honest.read(path) or b"").replace(b"miner/", b"other/", 1)
    replayed = place.replay(place.forger.forge({path: changed}, PERSON), 0)
    assert not replayed.wrong
    assert replayed.changed_by_people
    [builds] = [file for file in replayed.files if file.path == "rounds/0/builds.json"]
    assert builds.finding is Finding.IDENTICAL
    assert any(
        note.startswith("by what was changed since, it would differ") for note in builds.notes
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        found = {name: outcomes_of(name, Path(made)) for name in _MAKERS}
        sys.stdout.write("\n".join(table(found)) + "\n")
