"""How a judge's text is read: the one JSON object in it, its penalties and its issues. No I/O.

Models don't answer exactly by the schema. They think first, put the answer into a fence or between
marks, add text around it, write 3.0 or "3" for 3, or leave a trailing comma. All of that is read.
An ambiguous answer is not: two objects, a key twice with different values, a penalty that is not a
whole number from 0 to 10.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from gen404_assets.competition.plain_text import quoted

WORST_PENALTY = 10
MAX_ISSUES = 600
"""The longest `issues`, in characters: the schema's limit, which not every server enforces."""

_THOUGHTS_OPEN = (
    r"<(?:think|thinking|thought|reasoning|seed:think)>|\[THINK\]|◁think▷"
    r"|<\|channel\|>analysis<\|message\|>"
)
_THOUGHTS_CLOSE = (
    r"</(?:think|thinking|thought|reasoning|seed:think)>|\[/THINK\]|◁/think▷"
    r"|<\|channel\|>final<\|message\|>"
)
_MARK = re.compile(
    rf"(?P<open>{_THOUGHTS_OPEN})|(?P<close>{_THOUGHTS_CLOSE})|(?P<object>\{{(?=\s*[\"}}]))|(?P<key>\"penalty_[12]\"\s*:)",
    re.IGNORECASE,
)
_MOST_TRIED = 50
"""So many braces may begin an object, so that no text takes long to read."""
# Strings, also one that breaks off, are matched first and kept, so that no comma within one is
# taken.
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*\\?(?:"|\Z))|,(?=\s*[}\]])', re.DOTALL)
_WHOLE_NUMBER = re.compile(r"\s*[0-9]{1,3}(?:\.0+)?\s*")

# Written out, since the categories of characters change with Python's version, and a replay must
# find the same text.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


class NoVerdict(ValueError):
    """The text holds no usable verdict; the message says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Penalties from 0 (perfect match) to 10 (wrong object), and a text fit for a public file."""

    penalty_1: int
    penalty_2: int
    issues: str


def read_verdict(text: str) -> Verdict:
    """The verdict in a judge's text. Raises NoVerdict.

    Only the penalties are required. A missing or null `issues` is an empty text, and one that is
    not a string is written as JSON.
    """
    objects = _objects(text)
    if not objects:
        raise NoVerdict("it holds no JSON object")
    if all(pairs is None for pairs in objects):
        raise NoVerdict("its JSON object is broken or breaks off")
    pairs, *others = objects
    if others or pairs is None:
        raise NoVerdict("it holds more than one JSON object")
    read = {"penalty_1": _penalty, "penalty_2": _penalty, "issues": _issues}
    meanings: dict[str, Any] = {}
    for key, value in pairs:
        if key in read:
            meaning = read[key](key, value)
            if meanings.setdefault(key, meaning) != meaning:
                raise NoVerdict(f"{key} occurs twice, with different values")
    for key in ("penalty_1", "penalty_2"):
        if key not in meanings:
            raise NoVerdict(f"{key} is missing")
    return Verdict(meanings["penalty_1"], meanings["penalty_2"], meanings.get("issues", ""))


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which no file in UTF-8 can hold."""
    return _SURROGATES.sub("\ufffd", text)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its keys, also those that occur twice."""


def _objects(text: str) -> list[_Pairs | None]:
    """The JSON objects beside each other in a text, without those in the model's thoughts.

    Thinking goes from its opening mark to its closing one; where there is no opening mark (it may
    stand in the question), all before the closing one was thinking. A mark inside an object's
    strings is no mark. None stands for an object that is broken or breaks off, of which a key of
    the verdict is left.
    """
    objects: list[_Pairs | None] = []
    thinking_since: int | None = None
    at, tried = 0, 0
    while mark := _MARK.search(text, at):
        at = mark.end()
        if mark["open"] and thinking_since is None:
            thinking_since = len(objects)
        elif mark["close"]:
            del objects[thinking_since or 0 :]
            thinking_since = None
        elif mark["key"]:
            objects.append(None)
        elif mark["object"]:
            tried += 1
            if tried > _MOST_TRIED:
                raise NoVerdict("it holds too many braces")
            if decoded := _decode(text[mark.start() :]):
                pairs, text = decoded
                objects.append(pairs)
                at = 0
    return objects if thinking_since is None else objects[:thinking_since]


def _decode(text: str) -> tuple[_Pairs, str] | None:
    """The object that a text begins with, and the rest; None if it begins with no whole one."""
    for candidate in (text, _TRAILING_COMMA.sub(lambda match: match[1] or "", text)):
        try:
            value, end = _DECODER.raw_decode(candidate)
        except RecursionError:
            raise NoVerdict("it holds brackets nested too deeply") from None
        except ValueError:
            continue
        return value, candidate[end:]
    return None


_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_Pairs)


def _penalty(key: str, value: Any) -> int:
    number = None
    # The last is false for infinity and NaN. True and false are integers to Python.
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        number = int(value)
    elif isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        number = int(float(value))
    if number is None or not 0 <= number <= WORST_PENALTY:
        raise NoVerdict(
            f"{key} is no whole number from 0 to {WORST_PENALTY}: {quoted(str(value), 40)!r}"
        )
    return number


def _issues(_: str, value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)
    clean = _INVISIBLE.sub("", _CONTROLS.sub(" ", without_surrogates(text)))
    return clean[:MAX_ISSUES]


def _plain(value: Any) -> Any:
    """A decoded value as `json` writes it."""
    if isinstance(value, _Pairs):
        return {key: _plain(inner) for key, inner in value}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
