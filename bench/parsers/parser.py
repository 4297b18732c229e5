"""What a parser of foreign bytes is, and the inputs that are there already."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.mutations import Mutate

SHARED = Path(__file__).resolve().parents[3] / "shared"

Seed = tuple[str, bytes]
"""The kind of an input, where a parser takes several (a state file's class), and the input."""


@dataclass(frozen=True)
class Parser:
    """`load` imports it and returns the function from (kind, input) to a value; `memory` (MiB)
    and `seconds` (of CPU time) are what one input may take. Seeds are small; `refusals` names
    the exceptions of a refusal."""

    load: Callable[[], Callable[[str, bytes], object]]
    seeds: Callable[[], Sequence[Seed]]
    mutate: Mutate
    refusals: Sequence[str] = ()
    memory: int = 256
    seconds: float = 5.0


def named(inputs: Sequence[bytes]) -> list[Seed]:
    return [("", data) for data in inputs]


def shared_files(pattern: str, most: int = 200_000) -> list[bytes]:
    files = sorted(SHARED.glob(pattern))
    return [file.read_bytes() for file in files if file.stat().st_size <= most]


def scratch() -> Path:
    """A folder for what parsers write, in memory where there is such a place."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="hostile-", dir=memory if memory.is_dir() else None))


@cache
def _cases() -> Path:
    """The folder of `../shared/cases` inputs, made; empty where they aren't there."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-cases-"))
    script = SHARED / "cases" / "make_cases.py"
    if script.exists():
        names: dict[str, Any] = {"__name__": "make_cases"}
        exec(compile(script.read_text(), str(script), "exec"), names)
        names["main"](folder)
    return folder


def case_files(pattern: str) -> list[bytes]:
    return [
        file.read_bytes()
        for file in sorted(_cases().glob(pattern))
        if file.stat().st_size <= 200_000
    ]


def text_seeds(*texts: str) -> Callable[[], list[Seed]]:
    return lambda: named([text.encode() for text in texts])
