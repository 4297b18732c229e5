"""The platform's machine as the harness has it: a small disk of its own, and a clock that can be
put forward and back.

The disk is a tmpfs, which takes root to mount; the clock is `clock.c` in front of the C library,
which takes a C compiler (libfaketime has Python's sleep fail with EINVAL where it leaves the
monotonic clock alone). Where either is missing, its disturbances are left out.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_DISK_MB = 256
_STEP = 7200  # seconds


class Machine:
    """The disk at `home`, and the clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "disk"
        self.has_disk = False
        self._clock = folder / "clock"
        self._library = folder / "clock.so"

    @property
    def has_clock(self) -> bool:
        """Whether the clock can be set."""
        return self._library.exists()

    @contextmanager
    def running(self) -> "Iterator[Machine]":
        """With the disk mounted, where that is allowed."""
        self.home.mkdir(parents=True)
        self.set_clock("")
        self._compile()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(self.home)]
        if shutil.which("mount") and os.geteuid() == 0:
            self.has_disk = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        try:
            yield self
        finally:
            if self.has_disk:
                subprocess.run(["umount", "-l", str(self.home)], check=False)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process on this machine is started with."""
        environment = {"GEN404_HOME": str(self.home / "home"), "TMPDIR": str(self.home / "tmp")}
        if self.has_clock:
            environment |= {"LD_PRELOAD": str(self._library), "TORTURE_CLOCK": str(self._clock)}
        return environment

    def _compile(self) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler:
            source = Path(__file__).with_name("clock.c")
            command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source)]
            subprocess.run(command, capture_output=True, check=False)

    def wipe(self) -> None:
        """An empty disk, and the right time."""
        self.set_clock("")
        for entry in self.home.iterdir():
            shutil.rmtree(entry, ignore_errors=True)
            with suppress(OSError):
                entry.unlink()
        for name in ("home", "tmp"):
            (self.home / name).mkdir(exist_ok=True)

    def fill(self) -> None:
        """Not a byte more fits on the disk."""
        if not self.has_disk:
            return
        with suppress(OSError), (self.home / "full").open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 65536)

    def free(self) -> None:
        """There is room again."""
        (self.home / "full").unlink(missing_ok=True)

    def set_clock(self, sign: str) -> None:
        """Put the clock two hours back ("-") or forth ("+"), or right ("")."""
        part = self._clock.with_suffix(".part")
        part.write_text(f"{sign}{_STEP}\n" if sign else "0\n")
        part.replace(self._clock)
