"""Two contents of one file, compared: the same, or entry by entry what differs."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from gen404_assets.competition.replay.result import Difference

LAYOUT = "the same content in another layout"
_SHOWN = 20
_LONGEST = 160


def compare(recorded: bytes, derived: bytes) -> tuple[list[Difference], list[str]]:
    """(differences, notes) of a recorded JSON file and what was derived; order counts, layout is a note."""
    if derived == recorded:
        return [], []
    found = list(_differences(json.loads(recorded), json.loads(derived), ""))
    return (shorten(found), []) if found else ([], [LAYOUT])


def compare_lines(recorded: Sequence[str], derived: Sequence[str]) -> list[Difference]:
    """The differences of two lists, line by line."""
    found = [
        Difference(f"line {number + 1}", shown(recorded, number), shown(derived, number))
        for number in range(max(len(recorded), len(derived)))
        if recorded[number : number + 1] != derived[number : number + 1]
    ]
    return shorten(found)


def shown(lines: Sequence[Any], number: int) -> str:
    """An entry as a difference shows it; `nothing` where there is none."""
    return text(lines[number]) if number < len(lines) else "nothing"


def text(value: Any) -> str:
    """A value as a difference shows it."""
    written = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return written if len(written) <= _LONGEST else written[:_LONGEST] + "…"


def shorten(found: list[Difference]) -> list[Difference]:
    """The first differences, and how many more there are."""
    more = len(found) - _SHOWN
    return [*found[:_SHOWN], Difference(f"{more} more", "…", "…")] if more > 1 else found


def _differences(recorded: Any, derived: Any, place: str) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(derived, dict):
        for key in [*recorded, *(key for key in derived if key not in recorded)]:
            inner = f"{place}.{key}" if place else key
            if key not in recorded or key not in derived:
                yield Difference(
                    inner, *(text(side[key]) if key in side else "nothing" for side in (recorded, derived))
                )
            else:
                yield from _differences(recorded[key], derived[key], inner)
        if set(recorded) == set(derived) and list(recorded) != list(derived):
            first = next(old for old, new in zip(recorded, derived, strict=True) if old != new)
            yield Difference(f"{place or 'the file'}: order of keys", first, list(derived)[list(recorded).index(first)])
    elif isinstance(recorded, list) and isinstance(derived, list):
        for number in range(max(len(recorded), len(derived))):
            inner = f"{place}[{number}]"
            if number < min(len(recorded), len(derived)):
                yield from _differences(recorded[number], derived[number], inner)
            else:
                yield Difference(inner, shown(recorded, number), shown(derived, number))
    elif type(recorded) is not type(derived) or recorded != derived:
        yield Difference(place or "the file", text(recorded), text(derived))
