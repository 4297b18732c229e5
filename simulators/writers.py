"""Several writers on one repository, of whom one at a time goes on, until its next look at the
repository: who is next is the test's to say.

A platform is whatever `live` work is due, done over and over; each of its looks at the repository,
and the moment between deriving files and pushing them, is a point at which it waits for its turn.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from gen404_assets.competition.commits import by_person
from gen404_assets.competition.due import due
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.history import History
from gen404_assets.competition.outputs import PodStatsFile
from gen404_assets.competition.state import Stage, State, transition_fault
from gen404_assets.competition_repository import history_of
from gen404_assets.live import auditing
from gen404_assets.live.auditing import AUDIT_THREADS
from gen404_assets.live.regenerating import Cancelled, Progress, Regenerated
from gen404_assets.live.results import Subject
from gen404_assets.live.work import Overtaken
from resources.repository import Repository, Snapshot
from simulators.outside import SimulatedOutside
from simulators.rounds import now
from simulators.whole_rounds import step

PATIENCE = 60.0
"""Seconds until a writer that does not come to its next point is held to hang."""


class Ended(BaseException):
    """The writer's process has been ended, wherever it was."""


class Turns:
    """Lets one writer go on, until one of its threads waits for the next turn.

    Of a writer's threads one works at a time: the lane waits while an audit that it has begun goes
    on (`one_thread_at_a_time`). So when one of them waits for its turn, the whole writer does.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, list[object]] = {}
        """Writer -> its threads that wait, each by a token of its own, the first one first."""
        self._arrivals: dict[str, int] = {}
        self._ended: set[str] = set()

    def wait(self, name: str) -> None:
        """A thread of a writer waits for its turn. Raises Ended instead when its process has been
        ended.
        """
        token = object()
        with self._changed:
            self._waiting.setdefault(name, []).append(token)
            self._arrivals[name] = self._arrivals.get(name, 0) + 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: name in self._ended or token not in self._waiting[name])
            if name in self._ended:
                raise Ended

    def go_on(self, name: str) -> None:
        """Let a writer go on to its next point."""
        with self._changed:
            self._until(lambda: bool(self._waiting.get(name)), name)
            arrivals = self._arrivals[name]
            self._waiting[name].pop(0)
            self._changed.notify_all()
            self._until(lambda: self._arrivals[name] > arrivals, name)

    def _until(self, is_so: Callable[[], bool], name: str) -> None:
        if not self._changed.wait_for(is_so, PATIENCE):
            raise AssertionError(f"{name} has not come to its next point in {PATIENCE:g} s")

    def end(self, name: str) -> None:
        """End a writer's process where it waits."""
        with self._changed:
            self._ended.add(name)
            self._changed.notify_all()


@contextmanager
def one_thread_at_a_time() -> Iterator[None]:
    """A lane that waits for its audit waits until that has ended, and does not look at the
    repository meanwhile, as it does every two seconds otherwise: which thread is next would be the
    clock's to say then.
    """
    seconds, auditing._POLL_SECONDS = auditing._POLL_SECONDS, 10 * PATIENCE
    try:
        yield
    finally:
        auditing._POLL_SECONDS = seconds


class Interleaved:
    """A repository as one writer sees it. Its looks and publications are points (`turn`), but for
    the looks of `Watch`, in a thread of no name: they write nothing, and only tell the lane sooner
    what it sees at its next publication.
    """

    def __init__(self, repository: Any, name: str, turns: Turns) -> None:
        self._repository, self._name, self._turns = repository, name, turns

    def _turn(self) -> None:
        if threading.current_thread().name.startswith((self._name, AUDIT_THREADS)):
            self._turns.wait(self._name)

    @property
    def head(self) -> Any:
        return self._repository.head

    def refresh(self) -> Any:
        self._turn()
        return self._repository.refresh()

    def snapshot(self, commit: str | None = None) -> Any:
        return self._repository.snapshot(commit)

    def publish(
        self,
        message: str,
        derive: Callable[[Any], Mapping[str, bytes | None]],
        *,
        time: datetime | None = None,
    ) -> Any:
        def derived(snapshot: Any) -> Mapping[str, bytes | None]:
            files = derive(snapshot)
            self._turn()  # others may push between this and our push
            return files

        self._turn()
        return self._repository.publish(message, derived, time=time)


class _OnePlatform(SimulatedOutside):
    """A regeneration that ends, as the real one does, when it is no longer wanted."""

    def regenerate(
        self,
        subject: Subject,
        say: Callable[[str], None],
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> Regenerated:
        if cancelled():
            raise Cancelled(f"{subject.hotkey} is no longer wanted")
        regenerated = super().regenerate(subject, say, lambda *_: True, lambda: False)
        progress(regenerated.outputs, PodStatsFile({}))
        if cancelled():
            raise Cancelled(f"{subject.hotkey} is no longer wanted")
        return regenerated


class Platform:
    """A platform at work on a competition, in a thread of its own; it waits for its turn."""

    def __init__(self, name: str, world: SimulatedOutside, turns: Turns, repository: Any) -> None:
        self.name, self._turns = name, turns
        self.fault: Exception | None = None
        names = ("downloads", "judging", "chain", "store", "renderer", "builds", "rules")
        shared = {each: getattr(world, each) for each in names}
        self.outside = _OnePlatform(**shared)
        for each in ("makes", "honest", "seconds", "verdict"):
            setattr(self.outside, each, getattr(world, each))
        self.outside.environment = {**world.environment, "MAX_CONCURRENT_MINERS": "1"}
        self.outside.repository = Interleaved(repository, name, turns)  # type: ignore[assignment]
        self.outside.builds = replace(world.builds)
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        with suppress(Ended):
            try:
                while True:
                    self._turns.wait(self.name)
                    self._step()
            except Exception as fault:  # noqa: BLE001 -- the test raises it
                self.fault = fault
            while True:
                self._turns.wait(self.name)

    def _step(self) -> None:
        try:
            self.outside.repository.refresh()
            step(self.outside, due(now(self.outside).files, self.outside.chain.number))
        except (Overtaken, InfrastructureFault):
            pass  # the run has ended; what is due now is asked anew

    def end(self) -> None:
        """End it, wherever it is."""
        self._turns.end(self.name)
        self._thread.join(PATIENCE)


ONCE = ("seed.json", "submissions.json", "prompts.txt", "winner.json", "submitted.json/")
"""Files of a round that the platform never changes once they are there."""


def history_faults(history: History) -> list[str]:
    """What the platforms did on the branch that no platform may do: an illegal change of stage,
    a change of what stood, or a person's file overwritten.
    """
    return [*_illegal_states(history), *_overwritten(history), *_changed_by_platforms(history)]


def _illegal_states(history: History) -> list[str]:
    faults: list[str] = []
    for (_, before), (version, after) in pairwise(history.states):
        fault = None if version.by_person else transition_fault(before, after)
        faults += [f"{version}: {fault}"] if fault else []
    return faults


def _overwritten(history: History) -> list[str]:
    """Where a platform's commit did not keep what stood in a file before it."""
    return [
        f"{later}: {path} lost what stood in it"
        for path in history.paths
        for earlier, later in pairwise(history.versions(path))
        if not later.by_person
        and not kept(path, history.content(earlier) or b"", history.content(later))
    ]


def kept(path: str, before: bytes, after: bytes | None) -> bool:
    """Whether a platform may turn one content of a file into the other."""
    name = path.rsplit("/", 1)[-1]
    if after is None:
        return False
    if name in {"state.json", "builds.json", "pod_stats.json", "generated.json"}:
        return True
    if name == "matches_matrix.csv":
        return after.startswith(before)
    if name in {"submitted.json", "generation_audits.json"}:
        old, new = json.loads(before), json.loads(after)
        return all(
            new.get(key) == value or (isinstance(value, dict) and value.get("outcome") == "pending")
            for key, value in old.items()
        )
    if name in {"require_audit.json", "leader.json", "source_audit.json"}:
        old, new = json.loads(before), json.loads(after)
        return bool(new[: len(old)] == old)
    return before == after


def _changed_by_platforms(history: History) -> list[str]:
    """Where a platform changed a file that people alone write."""
    return [
        f"{version}: {path} is a person's"
        for path in ("config.json", "prompts.txt", "notes.txt")
        for version in history.versions(path)
        if not version.by_person
    ]


def double_work(history: History) -> list[str]:
    """Matches, and openings, that were published twice."""
    messages = [
        line
        for commit in history.commits
        if not by_person(commit.message)
        for line in commit.message.splitlines()
        if line.startswith(("Match report", "Seed, prompts"))
    ]
    return sorted({message for message in messages if messages.count(message) > 1})


def is_finished(history: History) -> bool:
    """Whether the competition is over."""
    state: State = history.states[-1][1]
    return state.stage is Stage.FINISHED


class GitBranch:
    """A branch of a real git repository, as a person's clone of it sees it: what MemoryRepository
    is in memory.
    """

    def __init__(self, url: Path, mirror: Path) -> None:
        self._repository = Repository(str(url), mirror=mirror)

    @property
    def head(self) -> Snapshot:
        return self._repository.snapshot(self._repository.refresh())

    def refresh(self) -> str:
        return self._repository.refresh()

    def snapshot(self, _commit: str | None = None) -> Snapshot:
        return self.head

    def publish(
        self,
        message: str,
        derive: Callable[[Snapshot], Mapping[str, bytes | None]],
        *,
        time: datetime | None = None,
    ) -> None:
        self._repository.publish(message, derive, time=time)

    def commit(self, files: Mapping[str, bytes | None], message: str, time: datetime) -> None:
        self._repository.publish(message, lambda _: files, time=time)

    def history(self) -> History:
        return history_of(self.head)
