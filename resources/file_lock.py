"""Locks between processes, on files. The kernel releases them when their process ends."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_RETRY_SECONDS = 0.05  # between two tries: the kernel's flock knows no timeout


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock on the file at `path`, which is created if it is missing, for the block.

    Waits as long as another process holds it; a `shared` lock waits for exclusive ones only.
    """
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def is_locked(path: Path) -> bool:
    """Whether a live process holds the lock on a file; none does where there is no file."""
    try:
        with path.open("rb") as file:
            # Shared: two who look don't take each other for a holder.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def try_lock(file: IO[Any], seconds: float = 0) -> bool:
    """Whether the lock on an open file could be had within `seconds`; it is held until the file is
    closed by every process that has it open.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_RETRY_SECONDS)
        else:
            return True
