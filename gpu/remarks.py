"""What a preview says of its file beside the picture: what was tolerated there, in a text chunk of
the PNG.

So it reaches whoever has the preview, through worker processes, the render service and the store.
"""

import struct
import zlib
from collections.abc import Iterable

LENGTH = 1000  # characters
_KEYWORD = b"Tolerated\0"
_AFTER_HEADER = 33  # bytes of a PNG's signature and its first chunk


def with_remarks(picture: bytes, remarks: Iterable[str]) -> bytes:
    """The PNG with these sentences, each once; the same PNG where there are none."""
    text = text_of(remarks)
    if not text:
        return picture
    content = b"tEXt" + _KEYWORD + text.encode("ascii")
    # PNG's length leaves out the kind.
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return picture[:_AFTER_HEADER] + chunk + picture[_AFTER_HEADER:]


def text_of(remarks: Iterable[str]) -> str:
    """These sentences, each once, in at most 1000 characters of printable ASCII."""
    return _plain("; ".join(dict.fromkeys(remarks)))


def remarks_of(picture: bytes) -> str:
    """What `with_remarks` wrote into a PNG, at most 1000 characters of one line; empty where it
    wrote nothing.
    """
    head = picture[_AFTER_HEADER : _AFTER_HEADER + 8]
    if len(head) < 8 or head[4:] != b"tEXt":
        return ""
    (length,) = struct.unpack_from(">I", head)
    content = picture[_AFTER_HEADER + 8 : _AFTER_HEADER + 8 + min(length, len(_KEYWORD) + LENGTH)]
    if not content.startswith(_KEYWORD):
        return ""
    return _plain(content.removeprefix(_KEYWORD).decode("latin-1"))


def _plain(text: str) -> str:
    """Printable ASCII, cut to the length."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[:LENGTH])
    return line.encode("ascii", "replace").decode()
