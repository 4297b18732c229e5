"""Picture files without what says nothing about their pixels.

Text, profiles, previews and the like may be of any size, and broken: a decoder that reads them
stumbles over them, and glTF has them ignored.
"""

import struct
import zlib
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
_PNG_END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
_JPEG = b"\xff\xd8"
# The markers whose segments are left out: applications' own, but JFIF's (0) and Adobe's (14), which
# say how colours are meant, and comments
_JPEG_LEFT_OUT = {0xE0 + number for number in range(1, 16) if number != 14} | {0xFE}
_JPEG_BARE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
_JPEG_SCAN = 0xDA  # SOS: entropy-coded data follows, without segments


def pixels_alone(data: memoryview) -> memoryview:
    """A PNG or JPEG with only what its pixels need; any other file as it is."""
    if data[: len(_PNG)] == _PNG:
        return memoryview(b"".join([_PNG, *_png_chunks(data), _PNG_END]))
    if data[:2] == _JPEG:
        return memoryview(b"".join([_JPEG, *_jpeg_segments(data)]))
    return data


def _png_chunks(data: memoryview) -> Iterator[memoryview]:
    """Up to the end, or to a chunk that is cut short: what is missing of the pixels is the
    decoder's to notice.
    """
    at = len(_PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind in _PNG_KEPT:
            yield data[at:end]
        elif kind == b"IEND":
            return
        at = end


def _jpeg_segments(data: memoryview) -> Iterator[memoryview]:
    """Up to the first scan, from where on all is kept."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker == _JPEG_SCAN:
            break
        end = (
            at + 2
            if marker in _JPEG_BARE
            else at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        )
        if marker not in _JPEG_LEFT_OUT:
            yield data[at:end]
        at = end
    yield data[at:]
