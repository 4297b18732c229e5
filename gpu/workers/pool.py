"""The pool of workers: how many there are at a time, what is made of their answers, and whether a
file or the machine was at fault when one gives none.
"""

import logging
import os
import stat
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from gpu.faults import Refused, RendererDown
from gpu.formats import FILE_BYTES, KINDS, format_of
from gpu.workers import answers
from gpu.workers.answers import Answer, Nonsense
from gpu.workers.memory import free_memory
from gpu.workers.process import Died, Late, Worker
from gpu.workers.sandbox import CPU_SECONDS, MEMORY
from gpu.workers.supply import Supply, Terms

# A file has its seconds of CPU (CPU_SECONDS). One that takes longer than this by the clock sleeps,
# or has been slowed down by the machine.
WALL_SECONDS = 60.0
WAIT_SECONDS = 300.0  # for a worker to be free
WORKERS_PER_GPU = 8
"""At most; each has the driver's and torch's memory on the GPU for itself."""
_TRIES = 2
"""Workers that see a file: the first may have ended for a reason of this machine's."""
_SLOWER = 4.0  # so much less time than any file has, a file of our own takes on a GPU that works
_TOO_MUCH = f"it takes more than {MEMORY // 2**20:,} MiB of memory to show the file"
_USUAL = Terms()
_LOG = logging.getLogger(__name__)


class _NoAnswer(Exception):
    """A worker gave no picture, and no reason that would be believed; the message says how."""


class _TooLate(_NoAnswer):
    """It took too long by the clock."""


class Pool:
    """Worker processes that draw miners' files. Threads may share it; close it when done.

    On the CPU each file has a worker of its own. On a GPU, where a worker takes seconds to start,
    one draws the files of a batch, such as those of one miner, and no others. All workers together
    take at most `memory` bytes (None: three quarters of what is free).
    """

    def __init__(
        self,
        workers: int | None = None,
        environment: Mapping[str, str] = os.environ,
        terms: Terms = _USUAL,
        memory: int | None = None,
    ) -> None:
        fitting = max((free_memory() * 3 // 4 if memory is None else memory) // MEMORY, 1)
        self.size = min(workers or _workers(), fitting)
        self._free = threading.BoundedSemaphore(self.size)
        self._supply = Supply(environment, terms)

    def render(self, file: Path | int, kind: str, batch: str | None = None) -> bytes:
        """The PNG of a file (a path, or an open descriptor) of a kind (`gpu.formats`). `batch` says
        whose files may share a worker; without one, the file shares it with none.

        Raises Refused where the file is at fault, and RendererDown where the renderer is. A file is
        at fault if it uses up its CPU time or memory, or if two workers end at it, sleep, or can't
        draw it, and another then draws a file of our own.
        """
        if not isinstance(file, int):
            try:
                # A named pipe would be waited for.
                descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                raise RendererDown(f"the file can't be opened: {error.strerror}") from error
            try:
                return self.render(descriptor, kind, batch)
            finally:
                os.close(descriptor)
        _check_size(file)
        self._check_splats(kind)
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise RendererDown("all workers are busy")
        try:
            return self._render(file, kind, batch)
        finally:
            self._free.release()

    def _check_splats(self, kind: str) -> None:
        name, _ = format_of(kind)
        if name == "ply" and (fault := self._supply.health()["splats_fault"]):
            raise RendererDown(f"splats can't be drawn: {fault}")

    def _render(self, file: int, kind: str, batch: str | None) -> bytes:
        fault = _NoAnswer()
        for attempt in range(_TRIES):
            try:
                # The second worker has seen no file before.
                return self._drawn(file, kind, None if attempt else batch)
            except _NoAnswer as error:
                fault = error
        self._check_machine(kind, fault)
        raise Refused(str(fault))

    def _drawn(self, file: int, kind: str, batch: str | None) -> bytes:
        """The picture. Raises Refused, RendererDown and _NoAnswer."""
        worker = self._supply.take(batch)
        works = False
        try:
            answer = worker.draw(file, KINDS.index(kind), WALL_SECONDS)
            picture = self._believed(answer)
        except Refused:
            works = True
            raise
        except Late:
            raise _TooLate(f"no picture within {WALL_SECONDS:g} s") from None
        except Died as death:
            if death.out_of_memory:
                raise Refused(_TOO_MUCH) from None
            if death.out_of_time:
                raise Refused(f"it takes more than {CPU_SECONDS} s to show the file") from None
            raise _NoAnswer("the file breaks the renderer") from None
        except Nonsense as nonsense:
            _LOG.error("a file has taken over its worker: it answered with %s", nonsense)
            raise _NoAnswer("the file breaks the renderer") from None
        else:
            works = True
            return picture
        finally:
            if works:
                self._supply.give_back(worker, batch)
            else:
                self._supply.discard(worker)

    def _believed(self, answer: Answer) -> bytes:
        if answer.letter == answers.PICTURE:
            return answer.png()
        if answer.letter == answers.REFUSED:
            raise Refused(answer.text)
        if answer.letter == answers.MEMORY:
            raise Refused(_TOO_MUCH)
        if answer.letter == answers.BUG:
            _LOG.error("a bug, or a file that has taken over its worker: %s", answer.text)
            raise _NoAnswer("the file breaks the renderer")
        raise _NoAnswer(answer.text)

    def _check_machine(self, kind: str, fault: _NoAnswer) -> None:
        """Draw a file of our own in a fresh worker. Raises RendererDown if that fails as well, or
        takes so long that no file can be blamed for being late."""
        from gpu.workers import warmup  # noqa: PLC0415 - with numpy

        name, _ = format_of(kind)
        content = next(content for other, content in warmup.files() if other == name)
        worker = self._supply.take()
        began = time.monotonic()
        try:
            letter = _control(worker, content, KINDS.index(name))
        except (Died, Late, Nonsense) as other:
            raise RendererDown(f"{fault}, and a file of our own fails, too: {other}") from None
        finally:
            wall = time.monotonic() - began
            used = self._supply.discard(worker)
        if letter != answers.PICTURE:
            raise RendererDown(str(fault))
        if used is None:  # on a GPU, which works while the CPU waits
            overloaded = wall > WALL_SECONDS / _SLOWER
        else:  # at this pace, would a file that doesn't sleep have had its seconds of CPU?
            overloaded = max(used, 0.01) / wall * WALL_SECONDS < CPU_SECONDS
        if isinstance(fault, _TooLate) and overloaded:
            raise RendererDown(f"{fault}: the machine is overloaded")

    def health(self) -> dict[str, Any]:
        """What the workers' template reported when it was ready: OpenGL's device (`gl`), CUDA's
        (`cuda`, None where the CPU draws splats), why splats can't be drawn (`splats_fault`, None
        if they can), whether a GPU's driver is in the workers (`hardware`), and which layers of the
        sandbox this machine doesn't have (`lacking`, a list). Raises RendererDown."""
        return self._supply.health()

    def start(self, workers: int | None = None) -> None:
        """Have everything ready before the first file comes, for as many workers, or all. Raises
        RendererDown if it can't be.
        """
        self._supply.start(self.size if workers is None else workers)

    def close(self) -> None:
        """End the workers, including those that are still starting."""
        self._supply.close()


def _control(worker: Worker, content: bytes, kind: int) -> bytes:
    """The letter of the answer to a file of our own."""
    with TemporaryFile() as file:
        file.write(content)
        file.flush()
        answer = worker.draw(file.fileno(), kind, WALL_SECONDS)
    if answer.letter == answers.PICTURE:
        answer.png()
    return answer.letter


def _workers() -> int:
    """One for each core; with GPUs, at most as many as fit into their memory."""
    cores, cards = len(os.sched_getaffinity(0)), len(list(Path("/dev").glob("nvidia[0-9]*")))
    return min(cores, WORKERS_PER_GPU * cards) if cards else cores


def _check_size(file: int) -> None:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        raise RendererDown("the file to draw isn't a regular file")
    if status.st_size > FILE_BYTES:
        raise Refused(f"the file has {status.st_size:,} bytes, more than {FILE_BYTES:,}")
