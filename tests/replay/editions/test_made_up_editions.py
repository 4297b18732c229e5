"""Made-up rounds of competitions 0 and 2: as they are nothing differs; whatever is changed in them
against the rules is found, with its commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gen404_assets.commands.cli import main
from gen404_assets.competition.editions.names import EDITION_NAMES, EDITION_VERSIONS
from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.editions.choosing import COMPETITION_1, EDITIONS, edition_of
from gen404_assets.replay.result import FileReplay, Finding
from resources.repository import Repository
from simulators.edition_histories import hotkeys, make_competition_0, make_competition_2
from simulators.histories import make_competition
from tests.replay.tampering import open_history

MAKERS = {"competition-0": make_competition_0, "competition-2": make_competition_2}
MINERS = hotkeys(4)


@dataclass(frozen=True)
class HandMade:
    """A commit by a person, after a made-up competition's last."""

    sha: str = "f" * 40
    time: datetime = datetime(2026, 12, 1, tzinfo=UTC)
    message: str = "By hand"


@dataclass(frozen=True)
class Written:
    """What it did to a file."""

    path: str
    blob: str | None
    link: bool = False
    commit: HandMade = HandMade()


@dataclass(frozen=True)
class MadeUp:
    """A made-up competition with all its contents, for people to change."""

    history: History
    contents: Mapping[str, bytes]

    def write(self, path: str, data: bytes | None) -> History:
        """The history with one more commit, by hand."""
        contents = {**self.contents, "changed": data or b""}
        blob = None if data is None else "changed"
        return self.history.following(
            [HandMade()],
            [Written(path, blob)],
            lambda blobs: {each: contents[each] for each in blobs},
        )

    def replace(self, path: str, old: str, new: str) -> History:
        content = (self.history.read(path) or b"").decode()
        assert old in content
        return self.write(path, content.replace(old, new).encode())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MadeUp]:
    folder = tmp_path_factory.mktemp("editions")
    return {name: _opened(make(folder / name)) for name, make in MAKERS.items()}


def _opened(path: Path) -> MadeUp:
    repository = Repository(str(path), mirror=path.parent / f"mirror of {path.name}")
    repository.refresh()
    snapshot = repository.snapshot()
    contents = snapshot.read_blobs({change.blob for change in snapshot.history if change.blob})
    history = History(
        snapshot.commits,
        snapshot.history,
        lambda blobs: {each: contents[each] for each in blobs},
    )
    return MadeUp(history, contents)


def replayed(history: History) -> list[FileReplay]:
    edition = edition_of(history)
    rounds = [edition.replay(history, number, Rules(), {}) for number in history.round_numbers]
    return [file for each in rounds for file in each.files]


def wrong(history: History) -> dict[str, FileReplay]:
    findings = {Finding.DIFFERS, Finding.MALFORMED}
    return {file.path: file for file in replayed(history) if file.finding in findings}


@pytest.mark.parametrize("name", MAKERS)
def test_a_made_up_competition_is_recognised_and_as_the_rules_give(
    made: dict[str, MadeUp], name: str
) -> None:
    history = made[name].history
    assert edition_of(history).name == name
    files = replayed(history)
    assert [str(each) for file in files for each in [*file.differences, file.reason] if each] == [
        file.reason for file in files if file.finding is Finding.NOT_DERIVABLE
    ]
    assert {file.asset for file in files if file.finding is Finding.NOT_DERIVABLE} <= {
        *("seed", "generations", "source_audits")
    }


def test_a_competition_of_today_is_of_competition_1(tmp_path: Path) -> None:
    path = make_competition(tmp_path / "today", rounds=1, miners=2, prompts=4)
    assert edition_of(open_history(path)) is COMPETITION_1


def test_the_command_line_offers_the_editions_there_are() -> None:
    assert tuple(EDITIONS) == EDITION_NAMES
    others = [edition for edition in EDITIONS.values() if edition is not COMPETITION_1]
    assert list(EDITION_VERSIONS) == [
        f"{rule}={name}"
        for edition in others
        for rule, names in edition.versions.items()
        for name in names
    ]


REPORT_0 = f"rounds/0/{MINERS[1]}/duels.json"
CHANGES_0: dict[str, tuple[str, str, str]] = {
    "a tag": ("rounds/0/builds.json", '"tag": "00', '"tag": "01'),
    "a late reveal": (
        "rounds/0/submissions.json",
        '"revealed_at_block": 999902',
        '"revealed_at_block": 1000001',
    ),
    "a prompt": ("rounds/1/prompts.txt", "https://prompts.invalid/01", "https://prompts.invalid/9"),
    "a score": (REPORT_0, '"score": 3', '"score": 4'),
    "a margin": (REPORT_0, '"margin": 0.375', '"margin": 0.5'),
    "an outcome": (REPORT_0, "challenger_wins", "leader_defends"),
    "a picture": (REPORT_0, "https://cdn.invalid/rounds/0/leader", "https://cdn.invalid/x"),
    "who led": ("rounds/0/judge_progress.json", f'"leader": "{MINERS[1]}"', '"leader": "leader"'),
    "a weight": ("leader.json", '"weight": 0.8', '"weight": 0.9'),
    "a start": ("rounds/1/schedule.json", "1007197", "1003000"),
    "a missing preview that won": (
        f"rounds/0/{MINERS[2]}/duels.json",
        '"winner": "leader"',
        '"winner": "miner"',
    ),
}


@pytest.mark.parametrize("what", CHANGES_0)
def test_what_breaks_the_rules_of_competition_0_is_found(
    made: dict[str, MadeUp], what: str
) -> None:
    path, old, new = CHANGES_0[what]
    assert path in wrong(made["competition-0"].replace(path, old, new))


REPORT_2 = f"rounds/0/{MINERS[3]}/duels_leader.json"
CHANGES_2: dict[str, tuple[str, str, str]] = {
    "a deadline": (
        "rounds/1/schedule.json",
        '"generation_deadline_block": 1022790',
        '"generation_deadline_block": 1022791',
    ),
    "a margin without its report": (
        "rounds/0/matches_matrix.csv",
        f"leader,{MINERS[3]},0.25",
        f"leader,{MINERS[3]},0.5",
    ),
    "a match of an audit": (
        "rounds/0/audit_matrix.csv",
        f"leader_3,{MINERS[3]},0.25",
        f"leader_3,{MINERS[3]},0.125",
    ),
    "a score": (REPORT_2, '"score": 2', '"score": 3'),
    "a reason": ("rounds/0/generation_audits.json", "-37.50%", "-38.50%"),
    "a verdict": ("rounds/0/generation_audits.json", '"passed"', '"failed"'),
    "a report's outcome": ("rounds/0/generation_reports.json", '"completed"', '"pending"'),
    "a report's reason": ("rounds/0/generation_reports.json", "7300.3s", "7300.4s"),
    "whom a winner beat": (
        "rounds/0/require_audit.json",
        f'"hotkey": "{MINERS[3]}",\n    "latest_defender": "leader"',
        f'"hotkey": "{MINERS[3]}",\n    "latest_defender": "{MINERS[1]}"',
    ),
    "a winner": ("rounds/0/winner.json", MINERS[3], MINERS[1]),
    "a winner's image": ("rounds/0/winner.json", "registry.invalid", "elsewhere.invalid"),
    "a leader": ("leader.json", MINERS[3], MINERS[1]),
}


@pytest.mark.parametrize("what", CHANGES_2)
def test_what_breaks_the_rules_of_competition_2_is_found(
    made: dict[str, MadeUp], what: str
) -> None:
    path, old, new = CHANGES_2[what]
    assert path in wrong(made["competition-2"].replace(path, old, new))


@pytest.mark.parametrize(("miner", "owed"), [(1, False), (2, True)])
def test_who_was_rejected_before_its_first_match_alone_may_lack_one(
    made: dict[str, MadeUp], miner: int, owed: bool
) -> None:
    """The second was too slow, which may be known before its turn comes; the third's reason is what
    it generated, which is looked at only once it has qualified.
    """
    path, changed = "rounds/0/matches_matrix.csv", made["competition-2"]
    matrix = (changed.history.read(path) or b"").decode().splitlines()
    kept = [line for line in matrix if MINERS[miner] not in line]
    assert len(matrix) - len(kept) == 2
    files = {file.path: file for file in replayed(changed.write(path, "\n".join(kept).encode()))}
    lacking = [each for each in files[path].differences if each.recorded == "no row"]
    assert bool(lacking) is owed
    assert all(each.entry == f"leader,{MINERS[miner]}" for each in lacking)


def test_a_source_audit_that_a_person_turns_later_is_told_with_what_it_would_have_decided(
    made: dict[str, MadeUp],
) -> None:
    path = "rounds/0/source_audit.json"
    changed = made["competition-2"].replace(path, '"passed"', '"failed"')
    files = {file.path: file for file in replayed(changed)}
    assert "changed after the round's end by a person" in files[path].notes[0]
    for decided in ("rounds/0/winner.json", "rounds/0/generation_audits.json"):
        assert files[decided].finding is Finding.IDENTICAL
        assert "by what was changed since, it would differ" in " ".join(files[decided].notes)


def test_a_person_is_named_with_the_commit(made: dict[str, MadeUp]) -> None:
    changed = made["competition-2"].replace("rounds/0/winner.json", MINERS[3], MINERS[1])
    found = wrong(changed)["rounds/0/winner.json"]
    assert found.explained
    assert found.by_person[-1].endswith('"By hand"')


def test_a_file_that_a_person_deleted_is_missed(made: dict[str, MadeUp]) -> None:
    changed = made["competition-0"].write(REPORT_0, None)
    [difference] = wrong(changed)[REPORT_0].differences
    assert "deleted by a person" in difference.origin


@pytest.mark.parametrize("path", ["rounds/0/builds.json", "rounds/0/winner.json", "state.json"])
def test_a_file_that_breaks_its_format_is_malformed(made: dict[str, MadeUp], path: str) -> None:
    found = wrong(made["competition-2"].write(path, b"[1]"))[path]
    assert found.finding is Finding.MALFORMED
    assert path in found.reason


def test_the_command_line_names_the_edition_and_takes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    early = str(make_competition_0(tmp_path / "early"))
    assert main(["replay", early]) == 0
    assert capsys.readouterr().out.startswith("by the rules of competition 0")
    assert main(["replay", early, "--edition", "competition-2", "--rounds", "0"]) == 3
    assert capsys.readouterr().out.startswith("by the rules of competition 2")
    assert main(["replay", early, "--rule", "overtime=10%"]) == 2
    refusal = "competition-0 has no version overtime=10%; it has overtime=35s, overtime=none"
    assert refusal in capsys.readouterr().err
