"""What a full disk, a power cut or a killed git has left in a bare repository: small files empty or
in part, which have git refuse every command, and parts that nobody owns.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

SPOILT = ".spoilt"
"""What follows the name of a file that was set aside."""

_SHA = rb"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_REF = re.compile(rb"(?:ref: [^\s\0]+|" + _SHA + rb")\n?")
_PACKED = re.compile(rb"(?:(?:#[^\0\n]*|\^?" + _SHA + rb"|" + _SHA + rb" [^\s\0]+)\n)*")


def set_aside_spoilt(repository: Path) -> list[str]:
    """Rename what no git has written whole, so that it can be made again; the files' names. One
    that was set aside before makes room. Raises OSError.
    """
    spoilt = []
    for name, is_whole in _small_files(repository):
        path = repository / name
        with suppress(FileNotFoundError):
            if not is_whole(path.read_bytes()):
                aside = repository / f"{name.replace('/', '-')}{SPOILT}"  # no name of a ref
                path.replace(aside)
                spoilt.append(name)
    return spoilt


def _small_files(repository: Path) -> Iterator[tuple[str, Callable[[bytes], bool]]]:
    yield "HEAD", _is_ref
    yield "config", _is_config
    yield "packed-refs", _is_packed
    for path in (repository / "refs").rglob("*"):
        if path.is_file() and path.suffix != ".lock":
            yield str(path.relative_to(repository)), _is_ref


def _is_ref(content: bytes) -> bool:
    return _REF.fullmatch(content) is not None


def _is_packed(content: bytes) -> bool:
    return _PACKED.fullmatch(content) is not None


def _is_config(content: bytes) -> bool:
    return content.startswith(b"[core]\n") and content.endswith(b"\n") and b"\0" not in content


def remove_left_over(path: Path) -> None:
    """Remove what a killed git left in a repository that nobody else writes to now."""
    packs = path / "objects/pack"
    complete = {index.stem for index in packs.glob("pack-*.idx")}
    # Git sees a pack by its index: one without it was being written. The caller's lock keeps this
    # away from a fetch that goes on.
    left = [part for part in packs.glob("*") if part.stem not in complete or part.suffix == ".keep"]
    for pattern in ("*.lock", "refs/**/*.lock", "objects/info/**/*.lock"):
        left += path.glob(pattern)
    for file in left:
        file.unlink(missing_ok=True)
