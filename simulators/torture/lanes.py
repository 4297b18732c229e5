"""A round by runs of the lanes, each a process, without Dagster: what is due is run, a run that
failed is run again; chain and people do their part.
"""

import json
import os
import subprocess
import sys
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.due import Due, due
from gen404_assets.competition.round import Round
from gen404_assets.competition.state import Stage
from simulators.torture import processes
from simulators.torture.acts import Acts, Played
from simulators.torture.faults import Fault, Faults, Kind
from simulators.torture.machine import Machine
from simulators.torture.prefork import BUG, FAULT
from simulators.torture.world import World

_LOOK = 0.1
_FIRST_DELAY, _LONGEST_DELAY = 0.3, 5.0
_REAP_EVERY = 15.0


class Forked:
    """The process that forks the runs."""

    def __init__(self, machine: Machine) -> None:
        command = [sys.executable, "-m", "simulators.torture.prefork"]
        environment = {**os.environ, **machine.environment}
        environment.pop("COMPETITION_REPO", None)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._ends: SimpleQueue[dict[str, int]] = SimpleQueue()
        self._pids: SimpleQueue[int] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._pids.get(timeout=600)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "ended" in message:
                self._ends.put(message)
            else:
                self._pids.put(message.get("pid") or message["ready"])

    def run(self, **request: Any) -> int:
        """Start a run; its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._pids.get(timeout=60)

    def ended(self) -> list[tuple[int, int]]:
        """(process id, exit code) of those that ended since."""
        ended = []
        try:
            while True:
                end = self._ends.get_nowait()
                ended.append((end["ended"], end["status"]))
        except Empty:
            return ended

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


class RoundByLanes:
    """One round of the world on the machine."""

    def __init__(self, world: World, machine: Machine, forked: Forked) -> None:
        self.world, self.machine, self.forked = world, machine, forked
        self.runs: dict[int, str] = {}
        self.played = Played()
        self._ready: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._head = ""
        self._current: Round | None = None
        self._known_due: tuple[tuple[str, int], Due] | None = None
        self.acts = Acts(world, machine, self._targets)
        self._reaped = 0.0
        self._log = machine.folder / "log"

    def play(self, plan: list[Fault], limit: float) -> Played:
        """Play round 0 to its end, disturbed as planned; at most `limit` seconds."""
        world = self.world
        world.reset()
        self.machine.wipe()
        self._log.write_text("")
        world.faults = Faults(plan, self.acts.act)
        began = time.monotonic()
        while time.monotonic() - began < limit and not self.played.over:
            self._step()
            time.sleep(_LOOK)
        ended = time.monotonic()
        self.played.seconds = ended - began
        self.played.met = list(world.faults.met)
        self.played.after = ended - max(began, world.faults.last_end)
        self._end()
        self.played.log = self._log.read_text(errors="replace")
        return self.played

    def _step(self) -> None:
        self._take_ended()
        self.acts.tick()
        if into := self.acts.to_sample():
            self._start("status", do="status", into=str(into))
        current = self._seen()
        if current.number > 0:
            self.played.over = not self.runs
            return
        now_due = self._due(current)
        for lane in Lane:
            if now_due.assets(lane) and not (lane is Lane.AUDITS and self._judging(now_due)):
                self._run(lane, now_due)
        if time.monotonic() - self._reaped > _REAP_EVERY and "reap" not in self.runs.values():
            self._reaped = time.monotonic()
            self._start("reap", do="reap")
        if current.state is not None and current.state.stage is Stage.DUELS:
            self.world.review(current)
        until = [wait.until for wait in now_due.waits if wait.until is not None]
        if until and not now_due.assets(Lane.COLLECTION):
            self.acts.reach(max(until))

    def _due(self, current: Round) -> Due:
        """What is due; asked anew when the head or the chain has moved."""
        seen = (self._head, self.world.node.finalized)
        if self._known_due is None or self._known_due[0] != seen:
            self._known_due = seen, due(current.files, seen[1])
        return self._known_due[1]

    def _judging(self, now_due: Due) -> bool:
        """Whether matches are being played. A verdict that comes meanwhile would decide which of
        them are: who is quicker must not make another result of the same answers."""
        return bool(now_due.assets(Lane.JUDGING)) or Lane.JUDGING.value in self.runs.values()

    def _seen(self) -> Round:
        head = (self.world.bare / "refs/heads/main").read_text()
        if head != self._head or self._current is None:
            self._current, self._head = self.world.seen(), head
        return self._current

    def _run(self, lane: Lane, now_due: Due) -> None:
        name = lane.value
        busy = set(self.runs.values())
        if name in busy or time.monotonic() < self._ready.get(name, 0.0):
            return
        run = {
            Lane.COLLECTION: "open" if now_due.stage is Stage.OPEN else "collect",
            Lane.JUDGING: "crown" if "winner" in now_due.assets(Lane.JUDGING) else "judge",
            Lane.BUILDS: "builds",
            Lane.BASELINE: "baseline",
            Lane.AUDITS: "audits",
            Lane.FINALIZING: "finalize",
        }[lane]
        self._start(name, do="lane", run=run, round=now_due.round)

    def _start(self, name: str, **request: Any) -> None:
        environment = {**self.world.environment, **self.machine.environment}
        pid = self.forked.run(environment=environment, log=str(self._log), **request)
        self.runs[pid] = name

    def _take_ended(self) -> None:
        for pid, code in self.forked.ended():
            name = self.runs.pop(pid, "")
            if code == BUG:
                self.played.bugs.append(name)
            failed = code != 0
            self._failures[name] = self._failures.get(name, 0) + 1 if failed else 0
            delay = min(_FIRST_DELAY * 2 ** self._failures[name], _LONGEST_DELAY)
            self._ready[name] = time.monotonic() + (delay if failed else 0.1)
            with self._log.open("a") as log:
                what = {0: "done", FAULT: "fault", BUG: "BUG"}.get(code, f"code {code}")
                log.write(f"--- {name} ({pid}) ended: {what}\n")

    def _targets(self, fault: Fault, port: int) -> list[int]:
        """The run that asks, or every run with all that it started."""
        with self._log.open("a") as log:
            log.write(f"--- {fault.as_json()}\n")
        mine = set(self.runs)
        if fault.kind is Kind.KILL_ALL:
            return [pid for leader in mine for pid in processes.session(leader)]
        asking = processes.ancestor(processes.owner_of(port), mine)
        return [asking] if asking else []

    def _end(self) -> None:
        """No run is left, whatever it does."""
        self.played.statuses, self.played.kills = self.acts.statuses(), self.acts.kills
        for leader in list(self.runs):
            processes.kill_all(processes.session(leader))
        until = time.monotonic() + 10
        while self.runs and time.monotonic() < until:
            self._take_ended()
            time.sleep(0.02)
        self.machine.free()
