"""Two platforms, started on one repository by mistake, and a person: whoever goes on when, nothing
is lost or overwritten, and every state is legal.

`INTERLEAVINGS` in the environment sets how many are tried in memory, `INTERLEAVINGS_ON_GIT` how
many on real git, where one takes minutes; many take `--timeout 0`.
"""

import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from gen404_assets.commands.operating import pause, resume_round
from gen404_assets.commands.refused import Refused
from gen404_assets.competition.audits import SourceVerdict
from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.result import Finding
from gen404_assets.replay.rounds import replay_round
from resources.repository import Repository
from simulators.history_repository import fast_import
from simulators.outside import SimulatedOutside
from simulators.recording import write_commits
from simulators.rounds import now
from simulators.whole_rounds import MinerDoes, World, play, simulate
from simulators.writers import (
    GitBranch,
    Platform,
    Turns,
    double_work,
    history_faults,
    is_finished,
    kept,
    one_thread_at_a_time,
)


def miner(penalty: int, *, honest: bool = True) -> MinerDoes:
    return MinerDoes("success", True, penalty, honest, True, SourceVerdict.PASSED)


WORLD = World(
    miners=(miner(1), miner(0, honest=False), miner(9)), leader_works=True, leader_penalty=6
)
CONFIG = {"prompts_per_round": 3, "carryover_prompts": 1, "last_competition_date": "2026-01-05"}
STEPS = 60
TO_THE_END = 3000


def world() -> SimulatedOutside:
    return simulate(WORLD, **CONFIG)


def undisturbed() -> dict[str, bytes]:
    """The files that one platform alone ends with."""
    outside = world()
    play(outside, 100)
    return dict(outside.repository.head.files)


ALONE = undisturbed()


class Writers(RuleBasedStateMachine):
    """Platforms `one` and `two`, and a person."""

    @initialize()
    def begin(self) -> None:
        self.open = ExitStack()
        self.open.enter_context(one_thread_at_a_time())
        self.outside = world()
        self.turns = Turns()
        self.repository = self.open_branch()
        self.outside.repository = self.repository
        self.platforms = {name: self.platform(name) for name in ("one", "two")}
        self.notes: list[str] = []

    def platform(self, name: str) -> Platform:
        return Platform(name, self.outside, self.turns, self.open_repository(name))

    def open_repository(self, name: str) -> Any:  # noqa: ARG002
        return self.repository

    def open_branch(self) -> Any:
        return self.outside.repository

    def go_on(self, name: str) -> None:
        self.turns.go_on(name)
        if fault := self.platforms[name].fault:
            raise fault

    @rule(name=st.sampled_from(["one", "two"]), times=st.integers(1, 12))
    def a_platform_goes_on(self, name: str, times: int) -> None:
        for _ in range(times):
            self.go_on(name)

    @rule(name=st.sampled_from(["one", "two"]))
    def a_platform_is_killed_and_started_again(self, name: str) -> None:
        self.platforms[name].end()
        self.turns = Turns()  # the other one's place is lost too: it is started again likewise
        for other, platform in self.platforms.items():
            platform.end()
            self.platforms[other] = self.platform(other)

    @rule(blocks=st.integers(1, 400))
    def time_passes(self, blocks: int) -> None:
        self.outside.chain.number += blocks

    @rule()
    def a_person_writes_a_note(self) -> None:
        self.notes.append(f"note {len(self.notes)}")
        content = "\n".join(self.notes).encode()
        self.repository.commit({"notes.txt": content}, "A note", self.outside.now())

    @rule(description=st.sampled_from(["shorter", "longer"]))
    def a_person_describes_the_competition(self, description: str) -> None:
        config = json.loads(self.repository.head.read("config.json") or b"")
        config["description"] = description
        files = {"config.json": json.dumps(config, indent=2).encode()}
        self.repository.commit(files, "Say what it is", self.outside.now())

    @rule()
    def a_person_pauses_or_resumes(self) -> None:
        state = now(self.outside).required_state
        act = resume_round if state.interrupted_stage else pause
        try:
            act(self.outside, "by hand")  # type: ignore[arg-type]
        except Refused:
            assert state.stage == "finished"

    def nothing_is_lost_or_overwritten_and_every_state_is_legal(self) -> None:
        """At any commit: all of them are looked at."""
        history = self.history()
        assert history_faults(history) == []
        assert double_work(history) == []

    def history(self) -> History:
        history: History = self.repository.history()
        return history

    def teardown(self) -> None:
        """Both go on to the end, which is that of one platform alone."""
        try:
            if now(self.outside).required_state.interrupted_stage:
                self.a_person_pauses_or_resumes()
            for _ in range(TO_THE_END):
                if is_finished(self.history()):
                    break
                self.outside.chain.number += 10
                for name in self.platforms:
                    self.go_on(name)
            self.nothing_is_lost_or_overwritten_and_every_state_is_legal()
            self.ends_as_alone()
        finally:
            for platform in self.platforms.values():
                platform.end()
            self.open.close()

    def ends_as_alone(self) -> None:
        head = self.repository.head
        files = head.read_many(head.blobs)
        assert is_finished(self.history())
        assert set(files) - {"notes.txt"} == set(ALONE)
        for path in set(ALONE) - {"config.json", "leader.json", "state.json"}:
            if path.endswith(("source_audit.json", "matches_matrix.csv", "builds.json")):
                assert sorted(set(files[path].split())) == sorted(set(ALONE[path].split()))
            else:
                assert files[path] == ALONE[path], path
        replayed = replay_round(self.history(), 0, Rules()).files
        assert {file.finding for file in replayed} <= {Finding.IDENTICAL, Finding.NOT_DERIVABLE}


class WritersOnGit(Writers):
    """The same on a real repository: each writer has a mirror of its own."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.bare = Path(self.folder.name) / "remote.git"
        made = world()
        with fast_import(self.bare) as stream:
            write_commits(stream, made.repository)
        super().begin()

    def open_repository(self, name: str) -> Any:
        return Repository(str(self.bare), mirror=Path(self.folder.name) / name)

    def open_branch(self) -> Any:
        return GitBranch(self.bare, Path(self.folder.name) / "person")

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestWriters = Writers.TestCase
TestWriters.settings = settings(
    max_examples=int(os.environ.get("INTERLEAVINGS", "10")),
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=[*HealthCheck],
)
TestWritersOnGit = WritersOnGit.TestCase
TestWritersOnGit.settings = settings(
    TestWriters.settings,
    max_examples=int(os.environ.get("INTERLEAVINGS_ON_GIT", "1")),
    stateful_step_count=20,
)
pytest.mark.skipif(
    "INTERLEAVINGS_ON_GIT" not in os.environ, reason="takes minutes: set INTERLEAVINGS_ON_GIT=1"
)(TestWritersOnGit)


@pytest.mark.parametrize(
    ("path", "before", "after", "may"),
    [
        ("rounds/0/matches_matrix.csv", b"a,b,1", b"a,b,1\nc,d,0", True),
        ("rounds/0/matches_matrix.csv", b"a,b,1\nc,d,0", b"c,d,0", False),
        ("rounds/0/seed.json", b"1", b"2", False),
        ("leader.json", b"[1]", b"[1, 2]", True),
        ("leader.json", b"[1]", b"[2]", False),
        ("rounds/0/x/submitted.json", b'{"a": 1}', b'{"b": 1}', False),
        ("notes.txt", b"a", None, False),
    ],
)
def test_what_a_platform_may_do_to_a_file(
    path: str, before: bytes, after: bytes | None, may: bool
) -> None:
    assert kept(path, before, after) is may
