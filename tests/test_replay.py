"""What replay promises: honest rounds replay clean, and whatever was changed is found, alone, with the commit that did it.

Tampering is tried on round 0 of a made-up competition (round 2, where nobody submitted, for what nothing follows from).
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.replay.history import History
from gen404_assets.competition.replay.result import FileReplay, Finding, RoundReplay
from gen404_assets.competition.replay.rounds import replay_round
from gen404_assets.competition.settings import Rules
from resources.repository import Repository
from tests.made_up import PERSON, PLATFORM, REGISTRY, Competition, make_competition

BUNDLE = Path(__file__).parents[2] / "shared/history/mesh-rounds-0-1.bundle"
DERIVABLE = {
    "submissions",
    "seed",
    "prompts",
    "builds",
    "duels",
    "matches_matrix",
    "audit_requests",
    "audits",
    "winner",
    "leader",
    "state",
}
R0 = "rounds/0"
MATRIX, REQUESTS, AUDITS = (
    f"{R0}/{name}" for name in ("matches_matrix.csv", "require_audit.json", "generation_audits.json")
)
BUILDS, SUBMISSIONS = f"{R0}/builds.json", f"{R0}/submissions.json"

Change = Callable[[Any], Any]
_mirrors = count()


def git(repository: Path, *arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(
        ["git", "-C", str(repository), *arguments], input=data, capture_output=True, check=True
    ).stdout


def open_history(url: Path) -> History:
    repository = Repository(str(url), mirror=url.parent / f"mirror-{next(_mirrors)}")
    repository.refresh()
    snapshot = repository.snapshot()
    return History(snapshot.commits, snapshot.history, snapshot.read_blobs)


def differing(history: History, rounds: int = 4, rules: Rules | None = None) -> dict[str, FileReplay]:
    """Path -> what was found, of every file of every round that isn't what the rules give."""
    replays = [replay_round(history, number, rules or Rules()) for number in range(rounds)]
    bad = {Finding.DIFFERS, Finding.MALFORMED}
    return {found.path: found for replay in replays for found in replay.files if found.finding in bad}


def entries(found: FileReplay) -> list[str]:
    return [difference.entry for difference in found.differences]


def cited(found: FileReplay) -> str:
    """All that names commits."""
    return " ".join([*found.by_person, *(str(difference) for difference in found.differences)])


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_competition(tmp_path_factory.mktemp("honest") / "repository")


class Tampered:
    """A copy of a made-up repository for a person to change; `commit` is how the last change is to be cited."""

    def __init__(self, path: Path) -> None:
        self.path, self.commit = path, ""

    def read(self, path: str) -> bytes:
        return git(self.path, "show", f"main:{path}")

    def json(self, path: str) -> Any:
        return json.loads(self.read(path))

    def rows(self) -> list[str]:
        return self.read(MATRIX).decode().split("\n")

    def write(self, files: Mapping[str, bytes | None], message: str = "By hand") -> None:
        """One more commit, ten minutes after the last."""
        now = int(git(self.path, "log", "-1", "--format=%ct", "main")) + 600
        author = PERSON if message == "By hand" else PLATFORM
        stream = f"commit refs/heads/main\ncommitter {author} {now} +0000\ndata {len(message)}\n{message}\n"
        lines = [stream.encode(), b"from refs/heads/main^0\n"]
        for path, data in files.items():
            deleted = f"D {path}\n".encode()
            lines.append(
                deleted if data is None else f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"
            )
        git(self.path, "fast-import", "--quiet", data=b"".join(lines))
        self.commit = f'{git(self.path, "rev-parse", "main").decode()[:7]} "{message}"'

    def edit(self, path: str, change: Change, message: str = "By hand") -> None:
        """`change` alters a JSON file's content in place, or gives another."""
        document = self.json(path)
        changed = change(document)
        content = document if changed is None else changed
        self.write({path: json.dumps(content, indent=2, ensure_ascii=False).encode()}, message)

    def differing(self) -> dict[str, FileReplay]:
        return differing(open_history(self.path))

    def only(self, path: str) -> FileReplay:
        """The one file that differs, which names the commit."""
        found = self.differing()
        assert list(found) == [path], [str(d) for f in found.values() for d in f.differences]
        assert self.commit in cited(found[path])
        return found[path]


@pytest.fixture
def tampered(honest: Path, tmp_path: Path) -> Tampered:
    return Tampered(Path(shutil.copytree(honest, tmp_path / "repository")))


def short(hotkey: str) -> str:
    return hotkey[:10]


def report_of(row: str) -> str:
    left, right, _ = row.split(",")
    return f"{R0}/{right}/duels_{short(left)}.json"


def lost(rows: list[str]) -> list[str]:
    """Played matches against the leader that a miner lost clearly."""
    return [row for row in rows[1:] if row.startswith(LEADER) and -1 < float(row.split(",")[2]) < 0]


# --- honest rounds


@pytest.mark.parametrize("output_format", ["glb", "ply"])
@pytest.mark.parametrize("seed", range(6))
def test_an_honest_competition_replays_clean_and_nothing_is_written_to_it(
    seed: int, output_format: str, tmp_path: Path
) -> None:
    path = make_competition(tmp_path / "repository", rounds=5, seed=seed, output_format=output_format)
    before = {file: file.stat() for file in path.rglob("*")}
    refs = git(path, "for-each-ref"), git(path, "rev-parse", "HEAD")
    history = open_history(path)
    replays = [replay_round(history, number, Rules()) for number in range(6)]
    assert all(replay.clean for replay in replays)
    for replay in replays[:2]:
        assert {found.asset for found in replay.files if found.finding is Finding.IDENTICAL} >= DERIVABLE
    assert (git(path, "for-each-ref"), git(path, "rev-parse", "HEAD")) == refs
    after = {file: file.stat() for file in path.rglob("*")}
    assert {file: (s.st_size, s.st_mtime_ns) for file, s in after.items()} == {
        file: (s.st_size, s.st_mtime_ns) for file, s in before.items()
    }


def test_the_same_seed_makes_the_same_competition(honest: Path, tmp_path: Path) -> None:
    again, other = make_competition(tmp_path / "again"), make_competition(tmp_path / "other", seed=1)
    heads = [git(path, "rev-parse", "main") for path in (honest, again, other)]
    assert heads[0] == heads[1] != heads[2]


def test_guarantee_11_a_round_against_a_leader_whose_image_is_gone_replays_clean(tmp_path: Path) -> None:
    path = make_competition(tmp_path / "repository", rounds=6)
    assert "100.0" in git(path, "show", "main:rounds/5/matches_matrix.csv").decode()
    assert not differing(open_history(path), 7)


# --- tampering


def test_a_margin_changed_in_the_matrix_is_found(tampered: Tampered) -> None:
    rows = tampered.rows()
    at = rows.index(lost(rows)[0])
    rows[at] = f"{rows[at]}1"
    tampered.write({MATRIX: "\n".join(rows).encode()})
    assert entries(tampered.only(MATRIX)) == [f"line {at + 1}"]


def test_two_rows_swapped_in_the_matrix_are_found(tampered: Tampered) -> None:
    rows = tampered.rows()
    rows[2], rows[3] = rows[3], rows[2]
    tampered.write({MATRIX: "\n".join(rows).encode()})
    assert set(entries(tampered.only(MATRIX))) == {"the order"}


def test_a_row_deleted_from_the_matrix_is_found(tampered: Tampered) -> None:
    rows = tampered.rows()
    row = lost(rows)[0]
    rows.remove(row)
    tampered.write({MATRIX: "\n".join(rows).encode()})
    left, right, _ = row.split(",")
    assert f"{left},{short(right)}" in entries(tampered.differing()[MATRIX])


@pytest.mark.parametrize("key", ["score", "margin"])
def test_a_score_or_margin_changed_in_a_report_is_found(tampered: Tampered, key: str) -> None:
    path = report_of(lost(tampered.rows())[0])
    tampered.edit(path, lambda report: report.update({key: report[key] + 1}))
    assert entries(tampered.only(path)) == [key]


def test_a_forced_outcome_changed_in_a_report_is_found(tampered: Tampered) -> None:
    path = report_of(lost(tampered.rows())[0])
    duels = tampered.json(path)["duels"]
    at = next(at for at, duel in enumerate(duels) if "took too long" in duel["issues"])
    tampered.edit(path, lambda report: report["duels"][at].update(winner="left"))
    assert entries(tampered.only(path)) == [f"duels[{at}].winner"]


def test_a_url_changed_in_a_report_is_found(tampered: Tampered) -> None:
    path = report_of(lost(tampered.rows())[0])
    tampered.edit(path, lambda report: report["duels"][3].update(right_png="https://elsewhere.invalid/better.png"))
    assert entries(tampered.only(path)) == ["duels[3].right_png"]


def test_a_match_judged_otherwise_contradicts_the_matrix(tampered: Tampered) -> None:
    rows = tampered.rows()
    row = lost(rows)[0]

    def judge_again(report: Any) -> None:
        duel = next(duel for duel in report["duels"] if duel["winner"] == "draw" and "took" not in duel["issues"])
        duel["winner"] = "right"
        report["score"] += 1
        report["margin"] = report["score"] / len(report["duels"])

    tampered.edit(report_of(row), judge_again)
    found = tampered.differing()
    assert {path: entries(found[path]) for path in found} == {MATRIX: [f"line {rows.index(row) + 1}"]}


def test_a_prompt_replaced_is_found(tampered: Tampered) -> None:
    path = "rounds/2/prompts.txt"
    lines = tampered.read(path).split(b"\n")
    tampered.write({path: b"\n".join([*lines[:4], b"https://elsewhere.invalid/easier.png", *lines[5:]])})
    assert entries(tampered.only(path)) == ["line 5"]


def test_submissions_reordered_are_found_with_what_follows_from_their_order(tampered: Tampered) -> None:
    tampered.edit(SUBMISSIONS, lambda entries: dict(sorted(entries.items(), reverse=True)))
    found = tampered.differing()
    assert set(found) <= {SUBMISSIONS, BUILDS, MATRIX, REQUESTS, f"{R0}/winner.json"}
    assert entries(found[SUBMISSIONS]) == ["the file: order of keys"]
    assert tampered.commit in cited(found[SUBMISSIONS])


@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("key", ["docker_image", "tag"])
def test_a_builds_image_or_tag_changed_is_found(tampered: Tampered, key: str, at: int) -> None:
    winner = tampered.json(f"{R0}/winner.json")["winner_hotkey"]
    builds = tampered.json(BUILDS).items()
    hotkey = [hotkey for hotkey, build in builds if build["docker_image"] and hotkey != winner][at]
    tampered.edit(BUILDS, lambda builds: builds[hotkey].update({key: f"elsewhere.invalid/{builds[hotkey][key]}"}))
    assert entries(tampered.only(BUILDS)) == [f"{hotkey}.{key}"]


def test_a_number_typed_into_an_audit_is_found(tampered: Tampered) -> None:
    hotkey = next(iter(tampered.json(AUDITS)))
    tampered.edit(AUDITS, lambda audits: audits[hotkey].update(checked_prompts=3))
    found = tampered.only(AUDITS)
    assert entries(found) == [f"{hotkey}.checked_prompts"]
    assert found.differences[0].origin == f"typed by a person in {tampered.commit}"


def test_an_audit_request_added_by_hand_is_found(tampered: Tampered) -> None:
    hotkey = lost(tampered.rows())[0].split(",")[1]
    tampered.edit(REQUESTS, lambda requests: [*requests, {"hotkey": hotkey, "critical_prompts": []}])
    found = tampered.only(REQUESTS)
    assert entries(found) == [hotkey]
    assert found.differences[0].origin == f"asked for in {tampered.commit}; no match of the history calls for it"


def test_another_winner_is_found_and_the_leader_does_not_follow_from_it(tampered: Tampered) -> None:
    path = f"{R0}/winner.json"
    tampered.edit(path, lambda winner: winner.update(winner_hotkey=lost(tampered.rows())[0].split(",")[1]))
    found = tampered.differing()
    assert set(found) == {path, "leader.json"}
    assert entries(found[path]) == ["winner_hotkey"]
    assert tampered.commit in cited(found[path])


def test_other_code_for_a_defending_leader_is_found(tampered: Tampered) -> None:
    path = "rounds/2/winner.json"
    tampered.edit(path, lambda winner: winner.update(commit="0" * 40))
    assert entries(tampered.only(path)) == ["commit"]


def test_a_leaders_weight_changed_is_found(tampered: Tampered) -> None:
    tampered.edit("leader.json", lambda entries: entries[-1].update(weight=0.9))
    block = tampered.json("leader.json")[-1]["effective_block"]
    assert entries(tampered.only("leader.json")) == [f"from block {block}"]


def test_a_schedules_deadline_changed_is_found(tampered: Tampered) -> None:
    path = "rounds/1/schedule.json"
    tampered.edit(path, lambda schedule: schedule.update(generation_deadline_block=schedule["latest_reveal_block"] + 1))
    assert entries(tampered.only(path)) == ["generation_deadline_block"]


def test_a_seed_that_the_block_does_not_give_is_found(tampered: Tampered) -> None:
    path = "rounds/2/seed.json"
    tampered.edit(path, lambda seed: seed.update(seed=1))
    found = tampered.differing()
    assert set(found) == {path, "rounds/2/prompts.txt"}
    assert entries(found[path]) == ["seed"]
    assert tampered.commit in cited(found[path])


def test_a_stage_skipped_is_a_fault_of_the_platform_and_a_persons_right(tampered: Tampered) -> None:
    tampered.edit("state.json", lambda state: state.update(stage="downloading"))
    state = replay_round(open_history(tampered.path), 3, Rules(), assets=["state"]).files[0]
    assert state.finding is Finding.IDENTICAL
    assert f"a person set it from open to downloading in {tampered.commit}" in state.notes
    assert state.by_person == [tampered.commit]
    tampered.edit("state.json", lambda state: state.update(stage="finalizing"), "Update state (finalizing) for round 3")
    assert entries(tampered.only("state.json")) == [tampered.commit]


# --- what people do to matches


def test_a_match_deleted_by_hand_and_played_again_is_named_and_replays_clean(tampered: Tampered) -> None:
    rows = tampered.rows()
    row = lost(rows)[0]
    report = tampered.read(report_of(row))
    rows.remove(row)
    tampered.write({MATRIX: "\n".join(rows).encode(), report_of(row): None})
    by_hand = tampered.commit
    again = "Match report: leader vs 5ABC\nUpdate matches matrix for round 0"
    tampered.write({MATRIX: "\n".join([*rows, row]).encode(), report_of(row): report}, again)
    replay = replay_round(open_history(tampered.path), 0, Rules())
    assert replay.clean
    assert {found.path for found in replay.files if found.by_person == [by_hand]} == {MATRIX, report_of(row)}


def test_an_audit_request_whose_match_was_deleted_is_named_with_the_commits(tampered: Tampered) -> None:
    hotkey = tampered.json(REQUESTS)[0]["hotkey"]
    rows = tampered.rows()
    row = next(row for row in rows if row.startswith(f"{LEADER},{hotkey}"))
    rows.remove(row)
    asked = git(tampered.path, "log", "--reverse", "--format=%h", "--abbrev=7", "main", "--", REQUESTS).decode()[:7]
    tampered.write({MATRIX: "\n".join(rows).encode(), report_of(row): None})
    found = tampered.only(REQUESTS)
    assert entries(found) == [hotkey]
    origin = found.differences[0].origin
    assert origin.startswith(f"asked for in {asked} ")
    assert f"after leader,{short(hotkey)} ended " in origin
    assert origin.endswith(f"with these critical prompts; a person deleted the match in {tampered.commit}")


# --- files that can't be read

ROUND_FILES = (
    "schedule",
    "submissions",
    "seed",
    "builds",
    "require_audit",
    "generation_audits",
    "source_audit",
    "winner",
)


@pytest.mark.parametrize("path", [*(f"{R0}/{name}.json" for name in ROUND_FILES), "leader.json", "state.json"])
def test_guarantee_17_a_malformed_file_is_named_with_its_line_and_the_others_are_replayed(
    tampered: Tampered, path: str
) -> None:
    tampered.write({path: b'{\n  "seed": 1,\n  oops\n}'})
    history = open_history(tampered.path)
    replays = [replay_round(history, number, Rules()) for number in range(4)]
    files = [found for replay in replays for found in replay.files]
    broken = [found for found in files if found.path == path and found.finding is not Finding.NOT_DERIVABLE]
    assert broken
    assert all(found.finding is Finding.MALFORMED and f"{path}:3: " in found.reason for found in broken)
    assert not [found for found in files if found.finding is Finding.DIFFERS]
    assert any(found.path == "rounds/1/prompts.txt" and found.finding is Finding.IDENTICAL for found in files)


def test_guarantee_17_without_a_readable_config_nothing_is_derived_and_nothing_crashes(tampered: Tampered) -> None:
    tampered.write({"config.json": b"{"})
    files = replay_round(open_history(tampered.path), 0, Rules()).files
    assert not [found for found in files if found.finding is Finding.DIFFERS]
    assert any("config.json:1: " in found.reason for found in files)


@pytest.mark.parametrize("path", [MATRIX, REQUESTS, AUDITS, BUILDS, "state.json", f"{R0}/source_audit.json"])
def test_a_file_that_was_broken_and_mended_is_replayed(tampered: Tampered, path: str) -> None:
    sound = tampered.read(path)
    tampered.write({path: b"oops"})
    tampered.write({path: sound})
    assert not tampered.differing()


# --- older rules


def fits(replay: RoundReplay) -> dict[str, str]:
    return {found.rule: found.fits for found in replay.versions}


def test_a_round_played_with_more_overtime_forgiven_is_explained_by_that_rule(tmp_path: Path) -> None:
    older = Rules(docker_image_format=REGISTRY, overtime_tolerance_ratio=0.1)
    history = open_history(Competition(rounds=1, rules=older).make(tmp_path / "repository"))
    replay = replay_round(history, 0, Rules())
    assert replay.clean
    assert fits(replay)["overtime"] == "10%"
    forced = replay_round(history, 0, Rules(), chosen={"overtime": "5%"})
    assert not forced.clean
    assert {found.asset for found in forced.files if found.finding is Finding.DIFFERS} == {"duels"}


def test_weights_that_were_not_rounded_are_explained_by_that_rule(tmp_path: Path) -> None:
    older = replace(Rules(), weight_digits=None)
    history = open_history(Competition(rounds=2, miners=0, rules=older).make(tmp_path / "repository"))
    replay = replay_round(history, 1, Rules())
    assert replay.clean
    assert fits(replay)["weights"] == "unrounded"
    forced = replay_round(history, 1, Rules(), chosen={"weights": "rounded"})
    assert [found.path for found in forced.files if found.finding is Finding.DIFFERS] == ["leader.json"]


def test_prompts_drawn_twice_are_explained_by_that_rule(tmp_path: Path) -> None:
    older = replace(Rules(), unique_prompts=False)
    history = open_history(Competition(rounds=12, miners=0, rules=older).make(tmp_path / "repository"))
    found = [fits(replay_round(history, number, Rules()))["prompts"] for number in range(12)]
    assert set(found) == {"unique", "as drawn"}


# --- the real history


@pytest.mark.skipif(not BUNDLE.exists(), reason="the real history is not here")
def test_of_two_real_rounds_exactly_the_two_files_that_people_touched_differ(tmp_path: Path) -> None:
    repository = Repository(str(BUNDLE), mirror=tmp_path / "mirror")
    repository.refresh()
    snapshot = repository.snapshot()
    history = History(snapshot.commits, snapshot.history, snapshot.read_blobs)
    replays = [replay_round(history, number, Rules()) for number in range(3)]
    found = differing(history, 3)
    assert set(found) == {AUDITS, "rounds/1/require_audit.json"}
    typed, asked = found[AUDITS].differences, found["rounds/1/require_audit.json"].differences
    assert {difference.entry[:10] for difference in typed} == {"5FP3qpaSyR"}
    assert all("94c599d" in difference.origin for difference in typed)
    assert [difference.entry[:10] for difference in asked] == ["5GgVxYJS3R"]
    assert "8eaa94b" in asked[0].origin
    assert "e843b62" in asked[0].origin
    for replay in replays[:2]:
        assert {
            file.finding for asset in DERIVABLE - {"seed", "audit_requests", "audits"} for file in replay.of(asset)
        } == {Finding.IDENTICAL}
    reports = sum(len(replay.of("duels")) for replay in replays)
    assert reports == sum(path.rsplit("/", 1)[1].startswith("duels_") for path in history.paths) > 0
