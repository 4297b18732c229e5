"""How a well-formed input is spoilt: bytes, lines, JSON values, and the parts of GLB and PNG
files."""

import json
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

Mutate = Callable[[Random, bytes, Sequence[bytes]], bytes]
"""(randomness, an input, inputs of its kind to take parts of) -> a spoilt one."""

_NUMBERS = [
    0,
    1,
    -1,
    2,
    255,
    256,
    65_535,
    65_536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**53 + 1,
    2**63,
    -(2**63),
    10**30,
]
_FLOATS = [0.0, -0.0, 0.5, 1e-320, 1e38, -1e39, 1e308, 3.0]
_TEXTS = [
    "",
    " ",
    "\0",
    "\ud800",
    "é",
    "\u202e",
    "a" * 300,
    "0",
    "1e5",
    "null",
    "../../x",
    "http://[",
    "\x1b[2J",
    "\n",
]
_RAW = [
    "NaN",
    "-Infinity",
    "1e999",
    "-1e999",
    "1" * 5_000,
    "0." + "1" * 5_000,
    '"\\ud800"',
    '"\\udc00\\ud800"',
    "01",
]
_RAW += [
    "[" * 90 + "]" * 90,
    "[" * 5_000 + "]" * 5_000,
    '{"a":' * 2_000 + "1" + "}" * 2_000,
    '{"a":1,"a":2}',
    "'x'",
]
_NO_JSON = (
    ValueError,
    LookupError,
    TypeError,
    RecursionError,
)  # what was spoilt before is, as often as not
_WORDS = re.compile(rb"[0-9]+(?:\.[0-9]+)?")


def bytes_of(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A few changes to bytes, wherever they are."""
    mutated = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 3, 8])):
        at, size = _place(random, mutated), 1 << random.randrange(8)
        match random.randrange(9):
            case 0:
                mutated[at : at + 1] = bytes([random.randrange(256)])
            case 1 if mutated:
                mutated[min(at, len(mutated) - 1)] ^= 1 << random.randrange(8)
            case 2:
                del mutated[at : at + size]
            case 3:
                mutated[at:at] = random.randbytes(size)
            case 4:
                mutated[at:at] = mutated[_place(random, mutated) :][:size]
            case 5:
                del mutated[at:]
            case 6:
                mutated[at : at + 4] = struct.pack(
                    "<I", random.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1])
                )
            case 7:
                other = random.choice(others)
                mutated[at:] = other[_place(random, other) :]
            case 8:
                _number(random, mutated)
    return bytes(mutated)


def lines_of(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A few lines doubled, removed, moved, taken from elsewhere or cut; or bytes changed."""
    if random.random() < 0.4:
        return bytes_of(random, data, others)
    lines = data.split(b"\n")
    for _ in range(random.choice([1, 1, 2, 4])):
        at = random.randrange(len(lines))
        match random.randrange(6):
            case 0:
                lines[at:at] = [lines[at]] * random.choice([1, 1, 1000])
            case 1 if len(lines) > 1:
                del lines[at]
            case 2:
                lines.insert(at, lines.pop(random.randrange(len(lines))))
            case 3:
                lines[at] = random.choice(random.choice(others).split(b"\n"))
            case 4:
                lines[at] = bytes_of(random, lines[at], others)
            case 5:
                words = re.split(rb"([:,; ])", lines[at])
                words[random.randrange(len(words))] = random.choice(_TEXTS).encode(
                    errors="surrogatepass"
                )
                lines[at] = b"".join(words)
    return b"\n".join(lines)


def json_of(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A few values of a JSON document exchanged for others that are hard to read; or bytes
    changed."""
    if random.random() < 0.2:
        return bytes_of(random, data, others)
    try:
        return spoilt_json(random, data)
    except _NO_JSON:
        return bytes_of(random, data, others)


def spoilt_json(random: Random, data: bytes) -> bytes:
    """The document's text after a few changes, some of which only a text can hold (NaN, a key
    twice)."""
    document, raw = json.loads(data), list[str]()
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        document = _spoil(random, document, raw)
    text = json.dumps(document, indent=random.choice([None, 2]), ensure_ascii=random.random() < 0.7)
    for number, instead in enumerate(raw):
        text = text.replace(f'"@raw {number}@"', instead)
    return text.encode(errors="surrogatepass")


def answer_of(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A chat completion whose content, JSON inside JSON, is spoilt as often as the completion
    itself."""
    if random.random() < 0.4:
        return json_of(random, data, others)
    try:
        body = json.loads(data)
        message = body["choices"][0]["message"]
        content = random.choice([json_of, lines_of])(
            random, str(message["content"]).encode(), others
        )
        message["content"] = content.decode(errors="replace")
        return json.dumps(body).encode()
    except _NO_JSON:
        return bytes_of(random, data, others)


def glb_of(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A GLB whose JSON or binary part is spoilt and whose lengths are right; or one with bytes
    changed anywhere."""
    if random.random() < 0.2:
        return bytes_of(random, data, others)
    try:
        size = struct.unpack_from("<I", data, 12)[0]
        text, binary = data[20 : 20 + size], data[28 + size :]
        if random.random() < 0.75:
            text = spoilt_json(random, text)
        else:
            binary = bytes_of(random, binary, others)
    except (struct.error, *_NO_JSON):
        return bytes_of(random, data, others)
    text += b" " * (-len(text) % 4)
    body = (
        struct.pack("<I4s", len(text), b"JSON")
        + text
        + struct.pack("<I4s", len(binary), b"BIN\0")
        + binary
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def png_of(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A PNG with chunks spoilt, doubled, removed or moved, their checksums right; or one with
    bytes changed."""
    if not data.startswith(b"\x89PNG") or random.random() < 0.3:
        return bytes_of(random, data, others)
    chunks, at = list[tuple[bytes, bytes]](), 8
    while at + 12 <= len(data):
        size = struct.unpack_from(">I", data, at)[0]
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    kinds = [
        b"IHDR",
        b"PLTE",
        b"tRNS",
        b"IDAT",
        b"zTXt",
        b"iCCP",
        b"acTL",
        b"fcTL",
        b"fdAT",
        b"eXIf",
        b"gAMA",
    ]
    for _ in range(random.choice([1, 1, 2, 3]) if chunks else 0):
        place = random.randrange(len(chunks))
        kind, content = chunks[place]
        match random.randrange(5):
            case 0:
                chunks[place] = kind, bytes_of(random, content, others)
            case 1:
                chunks.insert(random.randrange(len(chunks)), chunks[place])
            case 2 if len(chunks) > 1:
                del chunks[place]
            case 3:
                chunks.insert(
                    place,
                    (random.choice(kinds), random.randbytes(random.choice([0, 1, 4, 13, 26, 300]))),
                )
            case 4:
                squeezed = b"x\0\0" + zlib.compress(bytes(random.choice([100, 3_000_000])))
                chunks.insert(place, (random.choice([b"zTXt", b"iCCP"]), squeezed))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _place(random: Random, data: bytes | bytearray) -> int:
    """Somewhere in it; the beginning, where headers are, more often."""
    size = len(data) if random.random() < 0.5 else min(len(data), 200)
    return random.randrange(size + 1)


def _number(random: Random, data: bytearray) -> None:
    """Exchange a number that is written in digits."""
    words = list(_WORDS.finditer(bytes(data[:65_536])))
    if words:
        word = random.choice(words)
        data[word.start() : word.end()] = str(random.choice(_NUMBERS + _FLOATS)).encode()


def _spoil(random: Random, document: Any, raw: list[str]) -> Any:
    """The document with one value, key or member changed; what JSON can't hold is put into `raw`
    and marked."""
    places = list(_places(document))
    if not places:
        return _value(random, raw)
    holder, key = random.choice(places)
    match random.randrange(12):
        case 0 | 1:
            holder[key] = _value(random, raw)
        case 9 | 10 | 11:
            holder[key] = _alike(random, holder[key], places)
        case 4:
            del holder[key]
        case 5:
            other, name = random.choice(places)
            holder[key], other[name] = deepcopy(other[name]), deepcopy(holder[key])
        case 6 if isinstance(holder, dict):
            holder[random.choice([*_TEXTS, str(key).upper(), f"{key} "])] = holder[key]
        case 7:
            holder[key] = [holder[key]] * random.choice([1, 2, 500])
        case _:
            inner = holder[key]
            holder[key] = str(inner) if isinstance(inner, (int, float)) else {"x": inner}
    return document


def _alike(random: Random, value: Any, places: Sequence[tuple[Any, Any]]) -> Any:
    """Another value of the same type, so that it is read further: a neighbour, or one from
    elsewhere."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and random.random() < 0.5:
        return random.choice([value + 1, value - 1, -value, value * 2, value / 3, 0, 1, 2, 3, 4])
    same = [holder[key] for holder, key in places if type(holder[key]) is type(value)]
    return deepcopy(random.choice(same))


def _value(random: Random, raw: list[str]) -> Any:
    if random.random() < 0.25:
        raw.append(random.choice(_RAW))
        return f"@raw {len(raw) - 1}@"
    return random.choice([None, True, False, [], {}, [[]], *_NUMBERS, *_FLOATS, *_TEXTS])


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Every (object or array, key or index) of a document that isn't nested beyond reason."""
    places: list[tuple[Any, Any]] = []
    todo = [document]
    while todo and len(places) < 10_000:
        holder = todo.pop()
        members = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, inner in list(members) if isinstance(holder, (dict, list)) else ():
            places.append((holder, key))
            if isinstance(inner, (dict, list)):
                todo.append(inner)
    return places
