"""The container of a GLB file: the JSON in it, and the bytes of its binary chunk.

Read as three.js and trimesh do: a chunk counts if it is whole, whatever the header says of the
file's length; chunks of unknown kinds are skipped.
"""

import json
import struct
from collections.abc import Iterator
from typing import Any

from gpu.faults import Refused
from gpu.meshes.tolerance import Note

JSON_BYTES = 2**25
"""Parsed, it takes many times as much memory."""
MANY_CHUNKS = 1024
"""A GLB needs two; a file of empty ones ends here."""
_JSON, _BINARY = b"JSON", b"BIN\0"


def read_glb(data: memoryview, note: Note) -> tuple[dict[str, Any], memoryview]:
    """A GLB's JSON, and its binary chunk (empty if there is none). Raises Refused."""
    if len(data) < 20 or bytes(data[:4]) != b"glTF":
        raise Refused("the file isn't a GLB")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise Refused(f"the file is a GLB of version {version}; only 2 is supported")
    chunks: dict[bytes, memoryview] = {}
    for kind, content in _chunks(data, note):
        if not chunks and kind != _JSON:
            raise Refused("the GLB doesn't begin with its JSON")
        if kind in chunks:
            raise Refused(f"the GLB has two chunks {kind.rstrip(bytes(1)).decode()}")
        if kind in (_JSON, _BINARY):
            chunks[kind] = content
    if length != len(data):
        note(f"the header says that the file has {length:,} bytes, and it has {len(data):,}")
    text = chunks.get(_JSON, memoryview(b""))
    if len(text) > JSON_BYTES:
        raise Refused(f"the GLB's JSON has more than {JSON_BYTES:,} bytes")
    return _parsed(bytes(text), note), chunks.get(_BINARY, memoryview(b""))


def _chunks(data: memoryview, note: Note) -> Iterator[tuple[bytes, memoryview]]:
    position = 12  # after magic, version and length
    for _ in range(MANY_CHUNKS):
        if position + 8 > len(data):
            break
        size, kind = struct.unpack_from("<I4s", data, position)
        aligned = position + -position % 4
        if kind not in (_JSON, _BINARY) and bytes(data[aligned + 4 : aligned + 8]) == _BINARY:
            position = aligned  # the chunk before has a length without its padding
            size, kind = struct.unpack_from("<I4s", data, position)
        if size > len(data) - position - 8:
            if kind in (_JSON, _BINARY):
                raise Refused("the file is cut short: a chunk of the GLB is longer than the file")
            break
        yield kind, data[position + 8 : position + 8 + size]
        position += 8 + size
    if position < len(data):
        note("bytes after the last chunk are ignored")


def _parsed(text: bytes, note: Note) -> dict[str, Any]:
    """The first value of the text, which may be padded with anything."""
    characters = text.decode(errors="replace").lstrip("\ufeff \t\r\n\0")
    try:
        document, end = json.JSONDecoder().raw_decode(characters)
    except RecursionError:
        raise Refused(
            "the glTF's JSON is wrong: it is nested too deep, beyond the recursion limit"
        ) from None
    except ValueError as error:
        raise Refused(f"the glTF's JSON is wrong: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise Refused("the glTF's JSON is wrong: it isn't an object")
    if characters[end:].strip(" "):
        note("the JSON is padded with something else than spaces")
    return document
