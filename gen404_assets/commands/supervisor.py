"""Processes kept alive: each is watched by its exit and by its answers, and started again when it
dies or falls silent.

All times are of the monotonic clock: a step of the machine's clock is no silence.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from resources.deadlines import in_background
from resources.local_network import process

PROBE_SECONDS = 5.0
"""Between two questions to each process."""

STALL_SECONDS = 10.0
"""A round of the supervisor that takes longer means that the machine stood still, and that nobody
could answer meanwhile."""

STOPPED_SECONDS = 30.0
"""For which a process that another one has started may be stopped by a signal (SIGSTOP)."""

_ROUND_SECONDS = 0.5  # between two looks at all processes
_LONGEST_DELAY = 30.0
"""Seconds until a process that ends again and again is started once more."""
_STEADY_SECONDS = 300.0
"""One that has lasted so long begins anew with the shortest delay."""
_DOUBLINGS = 3  # of a patience, at most: 45 s become six minutes


@dataclass(frozen=True, slots=True)
class Service:
    """A process to keep alive.

    `answers` says whether it is well; it may take as long as it likes and raise anything of its
    client's: both count as silence. A process that has answered is started again after `silence`
    seconds without an answer, one that has just been started after `startup` seconds.
    """

    name: str
    command: Sequence[str]
    answers: Callable[[], bool]
    silence: float = 45.0
    startup: float = 180.0


@dataclass(frozen=True, slots=True)
class Condition:
    """How a process is: `state` is starting, up, silent or down; `since` is how many seconds ago it
    was started or ended.
    """

    name: str
    state: str
    pid: int | None
    since: float
    restarts: int
    reason: str


@dataclass
class _Watched:
    """One service under watch."""

    service: Service
    child: process.Child | None = None
    started: float = 0.0
    heard: float | None = None  # None: not yet, since it was started
    excused: float = 0.0
    asking: bool = False
    asked: float = 0.0
    restarts: int = 0
    in_a_row: int = 0
    silences: int = 0  # of those in a row
    start_at: float = 0.0
    reason: str = ""
    sessions: set[int] = field(default_factory=set)

    def quiet(self, now: float) -> float:
        """Seconds since it was last heard of, started, or excused."""
        return now - max(self.heard or 0.0, self.started, self.excused)


class Supervisor:
    """Keeps services alive, in the order given: the first is up before the others are started.

    `tell` is told of each outage once, and of its end. Use it from the main thread: the processes
    die with the thread that started them.
    """

    def __init__(
        self,
        services: Sequence[Service],
        log: Path,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
    ) -> None:
        self._watched = [_Watched(service) for service in services]
        self._log, self._environment, self._tell = log, environment, tell
        self._swept = 0.0
        self._stopped: dict[int, float] = {}
        """The processes that are stopped by a signal, by their pids, and since when."""

    def run(self, stop: threading.Event, each_round: Callable[[], None] = lambda: None) -> None:
        """Keep everything alive until `stop` is set. `each_round` is called twice a second."""
        while not stop.is_set():
            before = time.monotonic()
            self.look(before)
            each_round()
            stop.wait(_ROUND_SECONDS)
            if (after := time.monotonic()) - before > STALL_SECONDS:
                self.excuse(after)

    def look(self, now: float) -> None:
        """See to each process once."""
        for watched in self._watched:
            if watched.child is None:
                if now >= watched.start_at and self._may_start(watched):
                    self._start(watched, now)
            elif (code := watched.child.poll()) is not None:
                self._lost(watched, now, f"ended by itself with exit code {code}")
            elif watched.quiet(now) > _patience(watched):
                # Its process alone: the runs that it has started go on.
                with suppress(ProcessLookupError):
                    os.kill(watched.child.pid, signal.SIGKILL)
                watched.child.wait()
                self._lost(watched, now, f"gave no answer for {watched.quiet(now):.0f} s")
                watched.silences += 1
            else:
                self._ask(watched, now)
        if now - self._swept > PROBE_SECONDS:
            self._swept = now
            self._end_stopped(now)

    def excuse(self, now: float) -> None:
        """Nobody could answer until now."""
        for watched in self._watched:
            watched.excused = now
        self._stopped.clear()

    def restart(self, name: str, reason: str) -> None:
        """Have a process started again."""
        for watched in self._watched:
            if watched.service.name == name and watched.child is not None:
                watched.child.kill()
                watched.child.wait()
                self._lost(watched, time.monotonic(), reason)

    def conditions(self) -> list[Condition]:
        """How each process is now. Any thread may ask."""
        return [_condition(watched, time.monotonic()) for watched in self._watched]

    def stop(self) -> None:
        """End all processes and all that they have started, the last first."""
        left = {each for watched in self._watched for each in watched.sessions}
        for session in left:  # what a process has started that has died since is asked first
            with suppress(ProcessLookupError):
                os.killpg(session, signal.SIGTERM)
        for watched in reversed(self._watched):
            process.stop([watched.child] if watched.child else [], patience=8)
            watched.child = None
        for session in left:
            process.end_session(session)

    def _end_stopped(self, now: float) -> None:
        """Kill what the processes have started, such as runs, and what has been stopped by a signal
        for too long: it holds its locks, and says nothing. Its work is taken up again.
        """
        watched = {each.child.pid for each in self._watched if each.child}
        sessions = {session for each in self._watched for session in each.sessions}
        stopped = {*process.stopped(sessions)} - watched
        self._stopped = {pid: self._stopped.get(pid, now) for pid in stopped}
        for pid, since in self._stopped.items():
            if now - since > STOPPED_SECONDS:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                self._tell(
                    f"the process {pid}, a run or what runs are forked from, was stopped by a "
                    f"signal for {now - since:.0f} s: it is killed, and its work is taken up again"
                )

    def _may_start(self, watched: _Watched) -> bool:
        first = self._watched[0]
        return watched is first or watched.restarts > 0 or first.heard is not None

    def _start(self, watched: _Watched, now: float) -> None:
        watched.child = process.start(watched.service.command, self._log, self._environment)
        watched.started, watched.heard, watched.asking = now, None, False
        # A dead process's number is not given away while a process of its session lives.
        watched.sessions = {each for each in watched.sessions if process.session_lives(each)}
        watched.sessions.add(watched.child.pid)

    def _lost(self, watched: _Watched, now: float, reason: str) -> None:
        """A process has ended or was ended: it is started again, later each time that it fails."""
        lasted = now - watched.started
        if watched.heard is not None or not watched.restarts:
            self._tell(f"{watched.service.name} {reason}: it is started again")
        if lasted > _STEADY_SECONDS:
            watched.in_a_row = watched.silences = 0
        delay = min(2.0 ** min(watched.in_a_row, 8) - 1, _LONGEST_DELAY)  # the first time at once
        watched.child, watched.start_at, watched.reason = None, now + delay, reason
        watched.restarts += 1
        watched.in_a_row += 1

    def _ask(self, watched: _Watched, now: float) -> None:
        """Ask whether it is well, in the background; one question at a time."""
        if watched.asking or now - watched.asked < PROBE_SECONDS:
            return
        watched.asking, watched.asked = True, now
        asked = watched.child

        def ask() -> None:
            well = False
            try:
                well = watched.service.answers()
            finally:
                if watched.child is asked:
                    watched.asking = False
                    if well:
                        self._heard(watched)

        in_background(ask)

    def _heard(self, watched: _Watched) -> None:
        if watched.heard is None and watched.restarts:
            self._tell(f"{watched.service.name} answers again")
        watched.heard = time.monotonic()


def _patience(watched: _Watched) -> float:
    """How long it may be silent: longer after each silence, since on a machine that is overloaded a
    restart makes matters worse.
    """
    service = watched.service
    usual = service.startup if watched.heard is None else service.silence
    return usual * 2.0 ** min(watched.silences, _DOUBLINGS)


def _condition(watched: _Watched, now: float) -> Condition:
    child = watched.child
    if child is None:
        state = "down" if watched.restarts else "starting"
    elif watched.heard is None:
        state = "starting"
    else:
        # "silent" is told before the process is killed for it.
        state = "up" if watched.quiet(now) <= 0.8 * watched.service.silence else "silent"
    return Condition(
        watched.service.name,
        state,
        child.pid if child else None,
        now - watched.started if watched.started else 0.0,
        watched.restarts,
        watched.reason,
    )
