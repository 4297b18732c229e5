"""What Dagster knows of a lane's runs: whether one is under way, how often they failed, and when
the next may begin.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import ClassVar

import dagster as dg

from gen404_assets.assets.tags import HEAD_TAG, LANE_TAG, ROUND_TAG
from gen404_assets.competition.catalogue import Lane

_FAILED = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
_ENDED = {*_FAILED, dg.DagsterRunStatus.SUCCESS}
_WAITING = {dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED}
_KNOWN = 50
"""Runs of a lane that are asked for; after far fewer failures the delay is the longest."""
_REMEMBERED = 1000
"""Runs whose times are kept; a code server lives for months."""
_FIRST_DELAY, _LONGEST_DELAY, _LONGEST_IDLE = 5.0, 600.0, 60.0
"""Seconds until the next run after the first failure, after many, and after runs that changed
nothing."""
_STARTS_WITHIN = 300.0
"""Seconds that a run may take from its launch until it holds its lane."""
_LOST_AFTER = 60.0
"""Seconds for which a lane must be free, since a run lets go of it between two steps."""
_LOOKS_APART = 30.0
"""Seconds; between looks that are farther apart the lane may have been held unseen."""


@dataclass(frozen=True, slots=True)
class LaneRun:
    """A run of a lane; `quiet` is how many seconds ago it was last heard of."""

    run_id: str
    status: dg.DagsterRunStatus
    head: str
    quiet: float


class Quiet:
    """How long ago runs were last heard of.

    Dagster dates that by the machine's clock. What it says counts when a date is first seen, if it
    is not in the future; from then on the monotonic clock counts, so that no step of the clock
    makes a lane wait.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float, float]] = {}

    def seconds(self, run_id: str, changed: float) -> float:
        """Seconds since a run was last heard of, at `changed` in seconds since the epoch."""
        now = time.monotonic()
        known, at, age = self._seen.get(run_id, (None, now, 0.0))
        if known != changed:
            at, age = now, max(0.0, time.time() - changed)
            # Put in anew at the end: the first is the one longest unchanged.
            self._seen.pop(run_id, None)
            self._seen[run_id] = (changed, at, age)
            while len(self._seen) > _REMEMBERED:
                self._seen.pop(next(iter(self._seen)))
        return age + now - at


_QUIET = Quiet()


class Unheld:
    """How long the lane of a run under way has been free at each look, by the monotonic clock.

    A lane is free for a moment between two steps of a run. What lies between looks that are far
    apart isn't known, and the time begins anew.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}

    def seconds(self, run_id: str, *, free: bool) -> float:
        """Seconds since the first of the looks in a row that found the lane free."""
        now = time.monotonic()
        first, last = self._seen.pop(run_id, (now, now))
        if not free:
            return 0.0
        if now - last > _LOOKS_APART:
            first = now
        self._seen[run_id] = (first, now)
        while len(self._seen) > _REMEMBERED:
            self._seen.pop(next(iter(self._seen)))
        return now - first


@dataclass(frozen=True, slots=True)
class LaneRuns:
    """A lane's runs for one round, the newest first."""

    runs: Sequence[LaneRun]
    # Failures in a row: one or two may be an outage that ends by itself.
    TELL_AFTER: ClassVar[int] = 3

    @classmethod
    def read(cls, instance: dg.DagsterInstance, lane: Lane, number: int) -> "LaneRuns":
        """The last runs, as Dagster knows them."""
        filters = dg.RunsFilter(tags={LANE_TAG: lane.value, ROUND_TAG: str(number)})
        records = instance.get_run_records(filters, limit=_KNOWN)
        return cls(
            [
                LaneRun(
                    record.dagster_run.run_id,
                    record.dagster_run.status,
                    record.dagster_run.tags.get(HEAD_TAG, ""),
                    _QUIET.seconds(
                        record.dagster_run.run_id,
                        record.end_time or record.update_timestamp.timestamp(),
                    ),
                )
                for record in records
            ]
        )

    @property
    def failures(self) -> int:
        """How many runs have failed since the last that did not."""
        ended = [run for run in self.runs if run.status in _ENDED]
        return sum(1 for _ in takewhile(lambda run: run.status in _FAILED, ended))

    @property
    def last(self) -> str:
        """The newest run; with the head, it tells one request from the next, however many there
        have been.
        """
        return self.runs[0].run_id if self.runs else "none"

    def under_way(self) -> LaneRun | None:
        """The run that has not ended."""
        return next((run for run in self.runs if run.status not in _ENDED), None)

    def busy(self, lane_is_free: bool) -> str:
        """Why the lane is taken, or nothing."""
        if run := self.under_way():
            return f"run {run.run_id[:8]} is {run.status.value.lower()}"
        return "" if lane_is_free else "a run of another origin works on it"

    def lost(self, unheld: float) -> LaneRun | None:
        """A run that Dagster believes to be under way, and whose process must be gone: its lane has
        been free for `unheld` seconds. One that is still starting is given more time.
        """
        run = self.under_way()
        if run is None or run.status in _WAITING or unheld <= _LOST_AFTER:
            return None
        starting = run.status is dg.DagsterRunStatus.STARTING
        return None if starting and run.quiet <= _STARTS_WITHIN else run

    def back_off(self, head: str) -> str:
        """How long the next run is to wait after failures, or after runs that left the head as it
        is; or nothing.
        """
        last = next((run for run in self.runs if run.status in _ENDED), None)
        if last is None:
            return ""
        idle = sum(run.head == head and run.status not in _FAILED for run in self.runs)
        delay = (
            min(_FIRST_DELAY * 2 ** (self.failures - 1), _LONGEST_DELAY) if self.failures else 0.0
        )
        delay = max(delay, min(2.0 ** (idle - 1), _LONGEST_IDLE) if idle else 0.0)
        left = delay - last.quiet
        if left <= 0:
            return ""
        return (
            f"failed {self.failures} times, again in {left:.0f} s"
            if self.failures
            else f"again in {left:.0f} s"
        )
