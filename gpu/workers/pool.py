"""The worker processes: one for each core, replaced when one dies. It decides whether a file or the
machine was at fault.
"""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from gpu.faults import Refused, RendererDown
from gpu.formats import KINDS
from gpu.splats.kernels import WARM_UP
from gpu.workers.sandbox import CPU_SECONDS
from gpu.workers.worker import FILE_BYTES, HEAD

ANSWER_BYTES = 16 * 2**20
# A file has its seconds of CPU (CPU_SECONDS). One that takes longer than this by the clock has been
# slowed down by the machine.
WALL_SECONDS = 60.0
# A worker takes 2 to 10 s once `gen404 warm-up` has run; otherwise it compiles for a minute.
START_SECONDS = 120.0
WAIT_SECONDS = 300.0  # for a worker to be free
WORKERS_PER_GPU = 8
_TRIES = 2
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
# No secret is in a worker's environment: it gets these names alone.
_PASSED = (
    "PATH",
    "HOME",
    "LANG",
    "XDG_CACHE_HOME",
    "LD_LIBRARY_PATH",
    "NUMBA_CACHE_DIR",
    "MESA_SHADER_CACHE_DIR",
)
_PASSED_PREFIXES = ("TORCH_", "CUDA_", "NVIDIA_", "__EGL_", "LIBGL_", "LP_", "GALLIUM_")


class Died(Exception):
    """A worker ended without an answer; `status` is as subprocess has it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"a worker of the renderer ended with status {status}")
        self.status = status


class Late(Exception):
    """A worker didn't answer in time."""


class Pool:
    """Worker processes that draw miners' files. Threads may share it; close it when done."""

    def __init__(
        self,
        workers: int | None = None,
        environment: Mapping[str, str] = os.environ,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self.size = workers or _workers()
        self._start_seconds = start_seconds
        self._environment = worker_environment(environment)
        self._free = threading.BoundedSemaphore(self.size)
        self._idle: list[_Worker] = []
        self._changed = threading.Condition()  # what is below
        self._coming = 0  # workers that `start` was asked for
        self._starting: set[_Worker] = set()
        self._closed = False
        self._ready: dict[str, Any] = {}

    def render(self, file: Path | int, kind: str) -> bytes:
        """The PNG of a file (a path, or an open descriptor) of a kind (`gpu.formats`).

        Raises Refused where the file is at fault, and RendererDown where the renderer is. A file is
        at fault if it ends two workers, the second of them freshly started, or if it uses up its
        CPU time.
        """
        if not isinstance(file, int):
            try:
                descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                raise RendererDown(f"the file can't be opened: {error.strerror}") from error
            try:
                return self.render(descriptor, kind)
            finally:
                os.close(descriptor)
        _check_size(file)
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise RendererDown("all workers are busy")
        try:
            return self._render(file, KINDS.index(kind))
        finally:
            self._free.release()

    def _render(self, file: int, kind: int) -> bytes:
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            worker = self._take(fresh=attempt > 0)
            works = False
            try:
                letter, content = worker.draw(file, kind)
                works = True
            except Late:
                raise RendererDown(
                    f"no picture within {WALL_SECONDS:g} s: the machine is overloaded"
                ) from None
            except Died as death:
                if death.status == -signal.SIGXCPU:
                    raise Refused(f"it takes more than {CPU_SECONDS} s to show the file") from None
                if death.status in _FROM_OUTSIDE:
                    if last:
                        raise RendererDown("the renderer's workers are being killed") from None
                elif last:
                    raise Refused("the file breaks the renderer") from None
                continue
            finally:
                if works:
                    self._give_back(worker)
                else:
                    worker.end()
            if letter == b"P":
                return content
            raise (Refused if letter == b"R" else RendererDown)(content.decode(errors="replace"))
        raise AssertionError

    def health(self) -> dict[str, Any]:
        """What the last worker reported when it was ready: OpenGL's device (`gl`), CUDA's (`cuda`,
        None where the CPU draws splats), why splats can't be drawn (`splats_fault`, None if they
        can), whether it has a network namespace of its own (`network_namespace`), and whether it
        can't open files any more (`files_closed`). Raises RendererDown."""
        with self._changed:
            while not self._ready and self._coming:
                self._changed.wait()
        if not self._ready:
            self.start(1)
        return self._ready

    def start(self, workers: int | None = None) -> None:
        """Start workers at the same time, before the first file comes. Each is used as soon as it
        is ready. Raises RendererDown if one can't start."""
        count = workers or self.size
        with self._changed:
            self._coming += count
        with ThreadPoolExecutor(count) as threads:
            for start in [threads.submit(self._start_one) for _ in range(count)]:
                start.result()

    def close(self) -> None:
        """End the workers, including those that are still starting."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._starting:
                worker.stop()
            self._changed.notify_all()
        for worker in idle:
            worker.end()

    def _take(self, *, fresh: bool) -> "_Worker":
        """A worker for one file: an idle one, the next one that `start` has ready, or a new one."""
        with self._changed:
            while not (fresh or self._closed or self._idle) and self._coming:
                self._changed.wait()
            if self._closed:
                raise RendererDown("the renderer is closed")
            if self._idle and not fresh:
                return self._idle.pop()
        return self._started()

    def _start_one(self) -> None:
        try:
            self._give_back(self._started())
        finally:
            with self._changed:
                self._coming -= 1
                self._changed.notify_all()

    def _started(self) -> "_Worker":
        worker = _Worker(self._environment)
        with self._changed:
            if self._closed:
                worker.stop()
            self._starting.add(worker)
        try:
            self._ready = worker.wait(self._start_seconds)
        except RendererDown:
            self._ready = {}
            raise
        finally:
            with self._changed:
                self._starting.remove(worker)
        return worker

    def _give_back(self, worker: "_Worker") -> None:
        with self._changed:
            kept = not self._closed and len(self._idle) < self.size
            if kept:
                self._idle.append(worker)
                self._changed.notify()
        if not kept:
            worker.end()


class _Worker:
    """One process, from its start to its end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        self._channel = ours
        self._complaints = TemporaryFile()  # noqa: SIM115 - closed by `end`
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", "gpu.workers.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
                pass_fds=[theirs.fileno()],
                env=environment,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> dict[str, Any]:
        """Wait until it is ready; what it reports, as `Pool.health`. Raises RendererDown."""
        try:
            ready: dict[str, Any] = json.loads(self._answer(time.monotonic() + seconds)[1])
        except Late:
            self.end()
            raise RendererDown(f"a worker wasn't ready within {seconds:g} s: {WARM_UP}") from None
        except Died as death:
            self._complaints.seek(0)
            lines = self._complaints.read().decode(errors="replace").strip().splitlines()
            self.end()
            raise RendererDown(f"a worker can't start: {lines[-1] if lines else death}") from None
        return ready

    def draw(self, file: int, kind: int) -> tuple[bytes, bytes]:
        """The answer's letter and content. Raises Died and Late."""
        os.lseek(file, 0, os.SEEK_SET)
        try:
            socket.send_fds(self._channel, [bytes([kind])], [file])
        except OSError:
            raise Died(self._status()) from None
        return self._answer(time.monotonic() + WALL_SECONDS)

    def stop(self) -> None:
        """Kill the process. The thread that waits for its answer gets Died."""
        self._process.kill()

    def end(self) -> None:
        self._channel.close()
        self._process.kill()
        self._process.wait()
        self._complaints.close()

    def _answer(self, deadline: float) -> tuple[bytes, bytes]:
        letter, length = HEAD.unpack(self._read(HEAD.size, deadline))
        if length > ANSWER_BYTES or letter not in (b"P", b"R", b"D"):
            raise Died(self._status())
        return letter, self._read(length, deadline)

    def _read(self, length: int, deadline: float) -> bytes:
        content = bytearray()
        while len(content) < length:
            try:
                self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
                part = self._channel.recv(min(length - len(content), 2**20))
            except TimeoutError:
                raise Late from None
            except OSError:
                part = b""
            if not part:
                raise Died(self._status())
            content += part
        return bytes(content)

    def _status(self) -> int:
        """The exit status of a process whose socket has closed; it is killed if it doesn't exit."""
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return 1


def _workers() -> int:
    """One for each core; with GPUs, at most as many as fit into their memory."""
    cores, cards = len(os.sched_getaffinity(0)), len(list(Path("/dev").glob("nvidia[0-9]*")))
    return min(cores, WORKERS_PER_GPU * cards) if cards else cores


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a worker: where caches and devices are, and nothing else."""
    passed = {
        name: value
        for name, value in environment.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    one_thread = {
        "LP_NUM_THREADS": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }
    return one_thread | passed | {"PYTHONPATH": str(Path(__file__).parents[2])}


def _check_size(file: int) -> None:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        raise RendererDown("the file to draw isn't a regular file")
    if status.st_size > FILE_BYTES:
        raise Refused(f"the file has {status.st_size:,} bytes, more than {FILE_BYTES:,}")
