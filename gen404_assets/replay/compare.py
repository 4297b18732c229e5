"""Two contents of one file, compared: the same, or entry by entry what differs."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from gen404_assets.replay.result import Difference

LAYOUT = "the same content in another layout"
_SHOWN = 20
_LONGEST = 160

M = TypeVar("M", bound=BaseModel)


def keeping(recorded: BaseModel | None, derived: M) -> M:
    """What was derived, with the keys of the recorded one that the format doesn't know: they imply
    nothing.
    """
    unknown = recorded.model_extra if recorded is not None else None
    return derived.model_copy(update=unknown) if unknown else derived


def compare(
    recorded: bytes, derived: bytes, *, ordered: bool = False
) -> tuple[list[Difference], list[str]]:
    """(differences, notes) of a recorded JSON file and what was derived; its layout is a note, the
    order of its keys too unless it is `ordered`."""
    if derived == recorded:
        return [], []
    sides = json.loads(recorded), json.loads(derived)
    found = list(_differences(*sides, ""))
    if not found and ordered and list(sides[0]) != list(sides[1]):
        first = next(
            number for number, (old, new) in enumerate(zip(*sides, strict=True)) if old != new
        )
        found = [Difference("the order", list(sides[0])[first], list(sides[1])[first])]
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
    written = (
        value
        if isinstance(value, str) and value
        else json.dumps(value, ensure_ascii=False, default=str)
    )
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
                    inner,
                    *(
                        text(side[key]) if key in side else "nothing"
                        for side in (recorded, derived)
                    ),
                )
            else:
                yield from _differences(recorded[key], derived[key], inner)
    elif isinstance(recorded, list) and isinstance(derived, list):
        for number in range(max(len(recorded), len(derived))):
            inner = f"{place}[{number}]"
            if number < min(len(recorded), len(derived)):
                yield from _differences(recorded[number], derived[number], inner)
            else:
                yield Difference(inner, shown(recorded, number), shown(derived, number))
    elif recorded != derived or isinstance(recorded, bool) != isinstance(derived, bool):
        yield Difference(place or "the file", text(recorded), text(derived))
