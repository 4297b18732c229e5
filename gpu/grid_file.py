"""Whether bytes are the PNG of four views, as the renderer makes it, and hold nothing beside it.

Without numpy and Pillow, and without unpacking more than such a picture has.
"""

import struct
import zlib
from collections.abc import Iterator

from gpu.picture_size import GRID

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST = 4 * 2**20
"""Bytes: the pixels as they are, and room for texts."""
_CHANNELS = {2: 3, 6: 4}  # colour type -> RGB, RGBA
_TEXTS = {b"tEXt", b"iTXt", b"zTXt"}
_PLAIN = {b"gAMA", b"sRGB", b"cHRM", b"pHYs", b"tIME", b"sBIT"}
_TEXT_BYTES = 2**16
"""Of all chunks beside the pixels together; the renderer's remarks take a thousand."""


def is_grid(file: bytes) -> bool:
    """Whether every chunk is whole and known, the picture has GRID x GRID pixels of 8 bits, RGB or
    RGBA, not interlaced, and its rows are all there.
    """
    if len(file) > _MOST or not file.startswith(_SIGNATURE):
        return False
    try:
        chunks = list(_chunks(file))
        return _is_picture(chunks)
    except (struct.error, zlib.error, ValueError):
        return False


def _chunks(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's kind and content. Raises ValueError and struct.error for a broken one."""
    at = len(_SIGNATURE)
    while at < len(file):
        length, kind = struct.unpack_from(">I4s", file, at)
        content = file[at + 8 : at + 8 + length]
        (check,) = struct.unpack_from(">I", file, at + 8 + length)
        if check != zlib.crc32(content, zlib.crc32(kind)):
            raise ValueError("a chunk whose check is wrong")
        yield kind, content
        at += 12 + length


def _is_picture(chunks: list[tuple[bytes, bytes]]) -> bool:
    """Raises struct.error and zlib.error."""
    kinds = [kind for kind, _ in chunks]
    if len(kinds) < 3 or kinds[0] != b"IHDR" or kinds[-1] != b"IEND" or chunks[-1][1]:
        return False
    beside = [(kind, content) for kind, content in chunks[1:-1] if kind != b"IDAT"]
    if any(kind not in _TEXTS | _PLAIN for kind, _ in beside):
        return False
    if sum(len(content) for _, content in beside) > _TEXT_BYTES:
        return False
    width, height, *form = struct.unpack(">IIBBBBB", chunks[0][1])
    depth, colours, *methods = form
    channels = _CHANNELS.get(colours)
    if (width, height, depth, methods) != (GRID, GRID, 8, [0, 0, 0]) or channels is None:
        return False
    return _has_rows(b"".join(content for kind, content in chunks if kind == b"IDAT"), channels)


def _has_rows(packed: bytes, channels: int) -> bool:
    """Whether they are this many, each with a filter that there is. Raises zlib.error."""
    row = 1 + channels * GRID
    unpacking = zlib.decompressobj()
    rows = unpacking.decompress(packed, row * GRID + 1)  # a byte more shows that there are too many
    ends = unpacking.eof and not unpacking.unused_data
    return ends and len(rows) == row * GRID and max(rows[::row]) <= 4  # PNG's filters are 0 to 4
