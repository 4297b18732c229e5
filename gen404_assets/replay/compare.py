"""Two contents of one file, compared: the same, or entry by entry what differs."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from gen404_assets.replay.result import Change, Difference

LAYOUT = "the same content in another layout"
_SHOWN = 20  # lines of each side that are named

M = TypeVar("M", bound=BaseModel)


def keeping(recorded: BaseModel | None, derived: M) -> M:
    """What was derived, with the recorded keys that the format doesn't know."""
    unknown = recorded.model_extra if recorded is not None else None
    return derived.model_copy(update=unknown) if unknown else derived


def compare(
    recorded: bytes, derived: bytes, *, ordered: bool = False
) -> tuple[list[Difference], list[str]]:
    """(differences, notes) of a recorded JSON file and the derived one.

    Another layout is a note, not a difference. So is another order of keys, unless it is `ordered`.
    """
    if derived == recorded:
        return [], []
    old, new = json.loads(recorded), json.loads(derived)
    differences = list(_differences(old, new, ""))
    if not differences and ordered and list(old) != list(new):
        keys = next(keys for keys in zip(old, new, strict=True) if keys[0] != keys[1])
        differences = [Difference("the order", *keys)]
    return (differences, []) if differences else ([], [LAYOUT])


def changes(before: bytes, after: bytes) -> list[Change]:
    """What a commit changed in a file, entry by entry, or line by line where it is no JSON."""
    try:
        differences = list(_differences(json.loads(before), json.loads(after), ""))
    except (ValueError, RecursionError):
        old, new = (raw.decode(errors="replace").splitlines() for raw in (before, after))
        differences = compare_lines(old, new)
    return [Change(each.entry, each.recorded, each.derived) for each in differences]


def changed_lines(before: bytes, after: bytes) -> list[Change]:
    """What a commit changed in a long list: the lines that are gone, and those that are new."""
    old, new = (dict.fromkeys(raw.decode(errors="replace").split()) for raw in (before, after))
    gone = [line for line in old if line not in new]
    came = [line for line in new if line not in old]
    if not gone and not came:
        return [Change("the order", "the same lines", "the same lines")]
    sides = [f"{len(side)} lines: {', '.join(side[:_SHOWN])}" for side in (gone, came)]
    return [Change("lines", *sides)]


def compare_lines(recorded: Sequence[str], derived: Sequence[str]) -> list[Difference]:
    """The differences of two lists, line by line."""
    return [
        Difference(f"line {number + 1}", shown(recorded, number), shown(derived, number))
        for number in range(max(len(recorded), len(derived)))
        if recorded[number : number + 1] != derived[number : number + 1]
    ]


def shown(lines: Sequence[Any], number: int) -> str:
    """An entry as a difference shows it; `nothing` where there is none."""
    return text(lines[number]) if number < len(lines) else "nothing"


def text(value: Any) -> str:
    """A value as a difference shows it."""
    if isinstance(value, str) and value:
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _differences(recorded: Any, derived: Any, place: str) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(derived, dict):
        for key in [*recorded, *(key for key in derived if key not in recorded)]:
            inner = f"{place}.{key}" if place else key
            if key not in recorded or key not in derived:
                old, new = (
                    text(side[key]) if key in side else "nothing" for side in (recorded, derived)
                )
                yield Difference(inner, old, new)
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
