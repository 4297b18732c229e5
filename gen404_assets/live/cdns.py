"""Which file is fetched next, when a CDN that fails is asked again, and when it is given up. No
I/O, no clock."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from gen404_assets.competition.faults import MinerFault, TryLater

_FIRST_WAIT, _LONGEST_WAIT = 5.0, 300.0
_NO_TIME = float("inf")


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


@dataclass(slots=True)
class _Cdn:
    """One miner's CDN: its files that wait, how many may be fetched at once, and what it has
    cost in vain."""

    order: int
    at_once: int
    not_before: float
    waiting: list[tuple[float, int, File]] = field(default_factory=list)
    under_way: int = 0
    failures: int = 0
    """In a row, those that ended while others were under way left out."""
    refused: float = 0.0
    """Seconds of downloads that ended with an answer that is no file."""
    lost: float = 0.0
    """Seconds that it kept us waiting, or working until it failed; at any moment one, however
    many files waited."""
    lost_until: float = 0.0
    """Time that is counted in `lost` already."""

    def next(self) -> float:
        """When a file of it may be tried."""
        if not self.waiting or self.under_way >= self.at_once:
            return _NO_TIME
        return max(self.not_before, self.waiting[0][0])

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
    - Of those that can be tried, the CDN with the fewest downloads under way comes first: none
      takes all the slots.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._cdns: dict[str, _Cdn] = {}
        self._entries = 0
        self._under_way = 0

    def __len__(self) -> int:
        """How many files wait; those under way aren't counted."""
        return sum(len(cdn.waiting) for cdn in self._cdns.values())

    @property
    def failing(self) -> int:
        """How many CDNs failed when last tried, and are waited for."""
        return sum(bool(cdn.failures and cdn.waiting) for cdn in self._cdns.values())

    def add(self, hotkey: str, files: Iterable[File], not_before: float) -> None:
        """A miner's files, none of which is tried before that time."""
        cdn = self._cdns.setdefault(hotkey, _Cdn(len(self._cdns), self._limits.slots, not_before))
        for file in files:
            self._wait(cdn, file, not_before)

    def start(self, now: float) -> File | None:
        """A file to be tried now; None where there is no slot, or nothing may be tried yet."""
        if self._under_way >= self._limits.slots:
            return None
        ready = (cdn for cdn in self._cdns.values() if cdn.next() <= now)
        cdn = min(ready, key=lambda cdn: (cdn.under_way, cdn.next(), cdn.order), default=None)
        if cdn is None:
            return None
        file = heapq.heappop(cdn.waiting)[2]
        file.attempts += 1
        cdn.under_way += 1
        self._under_way += 1
        return file

    def next(self) -> float:
        """The time from which `start` may have a file, if nothing ends before: infinity where it
        needs to."""
        if self._under_way >= self._limits.slots:
            return _NO_TIME
        return min((cdn.next() for cdn in self._cdns.values()), default=_NO_TIME)

    def succeeded(self, file: File) -> None:
        """A try has brought the file."""
        cdn = self._ended(file)
        cdn.failures = 0
        cdn.at_once = min(cdn.at_once + 1, self._limits.slots)

    def failed(self, file: File, fault: MinerFault, began: float, now: float) -> list[File]:
        """A try that began then has failed now. The files that are given up for it, each with
        its reason."""
        cdn = self._ended(file)
        file.reason = str(fault)
        if isinstance(fault, TryLater):
            return self._later(cdn, file, fault.after, (began, now))
        cdn.refused += now - began
        file.refusals += 1
        given_up = [file] if file.refusals >= self._limits.tries else []
        if not given_up:
            self._wait(cdn, file, now + self._limits.second_look)
        return given_up + (self._give_up(cdn) if cdn.refused >= self._limits.patience else [])

    def _later(
        self, cdn: _Cdn, file: File, after: float | None, tried: tuple[float, float]
    ) -> list[File]:
        began, now = tried
        self._wait(cdn, file, now)
        cdn.lose(began, now)
        if not (
            cdn.failures and began < cdn.not_before
        ):  # else it was under way when the CDN failed: nothing new
            if cdn.lost >= self._limits.patience:
                return self._give_up(cdn)
            cdn.failures += 1
        cdn.at_once = 1
        wait = after or min(_FIRST_WAIT * 2.0 ** min(cdn.failures - 1, 10), _LONGEST_WAIT)
        left = max(
            0.0, self._limits.patience - cdn.lost
        )  # a CDN that asks for more is tried once more at the end
        cdn.not_before = max(cdn.not_before, now + min(wait, left))
        cdn.lose(now, cdn.not_before)
        return []

    def _give_up(self, cdn: _Cdn) -> list[File]:
        """All that waits."""
        given_up = [file for _, _, file in sorted(cdn.waiting)]
        last = next((file.reason for file in given_up if file.reason), "it failed")
        for file in given_up:
            file.reason = (
                file.reason
                or f"its CDN has kept {self._limits.patience:.0f} s waiting in vain: {last}"
            )
        cdn.waiting.clear()
        return given_up

    def _wait(self, cdn: _Cdn, file: File, ready: float) -> None:
        self._entries += 1
        heapq.heappush(cdn.waiting, (ready, self._entries, file))

    def _ended(self, file: File) -> _Cdn:
        cdn = self._cdns[file.hotkey]
        cdn.under_way -= 1
        self._under_way -= 1
        return cdn
