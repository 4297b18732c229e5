"""Files that appear whole or not at all."""

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
    with tempfile.TemporaryDirectory(
        prefix=".part-", dir=to.parent, ignore_cleanup_errors=True
    ) as folder:
        part = Path(folder) / "part"
        with part.open("wb") as file:
            yield file
        part.replace(to)
