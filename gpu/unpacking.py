"""Pictures that somebody sent, unpacked by Pillow: of named formats, of bounded dimensions, and
with all that Pillow raises over bytes that are not what they should be.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, RuntimeError),
    # Pillow's readers raise these too, of a TIFF's place that is a fraction, or of a length in a
    # JPEG 2000 that no size can be.
    *(TypeError, ArithmeticError, AssertionError, AttributeError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


class NoPicture(Exception):
    """Bytes that are no picture as it is wanted; the message is the reason."""


@contextmanager
def opened(file: bytes, formats: tuple[str, ...], most: int) -> Iterator[Image.Image]:
    """A picture of one of `formats` (Pillow's names) and at most so many pixels, to be unpacked in
    the block. Raises NoPicture, for what is found in the block as well.
    """
    try:
        with Image.open(io.BytesIO(file), formats=formats) as picture:
            if picture.width * picture.height > most:
                size = f"{picture.width} by {picture.height} pixels"
                raise NoPicture(f"too large: {size}, more than {most}")
            yield picture
    except UnidentifiedImageError:
        raise NoPicture(f"no {', '.join(formats)}") from None
    except Image.DecompressionBombError as error:
        raise NoPicture(f"too large: {error}") from None
    except BROKEN as error:
        raise NoPicture(f"a picture that can't be read: {str(error)[:200]}") from error


def unpacked(file: bytes, most: int) -> Image.Image:
    """A preview (PNG alone) of at most so many pixels, as RGB. Raises NoPicture."""
    with opened(file, ("PNG",), most) as picture:
        return picture.convert("RGB")
