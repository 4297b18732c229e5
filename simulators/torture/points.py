"""Points: rounds that are disturbed, compared with the same round undisturbed, and recorded."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulators.torture.acts import Played
from simulators.torture.ending import Ending, differences, ending_of
from simulators.torture.faults import KILLS, Fault, Kind, Met
from simulators.torture.lanes import Forked, RoundByLanes
from simulators.torture.machine import Machine
from simulators.torture.platform import RoundByPlatform
from simulators.torture.world import World

GOES_ON_WITHIN = 120.0
"""Seconds from the end of the last disturbance within which a round goes on by itself: it ends no
later than that beyond what an undisturbed one takes."""

_SHOWN = 3000  # characters of the runs' log that a record of a fall holds

# What `gen404 status` must say for an outage of each adapter to have been seen.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "git": ("git ", "fetch", "publish"),
    "store": ("object store",),
    "judge": ("judge",),
    "chain": ("chain",),
    "provider": ("targon", "verda", "pod"),
    "builds": ("GitHub", "build"),
    "renderer": ("no picture", "render"),
    "distance": ("distance",),
    "cdn": ("CDN", "files"),
    "prompts": ("picture",),
    "container": ("container", "pod"),
}


@dataclass(frozen=True, slots=True)
class Whole:
    """The undisturbed round: how it ends, what it asks of each adapter, and how long it takes."""

    ending: Ending
    counts: "Counter[tuple[str, bool]]"
    seconds: float


class Bench:
    """A world and a machine on which points are run, one after another."""

    def __init__(self, world: World, machine: Machine, forked: Forked | None) -> None:
        self.world, self.machine, self.forked = world, machine, forked
        self.whole = self._undisturbed()

    def _round(self) -> RoundByLanes | RoundByPlatform:
        if self.forked is None:
            return RoundByPlatform(self.world, self.machine)
        return RoundByLanes(self.world, self.machine, self.forked)

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, *, platform: bool = False) -> "Iterator[Bench]":
        """With everything running, in a folder of its own; rounds are played by runs of the lanes,
        or by the whole `platform`."""
        with (
            World(folder / "world").running() as world,
            Machine(folder / "machine").running() as machine,
        ):
            if platform:
                yield cls(world, machine, None)
                return
            forked = Forked(machine)
            try:
                yield cls(world, machine, forked)
            finally:
                forked.close()

    def _undisturbed(self) -> Whole:
        played = self._round().play([], 1200)
        if not played.over or played.bugs:
            raise AssertionError(f"the undisturbed round does not end: {played.log[-_SHOWN:]}")
        counts = Counter(self.world.faults.counts)
        return Whole(ending_of(self.world), counts, played.seconds)

    def run(self, plan: Sequence[Fault]) -> dict[str, Any]:
        """Play a round with these disturbances; its record, where `fell` says what did not hold."""
        able = [fault for fault in plan if self._possible(fault)]
        limit = 2 * self.whole.seconds + GOES_ON_WITHIN + sum(fault.seconds for fault in able)
        played = self._round().play(able, limit)
        fell = self._fallen(played)
        record: dict[str, Any] = {
            "plan": [fault.as_json() for fault in plan],
            "met": [_as_json(met) for met in played.met],
            "kills": played.kills,
            "seconds": round(played.seconds, 1),
            "after": round(played.after, 1),
            "unseen": unseen(played.statuses),
            "statuses": played.statuses,
            "fell": fell,
        }
        if fell:
            record["log"] = played.log[-_SHOWN:]
        return record

    def _possible(self, fault: Fault) -> bool:
        if fault.kind is Kind.DISK_FULL:
            return self.machine.has_disk
        if fault.kind in {Kind.CLOCK_BACK, Kind.CLOCK_FORTH}:
            return self.machine.has_clock
        return True

    def _fallen(self, played: Played) -> list[str]:
        fell = []
        if not played.over:
            fell.append(f"the round is not over after {played.seconds:.0f} s")
        else:
            fell += differences(self.whole.ending, ending_of(self.world))
        if played.after > self.whole.seconds + GOES_ON_WITHIN:
            fell.append(f"it went on too late: {played.after:.0f} s after the last disturbance")
        fell += [f"a run of {name} ended as a bug" for name in played.bugs]
        if again := self.world.judge.asked_again:
            fell.append(f"{len(again)} questions were asked although their answers were kept")
        if left := sorted(each["name"] for each in self.world.cloud.deployments.values()):
            fell.append(f"pods are left: {', '.join(left)}")
        return fell


def unseen(statuses: Iterable[Mapping[str, Any]]) -> list[str]:
    """The adapters whose outage, which a request had met, `gen404 status` did not show."""
    adapters = []
    for sample in statuses:
        fault = sample["fault"]
        adapter = fault["adapter"]
        if fault["kind"] not in {Kind.ERROR, Kind.RESET, Kind.GARBAGE, Kind.REFUSED, Kind.TOKEN}:
            continue  # of a hang shorter than the deadline nobody can know
        output = str(sample["output"])
        if not any(word in output for word in _WORDS.get(adapter, ())):
            adapters.append(adapter)
    return adapters


def record(into: Path, entry: Mapping[str, Any]) -> None:
    """Add a line to the record of points."""
    with into.open("a") as file:
        file.write(json.dumps(entry, default=str) + "\n")


@dataclass(slots=True)
class Summary:
    """What was counted over the points of a record."""

    points: int
    kills: int
    by_adapter: "Counter[tuple[str, str]]"
    fallen: list[dict[str, Any]]
    unseen: "Counter[str]"

    @classmethod
    def from_entries(cls, entries: Iterable[Mapping[str, Any]]) -> "Summary":
        summary = cls(0, 0, Counter(), [], Counter())
        for entry in entries:
            summary.points += 1
            summary.kills += entry["kills"]
            for met in entry["met"]:
                summary.by_adapter[met["adapter"], met["kind"]] += 1
            summary.unseen.update(entry["unseen"])
            if entry["fell"]:
                summary.fallen.append(dict(entry))
        return summary

    def text(self) -> str:
        """For a person."""
        lines = [f"{self.points} points, {self.kills} kills, {len(self.fallen)} points fell"]
        kinds = sorted({kind for _, kind in self.by_adapter})
        for adapter in sorted({name for name, _ in self.by_adapter}):
            parts = [
                f"{kind} {self.by_adapter[adapter, kind]}"
                for kind in kinds
                if self.by_adapter[adapter, kind]
            ]
            lines.append(f"  {adapter}: {', '.join(parts)}")
        if self.unseen:
            parts = [f"{name} {count}" for name, count in sorted(self.unseen.items())]
            lines.append(f"  outages that `gen404 status` did not show: {', '.join(parts)}")
        for entry in self.fallen:
            lines.append(f"  point {entry.get('point')} (seed {entry.get('seed')}):")
            lines += [f"    {what[:400]}" for what in entry["fell"][:6]]
        return "\n".join(lines)


def read(path: Path) -> list[dict[str, Any]]:
    """The entries of a record."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def _as_json(met: Met) -> dict[str, Any]:
    return {
        "adapter": met.fault.adapter,
        "kind": met.fault.kind.value,
        "requests": met.requests,
        "killed": met.fault.kind in KILLS,
    }


def now() -> float:
    """Seconds of the monotonic clock, by which points are stopped."""
    return time.monotonic()
