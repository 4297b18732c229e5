"""The vocabulary of disturbances, and the switchboard that has each happen at its moment.

A disturbance is met by a request: the n-th of one adapter, or the n-th that has an effect (a push,
a put, a start or an end of a pod, a question). So the same plan disturbs the same moment each time.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What may happen."""

    HANG = "hang"  # no answer until the connection is closed
    SLOW = "slow"  # the answer comes, late
    ERROR = "5xx"
    RESET = "reset"  # the connection is reset without an answer
    GARBAGE = "garbage"  # a 200 with a page that is no answer
    KILL = "kill"  # SIGKILL of the process that asks
    KILL_ALL = "kill all"  # SIGKILL of every process of the platform
    REFUSED = "refused push"
    TOKEN = "token rejected"
    REWRITTEN = "rewritten by force"  # the branch goes back by one commit
    STALL = "chain stalls"
    JUMP = "chain jumps"
    OLD_HEAD = "old head"
    DISK_FULL = "disk full"
    CLOCK_BACK = "clock back"
    CLOCK_FORTH = "clock forth"
    SERVICE_KILLED = "service killed"  # the store's server dies, and is started again
    KILL_ROLE = "kill of a process"  # of Dagster's, by name; `role` says which


NETWORK = (Kind.HANG, Kind.SLOW, Kind.ERROR, Kind.RESET, Kind.GARBAGE)
"""What a server or the way to it may do to a request."""

WITH_EFFECTS = ("git", "store", "judge", "provider", "container")
"""The adapters by which something happens outside."""

KINDS: dict[str, tuple[Kind, ...]] = {
    "git": (*NETWORK, Kind.REFUSED, Kind.TOKEN, Kind.REWRITTEN),
    "store": (*NETWORK, Kind.SERVICE_KILLED),
    "judge": NETWORK,
    "chain": (
        *(Kind.HANG, Kind.SLOW, Kind.RESET, Kind.GARBAGE),
        *(Kind.STALL, Kind.JUMP, Kind.OLD_HEAD),
    ),
    "provider": NETWORK,
    "builds": NETWORK,
    "renderer": NETWORK,
    "distance": NETWORK,
    "prompts": NETWORK,
    # Other bytes from a miner's CDN or container would be another answer, not a disturbance.
    "cdn": (Kind.HANG, Kind.SLOW, Kind.ERROR, Kind.RESET),
    "container": (Kind.HANG, Kind.SLOW, Kind.ERROR, Kind.RESET),
}
"""What may happen to each adapter."""

KILLS = (Kind.KILL, Kind.KILL_ALL, Kind.KILL_ROLE)
MACHINE = (Kind.KILL_ALL, Kind.DISK_FULL, Kind.CLOCK_BACK, Kind.CLOCK_FORTH)
"""What may happen to the platform's own machine."""

PODS = 2
"""Pods that a miner may have, and so attempts at a file, since none has the same prompt twice. One
without any answer has failed, which would be another result.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One disturbance: `kind`, at request number `at` (from 1) of `adapter`, or at its effect of
    that number if `effect`.

    `after`: what was asked for comes about, and its answer is lost. `seconds`: how long it lasts;
    further requests of the adapter meet it too; a kill comes that much later, whatever is done
    then. `role` names a process for KILL_ROLE.
    """

    adapter: str
    kind: Kind
    at: int
    effect: bool = False
    after: bool = False
    seconds: float = 0.0
    role: str = ""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Fault":
        """The disturbance of a record."""
        return cls(**{**record, "kind": Kind(record["kind"])})

    def as_json(self) -> dict[str, Any]:
        """For the record."""
        return {key: value for key, value in asdict(self).items() if value or key == "at"}


@dataclass(slots=True)
class Met:
    """A disturbance that happened: when, by the monotonic clock, it began and ended."""

    fault: Fault
    began: float
    until: float
    requests: int = 1


@dataclass
class Faults:
    """The disturbances of one round. `act` has done what no single request can show (SIGKILL, disk,
    clock, chain); it is called without a lock, once a fault, with the sender's port.
    """

    plan: Sequence[Fault] = ()
    act: Callable[[Fault, int], None] = lambda _fault, _port: None
    counts: Counter[tuple[str, bool]] = field(default_factory=Counter)
    met: list[Met] = field(default_factory=list)
    spoilt: Counter[str] = field(default_factory=Counter)
    """What was attempted -> how many attempts had no answer."""
    _active: dict[str, Met] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def meet(self, adapter: str, *, effect: bool, port: int, attempt: str = "") -> Met | None:
        """The disturbance that a request meets, if any. `attempt` says what it is an attempt at,
        where these are numbered: the last is not kept from its answer.
        """
        with self._lock:
            self.counts[adapter, False] += 1
            self.counts[adapter, True] += effect
            now = time.monotonic()
            is_last = bool(attempt) and self.spoilt[attempt] >= PODS - 1
            fault = next((each for each in self.plan if self._begins(each, adapter, effect)), None)
            if is_last and (fault is None or fault.kind in NETWORK):
                return None
            if fault is None:
                met = self._lasting(adapter, now)
            else:
                met = Met(fault, now, now + fault.seconds)
                self.met.append(met)
                if fault.kind in NETWORK or fault.kind in {Kind.REFUSED, Kind.TOKEN}:
                    self._active[adapter] = met
            self.spoilt[attempt] += met is not None
        if fault is not None and fault.kind not in NETWORK:
            self.act(fault, port)
        return met

    def _begins(self, fault: Fault, adapter: str, effect: bool) -> bool:
        if fault.adapter != adapter or (fault.effect and not effect):
            return False
        return self.counts[adapter, fault.effect] == fault.at and all(
            met.fault is not fault for met in self.met
        )

    def _lasting(self, adapter: str, now: float) -> Met | None:
        met = self._active.get(adapter)
        if met is None or now >= met.until:
            return None
        met.requests += 1
        return met

    @property
    def last_end(self) -> float:
        """When the last disturbance ended, by the monotonic clock; 0 before the first."""
        return max((met.until for met in self.met), default=0.0)


def drawn(
    rng: random.Random, count: int, counts: "Counter[tuple[str, bool]]", longest: float
) -> list[Fault]:
    """So many disturbances at random, at requests of which an undisturbed round has `counts`."""
    faults = []
    adapters = sorted(adapter for adapter, effect in counts if not effect)
    for _ in range(count):
        adapter = rng.choice([name for name in adapters if name in KINDS])
        kind = rng.choice([*KINDS[adapter], *KINDS[adapter], *MACHINE, Kind.KILL, Kind.KILL])
        effect = counts[adapter, True] > 0 and rng.random() < 0.6
        if kind is Kind.REFUSED:
            effect = True
        at = rng.randint(1, counts[adapter, effect])
        seconds = round(rng.uniform(0.5, longest), 1)
        if kind in KILLS:
            seconds = rng.choice([0.0, round(rng.uniform(0.01, 0.5), 2)])
        faults.append(Fault(adapter, kind, at, effect, rng.random() < 0.5, seconds))
    return faults


def each_effect(counts: "Counter[tuple[str, bool]]", kind: Kind = Kind.KILL) -> list[Fault]:
    """The disturbance before and after every effect of an undisturbed round, one by one."""
    return [
        Fault(adapter, kind, at, effect=True, after=after)
        for (adapter, effect), count in sorted(counts.items())
        if effect
        for at in range(1, count + 1)
        for after in (False, True)
    ]
