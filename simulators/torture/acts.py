"""What a disturbance does besides to the request that meets it; and what came of a round."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from simulators.torture import processes
from simulators.torture.faults import KILLS, Fault, Kind, Met
from simulators.torture.machine import Machine
from simulators.torture.world import World

_SAMPLED_FROM = 4.0
"""Seconds: an outage as long as this is looked for in `gen404 status`."""

_BACK = 700  # blocks by which a stale node lags
_JUMP = 40


@dataclass(slots=True)
class Played:
    """How a round was played: `over` whether it ended in time, after `seconds`."""

    over: bool = False
    seconds: float = 0.0
    kills: int = 0
    bugs: list[str] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    after: float = 0.0
    """Seconds from the end of the last disturbance to the end of the round."""
    met: list[Met] = field(default_factory=list)
    log: str = ""


class Acts:
    """The disturbances of chain, machine, people and processes, and the chain's course.

    `targets` has the processes that a fault kills, given the port of who asked.
    """

    def __init__(
        self, world: World, machine: Machine, targets: Callable[[Fault, int], list[int]]
    ) -> None:
        self.world, self.machine, self.kills = world, machine, 0
        self.height = 0
        self._targets = targets
        self._chain: Met | None = None
        self._sampled: list[Met] = []

    def act(self, fault: Fault, port: int) -> None:
        """Do it."""
        later: Callable[[], object] | None = None
        match fault.kind:
            case Kind.KILL | Kind.KILL_ALL | Kind.KILL_ROLE:
                pids = self._targets(fault, port)
                self.kills += bool(pids)
                later = partial(processes.kill_all, pids)
            case Kind.STALL | Kind.OLD_HEAD:
                self._chain = self.world.faults.met[-1]
            case Kind.JUMP:
                self.height += _JUMP
            case Kind.REWRITTEN:
                self.world.go_back()
            case Kind.SERVICE_KILLED:
                self.world.store.server.stop()
                later = self.world.store.server.start
            case Kind.DISK_FULL:
                self.machine.fill()
                later = self.machine.free
            case Kind.CLOCK_BACK | Kind.CLOCK_FORTH:
                self.machine.set_clock("-" if fault.kind is Kind.CLOCK_BACK else "+")
                later = self._right_clock
        if later is not None and not fault.seconds:
            later()
        elif later is not None:
            timer = threading.Timer(fault.seconds, later)
            timer.daemon = True
            timer.start()

    def _right_clock(self) -> None:
        self.machine.set_clock("")

    def reach(self, block: int) -> None:
        """The chain has come to a block, whatever its node says."""
        self.height = max(self.height, block)

    def tick(self) -> None:
        """Have the node say what it says now."""
        met, node = self._chain, self.world.node
        if met is None or time.monotonic() >= met.until:
            self._chain = None
            node.finalized = self.height
        elif met.fault.kind is Kind.OLD_HEAD:
            node.finalized = max(0, self.height - _BACK)

    def to_sample(self) -> Path | None:
        """Where `gen404 status` is to be written now: once in each outage that lasts."""
        for met in list(self.world.faults.met):
            lasts = met.fault.seconds >= _SAMPLED_FROM and met.fault.kind not in KILLS
            late = time.monotonic() > met.began + 0.75 * met.fault.seconds
            if lasts and late and not any(met is each for each in self._sampled):
                self._sampled.append(met)
                into = self._status(len(self._sampled))
                into.unlink(missing_ok=True)
                return into
        return None

    def _status(self, number: int) -> Path:
        return self.machine.folder / f"status-{number}.json"

    def statuses(self) -> list[dict[str, Any]]:
        """What `gen404 status` said in each outage."""
        samples = []
        for number, met in enumerate(self._sampled, 1):
            into = self._status(number)
            output = into.read_text(errors="replace") if into.exists() else ""
            sample = {"fault": met.fault.as_json(), "requests": met.requests, "output": output}
            samples.append(sample)
        return samples
