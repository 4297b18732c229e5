"""What a worker says, and what is believed of it.

A worker may have been taken over by the file that it shows, so its answer is a stranger's: of a
bounded length, pixels of the right number, text of one short line. The PNG is made of the pixels
here, by the process that reads the answer.
"""

import struct
from dataclasses import dataclass

from gpu.picture_size import GRID
from gpu.remarks import LENGTH, with_remarks

HEAD = struct.Struct("<cI")
PICTURE, REFUSED, DOWN, BUG, MEMORY = b"P", b"R", b"D", b"B", b"M"
PIXELS = GRID * GRID * 3  # bytes
_TEXT = 300  # characters of a reason
_TEXT_BYTES = 4 * 1024  # workers send 1,024 at most
LONGEST = {PICTURE: PIXELS + LENGTH, REFUSED: _TEXT_BYTES, DOWN: _TEXT_BYTES, BUG: _TEXT_BYTES}
LONGEST[MEMORY] = 0
"""Letter -> bytes of an answer, at most."""


class Nonsense(Exception):
    """An answer that no worker of ours gives."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The letter, and the content: pixels and remarks for `PICTURE`, otherwise a text."""

    letter: bytes
    content: bytes

    @property
    def text(self) -> str:
        """A reason, on one line, printable, cut to its length. Raises Nonsense for an empty one."""
        line = " ".join(self.content.decode(errors="replace").split())
        text = "".join(letter for letter in line if letter.isprintable())[:_TEXT]
        if not text:
            raise Nonsense("a reason without a text")
        return text

    def png(self) -> bytes:
        """The PNG of the pixels, with the remarks. Raises Nonsense if there are too few."""
        import numpy as np  # noqa: PLC0415 -- Dagster's definitions need none

        from gpu.views import png  # noqa: PLC0415 -- with numpy

        if len(self.content) < PIXELS:
            raise Nonsense("a picture of too few pixels")
        pixels = np.frombuffer(self.content, np.uint8, PIXELS).reshape(GRID, GRID, 3)
        return with_remarks(png(pixels), [self.content[PIXELS:].decode(errors="replace")])
