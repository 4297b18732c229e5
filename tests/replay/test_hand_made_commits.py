"""What people do to a competition's files, and that a replay neither breaks on it nor says anything
false of it.

"Nothing differs" stands for: whatever was done, the rules and the history explain the files as they
are.
"""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.matches import Matrix, Pair
from gen404_assets.competition.round import CONFIG, POOL, STATE, report_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.replay.result import Finding
from gen404_assets.replay.rounds import replay_round
from simulators.histories import Competition, MadeUpHistory
from simulators.history_commits import PERSON
from tests.replay.tampering import (
    MATRIX,
    REQUESTS,
    WINNER,
    Tampered,
    differing,
    git,
    open_history,
    replay,
    shown,
)

# --- while a round is played


class Restarted(MadeUpHistory):
    """A renderer's bug: after some matches of round 0 a person deletes them, and they are played
    again.
    """

    deleted: tuple[Pair, ...] = ()

    def play(self, pairs: Any) -> None:
        super().play(pairs)
        if self.number == 0 and not self.deleted and len(self.requests):
            self.deleted = tuple(self.reports)
            gone = dict.fromkeys(report_path(0, pair) for pair in self.deleted)
            self.commit(
                ["rendering service bug: duels restarted"], {**gone, MATRIX: Matrix()}, PERSON
            )
            self.matrix, self.reports = Matrix(), {}


@pytest.mark.parametrize("seed", range(6))
def test_duels_that_a_person_restarted_replay_clean_but_for_a_request_that_nothing_calls_for_any_more(  # noqa: E501
    seed: int, tmp_path: Path
) -> None:
    path = Competition(rounds=2, seed=seed).make(tmp_path / "repository", Restarted)
    files = differing(open_history(path))
    assert set(files) <= {REQUESTS}
    for difference in files[REQUESTS].differences if files else ():
        assert "a person deleted the match in" in difference.origin
        assert "rendering service bug" in difference.origin
    matrix = next(file for file in replay(open_history(path), 1) if file.path == MATRIX)
    assert [commit[9:23] for commit in matrix.by_person] == ["rendering serv"]


class Reconfigured(MadeUpHistory):
    """A person makes the competition another one after round 0: margin, decay, length and prompts
    of a round.
    """

    def finalize(self) -> None:
        super().finalize()
        if self.number == 1:
            change = {
                "win_margin": 0.2,
                "weight_decay": 0.5,
                "round_duration_days": 5,
                "carryover_prompts": 1,
            }
            self.config = self.config.model_copy(update=change)
            self.commit(["From now on it takes more to win"], {CONFIG: self.config}, PERSON)


@pytest.mark.parametrize("seed", range(6))
def test_a_past_round_is_judged_by_the_configuration_of_its_time(seed: int, tmp_path: Path) -> None:
    path = Competition(rounds=3, seed=seed).make(tmp_path / "repository", Reconfigured)
    assert shown(differing(open_history(path), 5)) == {}


class Paused(MadeUpHistory):
    """The platform pauses between two stages, a person within one; both go on."""

    def play(self, pairs: Any) -> None:
        super().play(pairs)
        if len(self.matrix.matches) < 3:
            self.commit(["pause: judge out of order"], self.state(Stage.PAUSED), PERSON)
            self.commit(["go on"], self.state(Stage.DUELS), PERSON)

    def finalize(self) -> None:
        self.commit([f"Round {self.number}: paused"], self.state(Stage.PAUSED))
        self.commit(["go on"], self.state(Stage.FINALIZING), PERSON)
        super().finalize()


def test_pauses_are_legal_wherever_they_come(tmp_path: Path) -> None:
    path = Competition(rounds=2).make(tmp_path / "repository", Paused)
    assert shown(differing(open_history(path))) == {}
    states = [file for file in replay(open_history(path), 2) if file.path == STATE]
    assert [len(state.by_person) >= 2 for state in states] == [True, True]


def test_a_round_in_which_nobody_qualifies_goes_to_the_leader(tmp_path: Path) -> None:
    class Hopeless(MadeUpHistory):
        def commit_all(self) -> None:
            self.config = self.config.model_copy(update={"win_margin": 0.99})
            super().commit_all()

    path = Competition(rounds=1).make(tmp_path / "repository", Hopeless)
    history = open_history(path)
    assert json.loads(history.read(WINNER) or b"")["winner_hotkey"] == LEADER
    assert history.read(REQUESTS) is None
    assert shown(differing(history, 2)) == {}


def test_splats_are_told_by_their_reports_where_the_configuration_does_not_say(
    tmp_path: Path,
) -> None:
    made = Tampered(Competition(output_format="ply").make(tmp_path / "repository"))
    config = made.json(CONFIG)
    del config["output_format"]
    made.insert("Seed, prompts", {CONFIG: json.dumps(config).encode()})
    assert shown(made.differing()) == {}


def test_prompts_drawn_just_before_a_person_changed_the_pool_are_told_so(
    tampered: Tampered,
) -> None:
    pool = tampered.read(POOL)
    tampered.insert(
        "Seed, prompts and submissions for round 1", {POOL: b"https://x.invalid/new.png\n" + pool}
    )
    files = {file.path: file for file in replay(open_history(tampered.path))}
    assert shown({path: file for path, file in files.items() if file.finding == "differs"}) == {}
    assert any("drawn from the pool of" in note for note in files["rounds/1/prompts.txt"].notes)


@pytest.mark.parametrize("pulled", [True, False])
def test_a_merge_takes_no_commit_from_the_platform(tampered: Tampered, pulled: bool) -> None:
    head, base = "main", "main~25"
    note = (
        git(tampered.path, "hash-object", "-w", "--stdin", data=b"a person's note").decode().strip()
    )
    git(tampered.path, "read-tree", base)
    git(tampered.path, "update-index", "--add", "--cacheinfo", f"100644,{note},notes.md")
    who = ("-c", "user.name=A", "-c", "user.email=a@b.invalid")

    def commit(message: str, *parents: str) -> str:
        tree = git(tampered.path, "write-tree").decode().strip()
        before = [word for parent in parents for word in ("-p", parent)]
        return (
            git(tampered.path, *who, "commit-tree", tree, *before, "-m", message).decode().strip()
        )

    own = commit("notes", base)
    git(tampered.path, "read-tree", head)
    git(tampered.path, "update-index", "--add", "--cacheinfo", f"100644,{note},notes.md")
    merge = commit("Merge branch 'main'", *((own, head) if pulled else (head, own)))
    people_before = {file.path: file.by_person for file in replay(open_history(tampered.path))}
    git(tampered.path, "update-ref", "refs/heads/main", merge)
    files = list(replay(open_history(tampered.path)))
    assert {file.path: file.by_person for file in files} == people_before
    assert not [file for file in files if file.finding is Finding.DIFFERS]


def test_reports_stand_on_what_their_sides_had_when_the_judge_looked(tampered: Tampered) -> None:
    path = f"rounds/0/{LEADER}/generated.json"
    for number in range(3):
        made = tampered.json(path)
        first = next(name for name, output in made.items() if output["png"])
        made[first].update(glb=f"https://objects.invalid/again-{number}.glb", attempts=2 + number)
        message = f"Update generated for round 0, miner {LEADER}"
        tampered.insert("Match report", {path: json.dumps(made, indent=2).encode()}, message)
    assert shown(tampered.differing()) == {}


# --- whatever is done


def spoilt(rng: random.Random, raw: bytes) -> bytes | None:
    at, end = sorted(rng.randrange(len(raw) + 1) for _ in range(2))
    pieces = (
        b"",
        b"{",
        b"]",
        b'"',
        b",",
        b"null",
        b"-1",
        b"\n",
        b"leader",
        b"1e999",
        b"\xff",
        raw[at:end] * 2,
    )
    return rng.choice(
        [None, b"", raw[:at], raw[:at] + rng.choice(pieces) + raw[end:], raw.replace(b"0", b"7", 1)]
    )


@pytest.mark.parametrize("seed", range(16))
def test_a_replay_ends_whatever_people_commit(tampered: Tampered, seed: int) -> None:
    rng = random.Random(seed)
    subjects = git(tampered.path, "log", "--format=%s", "main").decode().splitlines()
    for _ in range(4):
        paths = [path for path in open_history(tampered.path).paths if rng.random() < 0.1]
        files = {path: spoilt(rng, tampered.read(path)) for path in paths}
        if rng.random() < 0.5:
            tampered.insert(rng.choice(subjects[:-3]), files)
        else:
            tampered.write(files)
    history = open_history(tampered.path)
    for number in range(5):
        replayed = replay_round(history, number, Rules(overtime_tolerance_ratio=0.5))
        assert all(file.finding in Finding for file in replayed.files)
