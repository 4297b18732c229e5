"""A round by the platform as an operator starts it: `gen404 up` with all of Dagster's processes.

Its outside is the same world.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.due import due
from gen404_assets.competition.round import Round
from gen404_assets.competition.state import Stage
from resources.ports import free_ports
from simulators.torture import processes
from simulators.torture.acts import Acts, Played
from simulators.torture.faults import Fault, Faults, Kind
from simulators.torture.machine import Machine
from simulators.torture.world import World

_LOOK = 0.5
_STOP = 90.0
_COMMAND = [sys.executable, "-m", "gen404_assets.commands.cli"]

ROLES: dict[str, tuple[str, ...]] = {
    "run worker": ("multiprocessing.forkserver", "execute_run"),
    "code server": ("commands.code_server", "code-server"),
    "daemon": ("_daemon", "dagster-daemon"),
    "webserver": ("commands.webserver", "dagster-webserver"),
    "dagster dev": ("dagster dev",),
}
"""The platform's processes, by words of their command lines."""


class RoundByPlatform:
    """One round of the world by `gen404 up` on the machine."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world, self.machine = world, machine
        self.played = Played()
        self.acts = Acts(world, machine, self._targets)
        self._head = ""
        self._current: Round | None = None
        self._samples: list[subprocess.Popen[bytes]] = []
        self._log = machine.folder / "up.log"

    @property
    def environment(self) -> dict[str, str]:
        """As the operator's shell has it."""
        return {**os.environ, **self.world.environment, **self.machine.environment}

    def play(self, plan: Sequence[Fault], limit: float) -> Played:
        """Play round 0 to its end, disturbed as planned; at most `limit` seconds."""
        world = self.world
        world.reset()
        self.machine.wipe()
        world.faults = Faults(plan, self.acts.act)
        began = time.monotonic()
        with self._log.open("wb") as log:
            port = str(free_ports(1)[0])
            up = subprocess.Popen(
                [*_COMMAND, "up", "--port", port],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            while time.monotonic() - began < limit and not self.played.over:
                self._step()
                time.sleep(_LOOK)
                if up.poll() is not None:
                    self.played.bugs.append("gen404 up, which ended by itself")
                    break
            ended = time.monotonic()
            self.played.seconds = ended - began
            self.played.met = list(world.faults.met)
            self.played.after = ended - max(began, world.faults.last_end)
        finally:
            self._end(up)
        return self.played

    def _step(self) -> None:
        self.acts.tick()
        if into := self.acts.to_sample():
            with into.open("wb") as file:
                command = [*_COMMAND, "status", "--json"]
                self._samples.append(
                    subprocess.Popen(command, env=self.environment, stdout=file, stderr=file)
                )
        current = self._seen()
        if current.number > 0:
            self.played.over = True
            return
        now_due = due(current.files, self.world.node.finalized)
        # A verdict that comes while matches are played would decide which of them are.
        self.world.pods.audits_may_begin = not set(now_due.assets(Lane.JUDGING)) - {
            "winner",
            "state",
        }
        if current.state is not None and current.state.stage is Stage.DUELS:
            self.world.review(current)
        until = [wait.until for wait in now_due.waits if wait.until is not None]
        if until and not now_due.assets(Lane.COLLECTION):
            self.acts.reach(max(until))

    def _seen(self) -> Round:
        head = (self.world.bare / "refs/heads/main").read_text()
        if head != self._head or self._current is None:
            self._current, self._head = self.world.seen(), head
        return self._current

    def _processes(self) -> dict[int, str]:
        """The platform's processes with their command lines."""
        lines = {}
        home = f"GEN404_HOME={self.machine.home}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if home in (entry / "environ").read_bytes():
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    lines[int(entry.name)] = line
        return lines

    def _targets(self, fault: Fault, port: int) -> list[int]:
        mine = self._processes()
        if fault.kind is Kind.KILL:
            chosen = {pid for pid in mine if "python" in mine[pid] and "git" not in mine[pid]}
            asking = processes.ancestor(processes.owner_of(port), chosen)
            return [asking] if asking else []
        words = ROLES[fault.role or "run worker"] + (() if fault.role else ROLES["code server"])
        return [pid for pid, line in mine.items() if any(word in line for word in words)]

    def _end(self, up: "subprocess.Popen[bytes]") -> None:
        for sample in self._samples:
            with suppress(subprocess.TimeoutExpired):
                sample.wait(60)
            sample.kill()
            sample.wait()
        if up.poll() is None:
            os.killpg(up.pid, signal.SIGINT)
        try:
            up.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.played.bugs.append("gen404 up, which does not end")
        processes.kill_all(self._processes())
        up.wait()
        self.machine.free()
        self.played.statuses, self.played.kills = self.acts.statuses(), self.acts.kills
        self.played.log = self._log.read_text(errors="replace") + self._dagster_log()

    def _dagster_log(self) -> str:
        path = self.machine.home / "home" / "dagster.log"
        return path.read_text(errors="replace")[-20000:] if path.exists() else ""
