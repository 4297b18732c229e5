"""Notes: small files that the platform keeps for itself, where all of its processes see them."""

import os
from collections.abc import Callable
from contextlib import suppress
from io import RawIOBase
from pathlib import Path
from typing import Protocol, TypeVar

from resources import elapsed
from resources.disk import disk_faults
from resources.own_files import set_aside
from resources.whole_file import create_whole, write_whole

T = TypeVar("T")


class Notes(Protocol):
    """Notes by name, such as `waiting/judging.json`. Calls raise InfrastructureFault where the disk
    or the database fails. Threads may share it.
    """

    def read(self, name: str) -> bytes | None:
        """A note's content; None if there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Write a note, whole or not at all; it survives a power cut."""

    def append(self, name: str, line: bytes) -> None:
        """Add a line to a note, whole or not at all; it survives a power cut."""

    def create(self, name: str, content: bytes) -> bytes:
        """Write a note unless there is one; what it holds, whoever was first."""

    def remove(self, name: str) -> bool:
        """Remove a note; whether there was one."""

    def names(self, folder: str) -> list[str]:
        """The names of the notes in a folder, in no order."""

    def set_aside(self, name: str, reason: str) -> None:
        """Rename a note that can't be read, so that a person can look at it, and say so in the
        log.
        """

    def mark(self) -> str:
        """The present moment, for a note."""

    def age(self, mark: str) -> float | None:
        """Seconds since a mark, whatever is done to this machine's clock; None where that can't be
        told.
        """


def parsed_note(notes: Notes, name: str, parse: Callable[[bytes], T]) -> T | None:
    """What `parse` makes of a note; None where there is none, or where `parse` raises a ValueError,
    LookupError or TypeError: then the note is set aside.
    """
    content = notes.read(name)
    if content is None:
        return None
    try:
        return parse(content)
    except (ValueError, LookupError, TypeError) as error:
        notes.set_aside(name, f"{type(error).__name__}: {error}")
        return None


class FileNotes:
    """The notes of one machine: files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        """See Notes."""
        with disk_faults(f"{name} can't be read"), suppress(FileNotFoundError):
            return self._path(name).read_bytes()
        return None

    def write(self, name: str, content: bytes) -> None:
        """See Notes."""
        with disk_faults(f"{name} can't be written"):
            self._path(name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path(name), content, durable=True)

    def append(self, name: str, line: bytes) -> None:
        """See Notes."""
        path = self._path(name)
        with disk_faults(f"{name} can't be written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: what the disk doesn't take is seen at the write.
            with path.open("ab", 0) as file:
                end = file.seek(0, os.SEEK_END)
                try:
                    _write_all(file, line)
                    os.fsync(file.fileno())
                except OSError:
                    with suppress(OSError):  # a line that is cut off is passed over when read
                        os.truncate(file.fileno(), end)
                    raise

    def create(self, name: str, content: bytes) -> bytes:
        """See Notes."""
        path = self._path(name)
        with disk_faults(f"{name} can't be written"):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileExistsError):  # another process was first
                    create_whole(path, content)
            return path.read_bytes()

    def remove(self, name: str) -> bool:
        """See Notes."""
        with disk_faults(f"{name} can't be removed"), suppress(FileNotFoundError):
            self._path(name).unlink()
            return True
        return False

    def names(self, folder: str) -> list[str]:
        """See Notes."""
        return [f"{folder}/{path.name}" for path in (self._folder / folder).glob("*")]

    def set_aside(self, name: str, reason: str) -> None:
        """See Notes."""
        set_aside(self._path(name), reason)

    def mark(self) -> str:
        """See Notes."""
        return elapsed.mark()

    def age(self, mark: str) -> float | None:
        """See Notes."""
        return elapsed.seconds_since(mark)

    def _path(self, name: str) -> Path:
        return self._folder / name


def _write_all(file: RawIOBase, content: bytes) -> None:
    """A full disk takes a part of what is written to it before it says so."""
    while content:
        content = content[file.write(content) or 0 :]
