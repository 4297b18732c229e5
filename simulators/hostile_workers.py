"""Workers that a file has taken over: real ones, in their real sandbox, that run a file's content
as Python code instead of drawing it.

The code stands for what an attacker runs after a fault in a decoder. It has the names of
`_TAKEN_OVER` and `facts`, which the test hands over. `raise Refused(...)` is the worker's answer;
otherwise it is the bytes that the code leaves in `picture`.
"""

import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from gpu.faults import Refused
from gpu.workers.pool import Pool
from gpu.workers.supply import Terms

ORDINARY_USER = 60_580
"""An id of nobody's, for workers that aren't started by root."""

_USUAL = Terms()
_PYTHON = sys.executable  # which is patched below

_TAKEN_OVER = '''
import ctypes, errno, glob, mmap, os, platform, resource, signal, socket, struct, subprocess, sys
import threading, time, types
form = sys.argv[1].split(",")
del sys.argv[1:4]
from gpu.faults import Refused, RendererDown
libc = ctypes.CDLL(None, use_errno=True)
dark = bytes(1041 * 1041 * 3)

def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def syscall(x86_64, aarch64, *arguments):
    """A system call by its numbers; bytes by their address."""
    number = x86_64 if platform.machine() == "x86_64" else aarch64
    wide = [each if isinstance(each, bytes) else ctypes.c_ulong(each) for each in arguments]
    return call(libc.syscall(ctypes.c_long(number), *wide))

class Rendering:
    """Runs the file, unless it is one of the pool's own."""
    hardware = "gpu" in form

    def warm_up(self):
        self.seen = 0

    def report(self):
        return {"gl": "none", "cuda": None, "splats_fault": None}

    def draw(self, kind, data):
        self.seen += 1
        if bytes(data[:4]) in (b"glTF", b"ply\\n"):
            if "broken" in form:
                raise RendererDown("the device is lost")
            if "slow" in form:
                time.sleep(2)
            return dark, ""
        names = {**globals(), "seen": self.seen, "picture": dark, "remarks": ""}
        exec(bytes(data), names)
        return names["picture"], names["remarks"]

sys.modules["gpu.workers.rendering"] = fake = types.ModuleType("gpu.workers.rendering")
fake.Rendering = Rendering
from gpu.workers import sandbox, template
template._devices = lambda: Rendering.hardware
if "together" in form:
    sandbox.leave_namespaces = lambda: False
if "open" in form:
    sandbox.close_in = lambda *_, **__: None
if "unlocked" in form:
    sandbox.landlock.version = lambda: 0
if "user" in form:
    os.setgroups([])
    os.setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER)
    os.setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER)
template.main()
'''


class HostileWorkers:
    """A pool whose workers run what they are given."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self.pool, self._folder = pool, folder
        self._count = 0

    def run(self, code: str, batch: str | None = None, **facts: Any) -> bytes:
        """The picture that comes of it. Raises what `Pool.render` raises."""
        self._count += 1
        file = self._folder / f"hostile-{self._count}"
        file.write_text(f"facts = {facts!r}\n{textwrap.dedent(code)}")
        return self.pool.render(file, "glb", batch)

    def answer(self, code: str, batch: str | None = None, **facts: Any) -> str:
        """What the code answers by `raise Refused(...)`, as the pool hands it on."""
        try:
            self.run(code, batch, **facts)
        except Refused as refusal:
            return str(refusal)
        return ""

    def tried(self, attack: str, **facts: Any) -> str:
        """The kernel's error by which the attack was refused, or "it was not refused"."""
        lines = [
            "try:",
            textwrap.indent(textwrap.dedent(attack).strip(), "    "),
            "except OSError as error:",
            "    raise Refused('refused: ' + errno.errorcode[error.errno])",
            "except (ValueError, RuntimeError) as error:",
            "    raise Refused(f'refused: {error}')",
            "raise Refused('it was not refused')",
        ]
        return self.answer("\n".join(lines), "attacks", **facts)


@contextmanager
def hostile_workers(form: str, terms: Terms = _USUAL) -> Iterator[HostileWorkers]:
    """Workers of a form: words with commas between. `gpu`: as with a GPU's driver, which opens
    files; `user`: started by an ordinary user; `together`: on a kernel that gives no namespaces;
    `unlocked`: on one without Landlock; `broken`: where nothing can be drawn; `slow`: where a file
    of our own takes 2 s; `open`: without a sandbox, to see that an attack is one.
    """
    folder = Path(tempfile.mkdtemp(prefix="hostile-workers-"))
    try:
        folder.chmod(0o755)
        script, python = folder / "taken_over.py", folder / "python"
        script.write_text(f"ORDINARY_USER = {ORDINARY_USER}\n{_TAKEN_OVER}")
        python.write_text(f'#!/bin/sh\nexec {_PYTHON} {script} {form} "$@"\n')
        python.chmod(0o755)
        with patch.object(sys, "executable", str(python)):
            pool = Pool(1, terms=terms)
            try:
                yield HostileWorkers(pool, folder)
            finally:
                pool.close()
    finally:
        shutil.rmtree(folder)
