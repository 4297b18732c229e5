"""Which file is fetched next, when a CDN that fails is asked again, and when it is given up. No
I/O, no clock."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median_low
from typing import TypeVar

from gen404_assets.competition.faults import MinerFault, TryLater

_FIRST_WAIT, _LONGEST_WAIT = 5.0, 300.0
"""Seconds until a CDN that names no time is asked again: after its first failure, and at most."""
_Q = TypeVar("_Q")
_NO_TIME = float("inf")
_SLOW = 4.0
"""A CDN is slow whose files take this many times what those of the others take at the median."""


@dataclass(slots=True)
class File:
    """One prompt's file of one miner, and how the tries to fetch it ended so far."""

    hotkey: str
    stem: str
    url: str
    attempts: int = 0
    refusals: int = 0
    """How many of them ended with an answer that is no file."""
    reason: str = ""
    again: int = 0
    """How many times a person has had it made again."""
    stored: str | None = None
    """The URL of the file in our store, where only its preview is made again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of all CDNs together: `slots` downloads at once; a file has `tries`, a CDN `patience`
    seconds."""

    slots: int
    tries: int
    patience: float

    @property
    def second_look(self) -> float:
        """Seconds until a file is tried again that its CDN says it doesn't have: a minute of the
        usual patience."""
        return self.patience / 30

    @property
    def most_of_one(self) -> int:
        """Downloads at once of one CDN while others have files waiting."""
        return (self.slots + 1) // 2


@dataclass(slots=True)
class _Cdn:
    """One miner's CDN: its files that wait, how many may be fetched at once, and what it has
    cost."""

    order: int
    at_once: int
    not_before: float
    waiting: list[tuple[float, int, File]] = field(default_factory=list)
    under_way: int = 0
    files: int = 0
    """All that it was asked for."""
    came: int = 0
    failures: int = 0
    """In a row, those that ended while others were under way left out."""
    refused: float = 0.0
    """Seconds of downloads that ended with an answer that is no file."""
    lost: float = 0.0
    """Seconds that it kept us waiting, or working until it failed; at any moment one, however
    many files waited."""
    lost_until: float = 0.0
    """Time that is counted in `lost` already."""
    used: float = 0.0
    """Seconds of all its downloads together."""
    bringing: float = 0.0
    """Seconds of the downloads that brought a file."""
    set_aside: int = 0
    """How many of its files could not be kept here: those of others are tried first."""
    looked_at: float = 0.0
    """What `used` has to exceed before it is asked again whether the CDN is slow."""
    version: int = 0
    """Of its entry in a queue: older ones are out of date."""

    def next(self) -> float:
        """When a file of it may be tried."""
        if not self.waiting or self.under_way >= self.at_once:
            return _NO_TIME
        return max(self.not_before, self.waiting[0][0])

    @property
    def pace(self) -> float:
        """Seconds that a file of it took on average, once one has come."""
        return self.bringing / self.came

    def is_slow(self, part: float) -> str:
        """Why it is given up, of whose downloads `part` seconds were to be had."""
        brought = f"{self.came} of {self.files} files in {self.used:.0f} s of downloads"
        return f"its CDN is slow: {brought}, and a slow one has {part:.0f} s"

    def lose(self, since: float, until: float) -> None:
        """Count this time as lost, but for what is counted already."""
        self.lost += max(0.0, until - max(since, self.lost_until))
        self.lost_until = max(self.lost_until, until)


class Cdns:
    """The files still to be fetched, by CDN. Times are seconds of one clock that only the caller
    reads.

    - An answer that is no file (404, 403, too large, not a URL ...) counts as a try; a file has
      `tries`, with `second_look` between them, since what was uploaded a moment ago, or is
      remembered as missing by a cache, comes.
    - A CDN that is busy, down or out of reach (TryLater) is left alone for as long as it asks,
      or ever longer, and then tried with one file at a time; each that comes lets one more be
      fetched at once. Neither is held against a file: it waits, without a slot, until the CDN
      has cost `patience` seconds in waits and downloads in vain.
    - Of those that can be tried, the CDN with the fewest downloads under way comes first, and of
      these the one whose downloads have taken the least time. While others have files waiting,
      one CDN gets half of the slots at most.
    - A CDN is slow once its downloads have taken more than an equal share of `patience` seconds
      of all slots, and more than four times what the others' files take at the median. The slow
      ones divide `patience` seconds of all slots among them: what all of them together can cost
      the others is limited, and where everybody is slow (so that the fault may be ours) nobody
      is. A slow CDN whose part is used up is given up; what it has brought stays.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._cdns: dict[str, _Cdn] = {}
        self._entries = self._waiting = self._under_way = 0
        # Queues of (what is first, order, version, CDN): those that may be tried later, and now.
        self._later: list[tuple[float, int, int, _Cdn]] = []
        self._ready: list[tuple[tuple[int, int, float], int, int, _Cdn]] = []
        self._failing: set[int] = set()
        self._going_on: set[int] = set()
        self._slow: set[int] = set()

    def __len__(self) -> int:
        """How many files wait; those under way aren't counted."""
        return self._waiting

    @property
    def failing(self) -> int:
        """How many CDNs failed when last tried, and are waited for."""
        return len(self._failing)

    def add(self, hotkey: str, files: Iterable[File], not_before: float) -> None:
        """A miner's files, none of which is tried before that time."""
        cdn = self._cdns.setdefault(hotkey, _Cdn(len(self._cdns), self._limits.slots, not_before))
        for file in files:
            cdn.files += 1
            self._wait(cdn, file, not_before)
        self._queue(cdn)

    def start(self, now: float) -> File | None:
        """A file to be tried now; None where there is no slot, or nothing may be tried yet."""
        while (first := _first(self._later)) and first.next() <= now:
            heapq.heappop(self._later)
            place = (
                (first.under_way, first.set_aside, first.used),
                first.order,
                first.version,
                first,
            )
            heapq.heappush(self._ready, place)
        cdn = self._startable()
        if cdn is None:
            return None
        file = heapq.heappop(cdn.waiting)[2]
        self._waiting -= 1
        file.attempts += 1
        cdn.under_way += 1
        self._under_way += 1
        self._queue(cdn)
        return file

    def next(self) -> float:
        """The time from which `start` may have a file, if nothing ends before: infinity where it
        needs to."""
        if self._under_way >= self._limits.slots:
            return _NO_TIME
        cdn = self._startable() or _first(self._later)
        return cdn.next() if cdn else _NO_TIME

    def succeeded(self, file: File, seconds: float) -> list[File]:
        """A try has brought the file; its download took so long. The files that are given up,
        each with its reason."""
        cdn = self._ended(file, seconds)
        cdn.failures = 0
        cdn.at_once = min(cdn.at_once + 1, self._limits.slots)
        cdn.came += 1
        cdn.bringing += seconds
        given_up = self._give_up_slow(cdn)
        self._queue(cdn)
        return given_up

    def set_aside(self, file: File) -> None:
        """A try has ended, and said nothing of the file or its CDN: it isn't tried any more."""
        cdn = self._ended(file, 0.0)
        cdn.set_aside += 1
        self._queue(cdn)

    def failed(self, file: File, fault: MinerFault, began: float, now: float) -> list[File]:
        """A try that began then has failed now. The files that are given up for it, each with
        its reason."""
        cdn = self._ended(file, now - began)
        file.reason = str(fault)
        if isinstance(fault, TryLater):
            given_up = self._later_again(cdn, file, fault.after, began, now)
        else:
            given_up = self._refused(cdn, file, began, now)
        given_up += self._give_up_slow(cdn)
        self._queue(cdn)
        return given_up

    def _refused(self, cdn: _Cdn, file: File, began: float, now: float) -> list[File]:
        cdn.refused += now - began
        file.refusals += 1
        given_up = [file] if file.refusals >= self._limits.tries else []
        if not given_up:
            self._wait(cdn, file, now + self._limits.second_look)
        return given_up + (self._in_vain(cdn) if cdn.refused >= self._limits.patience else [])

    def _later_again(
        self, cdn: _Cdn, file: File, after: float | None, began: float, now: float
    ) -> list[File]:
        self._wait(cdn, file, now)
        cdn.lose(began, now)
        if not (
            cdn.failures and began < cdn.not_before
        ):  # else it was under way when the CDN failed: nothing new
            if cdn.lost >= self._limits.patience:
                return self._in_vain(cdn)
            cdn.failures += 1
        cdn.at_once = 1
        wait = after or min(_FIRST_WAIT * 2.0 ** min(cdn.failures - 1, 10), _LONGEST_WAIT)
        left = max(
            0.0, self._limits.patience - cdn.lost
        )  # a CDN that asks for more is tried once more at the end
        cdn.not_before = max(cdn.not_before, now + min(wait, left))
        cdn.lose(now, cdn.not_before)
        return []

    def _in_vain(self, cdn: _Cdn) -> list[File]:
        """All that waits for a CDN that has failed for too long."""
        last = next((file.reason for _, _, file in sorted(cdn.waiting) if file.reason), "it failed")
        patience = self._limits.patience
        return self._give_up(cdn, f"its CDN has kept {patience:.0f} s waiting in vain: {last}")

    def _give_up_slow(self, cdn: _Cdn) -> list[File]:
        """All that waits for a CDN that is slow and has used up its part of the time."""
        time, others = self._limits.slots * self._limits.patience, len(self._cdns) - 1
        if not others or not cdn.waiting or cdn.used <= max(time / (others + 1), cdn.looked_at):
            return []
        if cdn.order not in self._slow:
            paces = [each.pace for each in self._cdns.values() if each is not cdn and each.came]
            if not paces or cdn.used <= _SLOW * median_low(paces) * cdn.files:
                # The median of all is not taken again with every file.
                cdn.looked_at = 1.1 * cdn.used
                return []
            self._slow.add(cdn.order)
        part = time / len(self._slow)
        if cdn.used <= part:
            return []
        return self._give_up(cdn, cdn.is_slow(part))

    def _give_up(self, cdn: _Cdn, reason: str) -> list[File]:
        given_up = [file for _, _, file in sorted(cdn.waiting)]
        for file in given_up:
            file.reason = file.reason or reason
        self._waiting -= len(cdn.waiting)
        cdn.waiting.clear()
        return given_up

    def _wait(self, cdn: _Cdn, file: File, ready: float) -> None:
        self._entries += 1
        self._waiting += 1
        # The number keeps files of one time in order, and from being compared.
        heapq.heappush(cdn.waiting, (ready, self._entries, file))

    def _ended(self, file: File, seconds: float) -> _Cdn:
        cdn = self._cdns[file.hotkey]
        cdn.under_way -= 1
        cdn.used += seconds
        self._under_way -= 1
        return cdn

    def _queue(self, cdn: _Cdn) -> None:
        """Put a CDN where it belongs, after anything about it has changed."""
        cdn.version += 1
        if cdn.next() < _NO_TIME:
            heapq.heappush(self._later, (cdn.next(), cdn.order, cdn.version, cdn))
        self._failing.discard(cdn.order)
        self._going_on.discard(cdn.order)
        if cdn.waiting:
            (self._failing if cdn.failures else self._going_on).add(cdn.order)

    def _startable(self) -> _Cdn | None:
        """The first of those that may be tried now, if there is a slot for it."""
        cdn = _first(self._ready) if self._under_way < self._limits.slots else None
        if cdn is None or cdn.under_way < self._limits.most_of_one:
            return cdn
        others = len(self._going_on) - (cdn.order in self._going_on)
        return None if others else cdn


def _first(queue: list[tuple[_Q, int, int, _Cdn]]) -> _Cdn | None:
    """The first CDN in a queue, whose entries that are out of date are dropped."""
    while queue and queue[0][2] != queue[0][3].version:
        heapq.heappop(queue)
    return queue[0][3] if queue else None
