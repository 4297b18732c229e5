"""Looks at the outside that nobody waits for longer than a few seconds: each is made in a thread of
its own, at most one of a kind at a time.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import UTC, datetime
from threading import Lock
from typing import Generic, TypeVar

from gen404_assets.competition.faults import InfrastructureFault
from resources.deadlines import in_background

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds that a tick waits for a look."""

_FIRST_DELAY, _LONGEST_DELAY = 2.0, 60.0
"""Seconds that a look waits after the first failure, and at most; each failure doubles them."""


class NotSeen(Exception):
    """What a tick wanted to see can't be seen now: it says what and since when, and ends.

    `first` is true once in an outage, for a person to be told.
    """

    def __init__(self, message: str, *, first: bool = False) -> None:
        super().__init__(message)
        self.first = first


class Background(Generic[T]):
    """Work of which at most one is under way; whoever asks waits a few seconds, and comes again."""

    def __init__(self, name: str, work: Callable[[], T]) -> None:
        self._name, self._work = name, work
        self._lock = Lock()
        self._future: Future[T] | None = None
        self._began = datetime.now(UTC)

    def result(self) -> T:
        """What the work gives or raises, of the one under way, or else of one that begins now.
        Raises NotSeen while it goes on.
        """
        with self._lock:
            if self._future is None:
                self._began = datetime.now(UTC)
                self._future = in_background(self._work)
            future = self._future
        wait([future], PATIENCE)  # outside the lock: ticks that ask meanwhile wait side by side
        if not future.done():
            raise NotSeen(f"waits for {self._name}: no answer yet, since {_clock(self._began)}")
        with self._lock:
            if self._future is future:
                self._future = None
        return future.result()


class Look(Generic[T]):
    """Something outside as it was seen last, `fresh` seconds ago at most.

    `saw` and `failed` are told of every look's end. After a failure the next look waits, up to a
    minute; ticks between them end at once.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[], T],
        saw: Callable[[T], None],
        failed: Callable[[str], None],
        *,
        fresh: float = 1.0,
    ) -> None:
        self._name, self._look, self._saw, self._failed = name, look, saw, failed
        self._fresh = fresh
        self._lock = Lock()
        self._seen: tuple[float, T] | None = None
        self._blind: datetime | None = None
        self._fault = ""
        self._failures, self._next = 0, 0.0
        self._reported = False
        self._background = Background(name, self._see)

    def now(self) -> T:
        """What it is. Raises NotSeen if it can't be said."""
        with self._lock:
            if self._seen and time.monotonic() - self._seen[0] <= self._fresh:
                return self._seen[1]
            resting = self._failures > 0 and time.monotonic() < self._next
        try:
            if not resting:
                return self._background.result()
        except NotSeen:
            self._hangs()
        except InfrastructureFault:
            pass  # `_see` has kept it
        raise self._not_seen()

    def _hangs(self) -> None:
        with self._lock:
            begins = self._blind is None
            if begins:
                self._blind, self._fault = datetime.now(UTC), "no answer yet"
        if begins:
            self._failed("no answer yet")

    def _see(self) -> T:
        began = datetime.now(UTC)
        try:
            answer = self._look()
        except InfrastructureFault as fault:
            with self._lock:
                self._blind, self._fault = self._blind or began, str(fault)
                # 8 doublings exceed the longest delay, and an outage of days makes no huge power.
                delay = min(_FIRST_DELAY * 2 ** min(self._failures, 8), _LONGEST_DELAY)
                self._failures, self._next = self._failures + 1, time.monotonic() + delay
            self._failed(str(fault))
            raise
        with self._lock:
            self._seen = (time.monotonic(), answer)
            self._blind, self._fault, self._failures, self._reported = None, "", 0, False
        self._saw(answer)
        return answer

    def _not_seen(self) -> NotSeen:
        with self._lock:
            first, self._reported = not self._reported, True
            since = f", since {_clock(self._blind)}" if self._blind else ""
            times = f", asked {self._failures} times" if self._failures > 1 else ""
        return NotSeen(f"waits for {self._name}: {self._fault}{since}{times}", first=first)


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
