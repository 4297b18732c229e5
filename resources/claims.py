"""Claims: names that one process at a time holds, until it lets go or dies."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from resources.disk import disk_faults
from resources.file_lock import is_locked, try_lock

Lost = Callable[[], None]
"""Called, from any thread, where a claim is lost while it is held: another process may take it."""


class Claims(Protocol):
    """Names such as `lanes/judging`, each held by one process at a time. Calls may raise
    InfrastructureFault. Threads may share it.
    """

    def hold(
        self, name: str, seconds: float = 0, lost: Lost = lambda: None
    ) -> AbstractContextManager[bool]:
        """Whether the name could be had within `seconds`; it is held until the block ends, and free
        again if the process dies.
        """

    def is_held(self, name: str) -> bool:
        """Whether a live process holds the name."""


class FileClaims:
    """Claims of the processes of one machine: locks on files in `folder`, which the kernel releases
    when their process ends. They can't be lost.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(
        self,
        name: str,
        seconds: float = 0,
        lost: Lost = lambda: None,  # noqa: ARG002 -- a lock of the kernel lasts as long as we do
    ) -> Iterator[bool]:
        """See Claims."""
        path = self._path(name)
        with disk_faults(f"{name} can't be claimed"):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
        with file:
            yield try_lock(file, seconds)

    def is_held(self, name: str) -> bool:
        """See Claims."""
        return is_locked(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"
