"""Workers of several machines that work in one lane, and are killed at random: whether two were
ever in it at once, and how long a dead one's lane stayed empty.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from resources.claims import Claims

LANE = "lanes/judging"
_WORKS_SECONDS = 0.02
_EXITING = 0x4
"""PF_EXITING of the kernel's flags of a process (linux/sched.h)."""


@dataclass
class LaneWorkers:
    """`count` processes, each with a connection of its own; `claims` opens it in the process.

    Whoever is in the lane says so in the file `inside` of `folder`; one who finds there another
    that lives writes to `two at once`.
    """

    folder: Path
    claims: Callable[[], Claims]
    count: int
    seed: int = 1
    _pids: list[int] = field(default_factory=list)

    def run(self, kills: int, between: float) -> list[float]:
        """Kill a worker `kills` times, every `between` seconds or so, and start another. For each
        kill, how many seconds later the lane was in use.
        """
        chance = random.Random(self.seed)
        self._pids = [self._start(number) for number in range(self.count)]
        delays = []
        try:
            self._used_after(0)
            for _ in range(kills):
                time.sleep(between * chance.random())
                victim = self._inside() if chance.random() < 0.7 else None
                number = self._pids.index(victim) if victim in self._pids else 0
                self._kill(number)
                delays.append(self._used_after(self._entries()))
                self._pids[number] = self._start(number)
        finally:
            for number in range(len(self._pids)):
                self._kill(number)
        return delays

    def two_at_once(self) -> str:
        """What workers said who were not alone."""
        path = self.folder / "two at once"
        return path.read_text() if path.exists() else ""

    def _kill(self, number: int) -> None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pids[number], signal.SIGKILL)
            os.waitpid(self._pids[number], 0)

    def _used_after(self, entries: int) -> float:
        """Seconds until the lane has been entered once more."""
        start = time.monotonic()
        while self._entries() <= entries:
            time.sleep(0.01)
        return time.monotonic() - start

    def _entries(self) -> int:
        path = self.folder / "entries"
        return path.stat().st_size if path.exists() else 0

    def _inside(self) -> int | None:
        try:
            return int((self.folder / "inside").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _start(self, number: int) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            chance, claims = random.Random(number), self.claims()
            while True:
                with claims.hold(LANE, seconds=1) as held:
                    if held:
                        self._work()
                time.sleep(_WORKS_SECONDS * chance.random())
        finally:
            os._exit(1)

    def _work(self) -> None:
        """Be in the lane for a moment."""
        other = self._inside()
        if other is not None and other != os.getpid() and _lives(other):
            with (self.folder / "two at once").open("a") as file:
                file.write(f"{os.getpid()} met {other}\n")
        (self.folder / "inside").write_text(str(os.getpid()))
        with (self.folder / "entries").open("ab", 0) as file:
            file.write(b".")
        time.sleep(_WORKS_SECONDS)
        (self.folder / "inside").unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    """Whether a process can still do anything: it is neither ended nor ending. A process that was
    killed gives up what it holds a little before it is seen to have ended.
    """
    try:
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    flags = int(numbers[5])  # proc(5): the ninth field of all
    return state not in {"Z", "X"} and not flags & _EXITING
