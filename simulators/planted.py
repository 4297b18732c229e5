"""Parsers with faults, for the hunt to find: what `bench.hostile` is tested with in place of the
real ones."""

import ctypes
import os
import time
from collections.abc import Callable

from bench import mutations
from bench.parsers.parser import Parser


class Bad(ValueError):
    """A declared refusal."""


def _parser(fault: Callable[[], object], *, seconds: float = 5.0, memory: int = 64) -> Parser:
    """It refuses what has no `{`, and fails on what has lost its end."""

    def parse(_: str, data: bytes) -> object:
        if not data.startswith(b"{"):
            raise Bad("no object")
        return data if data.endswith(b"}") else fault()

    return Parser(
        lambda: parse, lambda: [("", b'{"a": 1}')], mutations.bytes_of, ("Bad",), memory, seconds
    )


def _raise() -> None:
    raise KeyError("a")


def _broken_load() -> Callable[[str, bytes], object]:
    raise ImportError("it was renamed")


PARSERS = {
    "sound": _parser(lambda: None),
    "raises": _parser(_raise),
    "crashes": _parser(lambda: ctypes.string_at(0)),
    "exits": _parser(lambda: os._exit(3)),
    "hogs": _parser(lambda: bytes(2**30)),
    "slow": _parser(lambda: [time.process_time() for _ in range(10**6)], seconds=0.02),
    "renamed": Parser(_broken_load, list, mutations.bytes_of),
}
