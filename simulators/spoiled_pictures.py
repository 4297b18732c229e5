"""Files that say they are a PNG of four views and are none: for whoever takes a preview."""

import struct
import zlib

from gpu.picture_size import GRID


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def png(*beside: bytes, size: tuple[int, int] = (GRID, GRID), rows: int = GRID) -> bytes:
    """A PNG that says it has this size in RGB, with so many rows of black, and chunks beside."""
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + 3 * GRID) * rows))
    chunks = [chunk(b"IHDR", header), *beside, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


GOOD = png()
NO_PNG = {
    "empty": b"",
    "a page": b"<html>",
    "cut off": GOOD[:200] + GOOD[-12:],
    "a broken chunk": GOOD[:33] + b"\0\0\0\5!!!!" + GOOD[41:],
    "a broken header": GOOD[:16] + b"\0\0\0\0" + GOOD[20:],
    "a bomb": png(size=(60_000, 60_000)),
    "rows that are not packed": GOOD[:60] + b"zzzzzzzzz" + GOOD[69:],
}
"""What Pillow can't unpack either, each in a way of its own."""
NO_GRID = NO_PNG | {
    "too few rows": png(rows=7),
    "junk between": GOOD[:33] + b"A" * 15_000_000 + GOOD[-12:],
    "junk after": GOOD + b"A" * 1000,
    "another size": png(size=(GRID, 1000), rows=1000),
    "too many rows": png(rows=GRID + 1),
    "rows without end": png(rows=30 * GRID),
    "a profile": png(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(500)))),
    "a private chunk": png(chunk(b"prVt", b"A" * 1000)),
    "a megabyte of text": png(chunk(b"tEXt", b"Tolerated\0" + b"A" * 2**20)),
}
"""What isn't the picture that the renderer makes, though a reader may show it."""
