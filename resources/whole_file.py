"""Files that appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(to: Path) -> Iterator[IO[bytes]]:
    """What to write to; it becomes `to` when the block ends without an exception.

    A process that is killed leaves a folder `.part-*` beside `to`, and `to` as it was.
    """
    with _part_beside(to) as part:
        with part.open("wb") as file:
            yield file
        part.replace(to)


def write_whole(to: Path, content: bytes, *, private: bool = False, durable: bool = False) -> None:
    """Write `content` as the file `to`, whole or not at all.

    `private`: only this user may read it. `durable`: it is on the disk before it becomes `to`, so
    that not even a power cut leaves an empty file there.
    """
    with whole_file(to) as file:
        if private:
            os.fchmod(file.fileno(), 0o600)
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def create_whole(to: Path, content: bytes) -> None:
    """Write `content` as the new file `to`, whole or not at all. Raises FileExistsError where there
    is one, also where another process was first.
    """
    with _part_beside(to) as part:
        part.write_bytes(content)
        os.link(part, to)  # unlike `replace`, it fails where there is one


@contextmanager
def _part_beside(to: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        prefix=".part-", dir=to.parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder) / "part"
