"""The process that workers are made of: it loads and draws everything once, and then forks a worker
for each file, which begins as clean as the template is, in a hundredth of the time.

It never sees a stranger's file. With a GPU's driver in it, it can't be forked: it then is the one
worker itself. Its parent, the process that was started, sets up its namespaces and tells how it
ended.

The pool's end of the control socket (packets): the template says in one JSON object that it is
ready; each request is a worker's number, its channel and its life line. When a worker ends, its
life line carries how; when its life line is closed, it is killed.
"""

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gpu.workers import kernel, sandbox, worker

if TYPE_CHECKING:
    from gpu.workers.rendering import Rendering

ENDING = struct.Struct("<id")
"""The status that the process ended with, as subprocess has it, and its seconds of CPU."""
REQUEST = struct.Struct("<I")
COMPILES = "compiles"
"""Argument of a template that compiles what is missing, and never has a worker."""


def main() -> NoReturn:
    """Start the template in namespaces of its own, wait for its end, and tell it."""
    control = socket.socket(fileno=int(sys.argv[1]))
    apart = sandbox.leave_namespaces()
    first = _keeper(control) if apart else None
    process = os.fork()
    if not process:
        kernel.end_with_parent(signal.SIGKILL)
        if apart:
            sandbox.see_own_processes()
        _Template(control, namespaces=apart, compiles=COMPILES in sys.argv).run()
        os._exit(0)
    ending = _waited(process)
    if first is not None:
        os.kill(first, signal.SIGKILL)
    with suppress(OSError):
        control.send(ending)
    sys.exit(0)


def _keeper(control: socket.socket) -> int:
    """The first process of the PID namespace, with which all others there end: it only waits."""
    process = os.fork()
    if not process:
        kernel.end_with_parent(signal.SIGKILL)
        control.close()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            signal.pause()
    return process


def _waited(process: int) -> bytes:
    _, status, usage = os.wait4(process, 0)
    return ENDING.pack(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime)


class _Template:
    """The prepared process, and its children by process id, each with its life line."""

    def __init__(self, control: socket.socket, *, namespaces: bool, compiles: bool) -> None:
        self._control, self._compiles = control, compiles
        self._layers = sandbox.layers(namespaces=namespaces)
        self._lives: dict[int, socket.socket] = {}
        self._rendering = self._prepared()
        self._hardware = self._rendering.hardware

    def _prepared(self) -> "Rendering":
        from gpu.workers.rendering import Rendering  # noqa: PLC0415 - loads what takes seconds

        if self._layers.landlock and not self._compiles and _devices():
            if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - Landlock binds one thread
                self._layers = replace(self._layers, landlock=False)
            else:
                sandbox.restrict_to_driver(os.environ)
        rendering = Rendering()
        rendering.warm_up()
        return rendering

    def run(self) -> None:
        """Say that it is ready, and make workers until the control socket ends."""
        ready = {
            **self._rendering.report(),
            "hardware": self._hardware,
            "lacking": self._layers.lacking,
        }
        woken, waking = socket.socketpair()
        for end in (woken, waking):
            end.setblocking(False)
        signal.set_wakeup_fd(waking.fileno())
        # Without a handler, Python writes nothing to the descriptor.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Before the freeze: what is frozen is never collected.
        gc.collect()
        gc.freeze()  # a worker's collections then leave alone what it shares with the template
        self._control.send(json.dumps(ready).encode())
        while True:
            heard, _, _ = select.select([self._control, woken, *self._lives.values()], [], [])
            if woken in heard:
                woken.recv(4096)
                self._tell_endings()
            for process, life in list(self._lives.items()):
                if life in heard:
                    os.kill(process, signal.SIGKILL)
                    self._tell(process)
            if self._control in heard and not self._answer():
                return

    def _answer(self) -> bool:
        """Make the worker that is asked for; False when nothing more will be."""
        request, descriptors, _, _ = socket.recv_fds(self._control, REQUEST.size, 2)
        if not request:
            return False
        (number,) = REQUEST.unpack(request)
        channel, life = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        if self._hardware:
            life.close()
            self._become_worker(channel, number)
        process = os.fork()
        if not process:
            self._become_worker(channel, number)
        channel.close()
        self._lives[process] = life
        return True

    def _become_worker(self, channel: socket.socket, number: int) -> NoReturn:
        """Keep the channel, and with a GPU what its driver has open; then draw."""
        status = 1
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(nothing, standard)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if self._hardware:
                self._control.close()
            else:
                kept = os.dup2(channel.fileno(), 3)
                channel.detach()
                channel = socket.socket(fileno=kept)
                os.closerange(kept + 1, 2**16)  # the template's, and other workers' life lines
            sandbox.close_in(self._layers, number, hardware=self._hardware)
            worker.serve(channel, self._rendering)
            status = 0
        finally:
            os._exit(status)

    def _tell_endings(self) -> None:
        for process in list(self._lives):
            # WNOWAIT leaves the child to `_waited`, which asks for its use of the CPU.
            if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                self._tell(process)

    def _tell(self, process: int) -> None:
        life = self._lives.pop(process)
        with life, suppress(OSError):
            life.send(_waited(process))


def _devices() -> bool:
    """Whether there may be a GPU, whose driver opens files when it likes."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or any(Path("/dev/dri").glob("render*"))


if __name__ == "__main__":
    main()
