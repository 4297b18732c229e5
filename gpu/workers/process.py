"""The pool's ends of the template and of a worker: started, asked, ended."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from gpu.faults import RendererDown
from gpu.splats.kernels import WARM_UP
from gpu.workers import answers
from gpu.workers.answers import Answer, Nonsense
from gpu.workers.sandbox import CPU_SECONDS
from gpu.workers.template import COMPILES, ENDING, REQUEST
from gpu.workers.watch import Watch, use_of

WATCH = "a watch on memory and time"
_READY_BYTES = 2**16  # of what a template reports: a few names
_SENDER = struct.Struct("3i")  # process, user and group, as the kernel tells them to the receiver
_SENDER_BYTES = socket.CMSG_SPACE(_SENDER.size)
_ENDING_SECONDS = 5.0  # in which a worker that has closed its socket must end
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
    """A worker ended without an answer. `cpu` is what it used, in seconds."""

    def __init__(self, status: int, cpu: float = 0.0, *, out_of_memory: bool = False) -> None:
        super().__init__(f"a worker of the renderer ended with status {status}")
        self.out_of_time = status == -signal.SIGXCPU or cpu >= CPU_SECONDS
        self.out_of_memory = out_of_memory


class Late(Exception):
    """A worker didn't answer in time."""


class Template:
    """The process that workers are made of (`gpu.workers.template`), from its start to its end.

    Making one raises RendererDown where no process can be started.
    """

    def __init__(self, environment: Mapping[str, str], *, compiles: bool = False) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._complaints = TemporaryFile()  # noqa: SIM115 - closed by `end`
        self.ready: dict[str, Any] = {}
        self.becomes = 0  # the process, as it is known here, that says that it is ready
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs:
            command = [sys.executable, "-m", "gpu.workers.template", str(theirs.fileno())]
            try:
                self._process = subprocess.Popen(  # noqa: S603 - ourselves
                    [*command, COMPILES] if compiles else command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._complaints,
                    pass_fds=[theirs.fileno()],
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:  # no memory, no process left, or no interpreter any more
                ours.close()
                self._complaints.close()
                raise RendererDown(f"a worker can't be started: {error}") from error

    @property
    def forks(self) -> bool:
        """Whether it makes many workers, and goes on; otherwise it becomes the one worker."""
        return not self.ready["hardware"]

    def wait(self, seconds: float) -> dict[str, Any]:
        """Wait until it is ready; what it reports, as `Pool.health`. Raises RendererDown."""
        self._control.settimeout(seconds)
        try:
            packet, sender, _, _ = self._control.recvmsg(_READY_BYTES, _SENDER_BYTES)
        except TimeoutError:
            self.end()
            raise RendererDown(f"a worker wasn't ready within {seconds:g} s: {WARM_UP}") from None
        except OSError:
            packet, sender = b"", []
        if not packet.startswith(b"{"):
            self._process.wait()
            self._complaints.seek(0)
            lines = self._complaints.read().decode(errors="replace").strip().splitlines()
            self.end()
            why = lines[-1] if lines else f"it ended with status {self._process.returncode}"
            raise RendererDown(f"a worker can't start: {why}")
        self._control.settimeout(None)
        self.ready = json.loads(packet)
        self.becomes, _, _ = _SENDER.unpack(sender[0][2])
        if not self.forks and use_of(self.becomes) is None:
            self.ready["lacking"].append(WATCH)
        return self.ready

    def worker(self, number: int) -> "Worker":
        """A clean worker. Raises Died where the template has ended."""
        channel, theirs = socket.socketpair()
        life, their_life = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, their_life:
            try:
                ends = [theirs.fileno(), their_life.fileno()]
                socket.send_fds(self._control, [REQUEST.pack(number)], ends)
            except OSError:
                channel.close()
                life.close()
                raise Died(1) from None
        if self.forks:
            return Worker(channel, life)
        life.close()
        return Worker(channel, self._control, alone=self)

    def stop(self) -> None:
        """Kill it, and with it its workers. The thread that waits for it gets RendererDown."""
        self._process.kill()

    def end(self) -> None:
        """Kill it and its workers, and release what it had here."""
        self._process.kill()
        self._process.wait()
        self._control.close()
        self._complaints.close()


class Worker:
    """One process that draws files, until `end`."""

    def __init__(
        self, channel: socket.socket, life: socket.socket, alone: Template | None = None
    ) -> None:
        self._channel, self._life, self._template = channel, life, alone
        self._watch = Watch(alone.becomes, alone.stop) if alone is not None else None
        self.files = 0

    @property
    def alone(self) -> bool:
        """Whether its template has become it, and so ends with it."""
        return self._template is not None

    def draw(self, file: int, kind: int, seconds: float) -> Answer:
        """The answer to a file. Raises Died, Late after `seconds`, and Nonsense."""
        self.files += 1
        if self._watch is not None:
            if self._watch.over:  # after the file before
                raise Died(1)
            self._watch.begin()
        # Opened anew: from its beginning, and to be read alone, whatever the other descriptor may.
        again = os.open(f"/proc/self/fd/{file}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            socket.send_fds(self._channel, [bytes([kind])], [again])
        except OSError:
            raise self._death() from None
        finally:
            os.close(again)
        deadline = time.monotonic() + seconds
        letter, length = answers.HEAD.unpack(self._read(answers.HEAD.size, deadline))
        if length > answers.LONGEST.get(letter, -1):
            raise Nonsense("an answer that is too long")
        return Answer(letter, self._read(length, deadline))

    def end(self) -> float | None:
        """Kill it; the seconds of CPU that it used, None where they aren't its own alone."""
        self._channel.close()
        if self._template is not None and self._watch is not None:
            self._watch.stop()
            self._template.end()
            return None
        with self._life, suppress(OSError):
            self._life.shutdown(socket.SHUT_WR)
            return self._ending()[1]
        return None

    def _read(self, length: int, deadline: float) -> bytes:
        content = bytearray()
        while len(content) < length:
            try:
                # A timeout of 0 would make the socket non-blocking, and negative ones are refused.
                self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
                part = self._channel.recv(min(length - len(content), 2**20))
            except TimeoutError:
                raise Late from None
            except OSError:
                part = b""
            if not part:
                raise self._death()
            content += part
        return bytes(content)

    def _death(self) -> Died:
        """How a process ended whose socket has closed, as its parent tells it."""
        if self._watch is not None and self._watch.over:
            cpu = CPU_SECONDS if self._watch.out_of_time else 0.0
            return Died(1, cpu, out_of_memory=self._watch.out_of_memory)
        with suppress(OSError):  # it goes on without its socket
            return Died(*self._ending())
        return Died(1)

    def _ending(self) -> tuple[int, float]:
        """The status and the seconds of CPU. Raises OSError where the template is gone, too."""
        self._life.settimeout(_ENDING_SECONDS)
        packet = self._life.recv(ENDING.size)
        if len(packet) != ENDING.size:
            raise ConnectionResetError
        status, cpu = ENDING.unpack(packet)
        return status, cpu


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a worker: where caches and devices are, and nothing else."""
    passed = {
        name: value
        for name, value in environment.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    # The sandbox allows no thread; and there is a worker for each core already.
    one_thread = {
        "LP_NUM_THREADS": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }
    return one_thread | passed | {"PYTHONPATH": str(Path(__file__).parents[2])}
