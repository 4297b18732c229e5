"""State files read into typed models and written again: unknown keys stay, and an error names file
and line.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from json.decoder import scanstring  # type: ignore[attr-defined]  # undocumented, and stable since 2008
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar

import pydantic_core
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

Location: TypeAlias = tuple[str | int, ...]

# A string, a number or a word, which is all that stands between JSON's marks.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,:\[\]{}"]+')
_SPACE = re.compile(r"[ \t\n\r]*")  # JSON's, which is less than Python's
_DECODER = json.JSONDecoder()


class MalformedFile(ValueError):
    """A state file that breaks its format; the message says where and how."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}")
        self.path, self.line, self.reason = path, line, reason


class Record(BaseModel):
    """A JSON object inside a state file. Keys it doesn't know are kept."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, defer_build=True)


R = TypeVar("R", bound=Record)


class StateFile(BaseModel):
    """A JSON state file. Subclasses are `ObjectFile` or `MapFile`/`ListFile`, one a format."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True)
    one_line: ClassVar[bool] = False
    wrapper: ClassVar[str | None] = None
    """The only key of an object in which older files wrap their content."""

    @classmethod
    def parse(cls, raw: bytes, path: str) -> Self:
        """Read `raw`; `path` is for the error. Raises MalformedFile.

        What pydantic reads and is plainly what the file says (`_is_plainly`) need not be read once
        more to find keys that occur twice, and numbers that some readers refuse.
        """
        if cls.wrapper is None:
            with suppress(ValidationError):
                parsed = cls.model_validate_json(raw)
                if parsed._is_plainly(raw):
                    return parsed
        return cls._parse_strictly(raw, path)

    def _is_plainly(self, raw: bytes) -> bool:
        """Whether the bytes that this was read from hold no key twice, and no number that some
        readers refuse; False where that isn't evident. What would be written in the very same bytes
        holds none.
        """
        return self.model_dump_json(indent=2, exclude_unset=True).encode() == raw

    @classmethod
    def _parse_strictly(cls, raw: bytes, path: str) -> Self:
        text = decode_text(raw, path)
        try:
            document = json.loads(
                text, object_pairs_hook=_distinct, parse_constant=_refuse, parse_float=_finite
            )
        except json.JSONDecodeError as error:
            raise MalformedFile(path, error.lineno, error.msg) from error
        except _DuplicateKey as error:
            at, key = _repeated(text, 0) or (0, error.key)
            raise MalformedFile(path, _line(text, at), f"key {key!r} occurs twice") from error
        except (
            ValueError,
            RecursionError,
        ) as error:  # NaN, numbers of thousands of digits, endless nesting
            raise MalformedFile(path, *_unusable(text, str(error))) from error
        wrapped = cls._wraps(document)
        try:
            return cls.model_validate_json(json.dumps(document[cls.wrapper]) if wrapped else raw)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["type"] == "json_invalid":  # for pydantic alone: half a surrogate pair
                raise MalformedFile(path, *_unusable(text, first["msg"])) from error
            location = first["loc"]
            at = _place(text, (str(cls.wrapper), *location) if wrapped else location)
            where = ".".join(map(str, location))
            raise MalformedFile(
                path, _line(text, at), f"{where}: {first['msg']}" if where else first["msg"]
            ) from error

    @classmethod
    def _wraps(cls, document: Any) -> bool:
        return (
            cls.wrapper is not None
            and isinstance(document, dict)
            and set(document) == {cls.wrapper}
        )

    def to_bytes(self, replacing: bytes | None = None) -> bytes:
        """The file's bytes.

        `replacing`: the present bytes of the file. They are returned if their content is the same.
        Otherwise their order of keys, indentation and final newline are kept, so that a diff shows
        the change alone.
        """
        content = self.model_dump(mode="json", exclude_unset=True)
        if replacing is None:
            return (
                json.dumps(content).encode()
                if self.one_line
                else pydantic_core.to_json(content, indent=2)
            )
        if self.says_the_same(type(self).parse(replacing, "the file replaced")):
            return replacing
        original = json.loads(replacing)
        if self._wraps(original):
            content = {str(self.wrapper): content}
        indent = re.match(rb"[\[{]\r?\n( *)", replacing)
        followed = self._follow(content, original)
        written = (
            pydantic_core.to_json(followed, indent=len(indent[1]))
            if indent
            else json.dumps(followed).encode()
        )
        return written + b"\n" if replacing.endswith(b"\n") else written

    def says_the_same(self, other: Self) -> bool:
        """Whether both have the same content."""
        return self == other

    def _follow(self, content: Any, original: Any) -> Any:
        """`content`, laid out as far as may be like the document it replaces."""
        return _in_order_of(content, original)


class ObjectFile(StateFile):
    """A state file that is a JSON object with the keys of its class, and others, which are kept."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, defer_build=True)


class MapFile(StateFile, RootModel[dict[str, R]], Generic[R]):
    """A state file that maps hotkeys (or prompt stems) to records, in an order that means
    something.
    """

    def says_the_same(self, other: Self) -> bool:
        return self == other and self.names == other.names

    def _follow(self, content: Any, original: Any) -> Any:
        return {key: _in_order_of(value, original.get(key)) for key, value in content.items()}

    def __getitem__(self, key: str) -> R:
        return self.root[key]

    def __contains__(self, key: str) -> bool:
        return key in self.root

    def __len__(self) -> int:
        return len(self.root)

    @property
    def names(self) -> list[str]:
        """The hotkeys (or stems) in the file's order."""
        return list(self.root)

    def get(self, key: str) -> R | None:
        return self.root.get(key)

    def items(self) -> list[tuple[str, R]]:
        return list(self.root.items())


class ListFile(StateFile, RootModel[list[R]], Generic[R]):
    """A state file that is an array of records."""

    def __len__(self) -> int:
        return len(self.root)


def decode_text(raw: bytes, path: str) -> str:
    """UTF-8 text of a state file. Raises MalformedFile with the line of the first bad byte."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedFile(path, raw.count(b"\n", 0, error.start) + 1, "not UTF-8") from error


class _DuplicateKey(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKey(next(key for key in keys if keys.count(key) > 1))
    return members


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number")
    return number


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _unusable(text: str, reason: str) -> tuple[int, str]:
    """(line, reason) of the first value that is JSON to some readers alone; the first line where
    none is at fault.
    """
    # One for all of them: a file may hold millions, and `json.loads` makes one each.
    token_decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
    for token in _TOKEN.finditer(text):
        try:
            value = token_decoder.decode(token[0])
            if isinstance(value, str):
                value.encode()
        except UnicodeEncodeError:
            return _line(text, token.start()), f"{token[0]} is no text"
        except ValueError as error:
            return _line(text, token.start()), str(error)
    return 1, reason


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _members(text: str, at: int) -> Iterator[tuple[str | int, int, int]]:
    """(key or index, its position, its value's position) of the JSON object or array that begins at
    `at`.
    """
    opening, at = text[at], _skip(text, at + 1)
    index = 0
    while text[at] not in "]}":
        key: str | int = index
        start = at
        if opening == "{":
            key, at = scanstring(text, at + 1)
            at = _skip(text, _skip(text, at) + 1)
        yield key, start, at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at
        index += 1


def _place(text: str, location: Location) -> int:
    """Where in a valid JSON text the value at `location` begins; its nearest container where it is
    missing.
    """
    at = _skip(text, 0)
    for step in location:
        if text[at] not in "[{":
            break
        within = next((value for key, _, value in _members(text, at) if key == step), None)
        if within is None:
            break
        at = within
    return at


def _repeated(text: str, at: int) -> tuple[int, str | int] | None:
    """The first key, with its place, that its object already has; None if none does."""
    at = _skip(text, at)
    if text[at] not in "[{":
        return None
    seen: set[str | int] = set()
    for key, start, value in _members(text, at):
        if key in seen:
            return start, key
        seen.add(key)
        if inner := _repeated(text, value):
            return inner
    return None


def _in_order_of(content: Any, original: Any) -> Any:
    """`content` with the key order, and where equal the very numbers, of `original`."""
    if isinstance(content, dict) and isinstance(original, dict):
        known = {
            key: _in_order_of(content[key], original[key]) for key in original if key in content
        }
        return known | {key: value for key, value in content.items() if key not in original}
    if isinstance(content, list) and isinstance(original, list):
        paired = [_in_order_of(new, old) for new, old in zip(content, original, strict=False)]
        return paired + content[len(original) :]
    same = content == original and isinstance(content, bool) == isinstance(original, bool)
    return original if same else content
