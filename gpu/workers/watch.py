"""What a worker on a GPU takes of memory and of the processor, looked at from outside.

The kernel's limits don't hold it there: memory that is shared and has no file counts for none of
them but that on addresses, which a driver reserves without end; and the limit on seconds of CPU is
of a process, not of a file.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gpu.workers.sandbox import CPU_SECONDS, MEMORY

_SECONDS = 0.05  # between two looks; what it takes beyond its memory until then, it has for so long
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Use:
    """Bytes in memory or swapped out, and seconds of CPU of all threads."""

    memory: int
    cpu: float


def use_of(process: int) -> Use | None:
    """What a process uses; None where that can't be seen, as of one that has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        _, _, numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")
    except OSError:
        return None
    kib = sum(int(line.split()[1]) for line in lines if line.startswith(("VmRSS:", "VmSwap:")))
    # proc(5), stat: utime and stime.
    return Use(kib * 1024, sum(map(int, numbers.split()[11:13])) / _TICKS)


class Watch:
    """Looks at a worker until `stop`, and has `end` end it once it takes more than a file may."""

    def __init__(self, process: int, end: Callable[[], None]) -> None:
        self.out_of_memory = self.out_of_time = False
        self._process, self._end = process, end
        self._first = self._file = use_of(process) or Use(0, 0.0)
        self._stopped = threading.Event()
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether it was ended."""
        return self.out_of_memory or self.out_of_time

    def begin(self) -> None:
        """The next file's seconds count from now."""
        self._file = use_of(self._process) or self._file

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _look(self) -> None:
        while not self._stopped.wait(_SECONDS):
            use = use_of(self._process)
            if use is None:
                return
            self.out_of_memory = use.memory > self._first.memory + MEMORY
            self.out_of_time = use.cpu > self._file.cpu + CPU_SECONDS
            if self.over:
                self._end()
                return
