"""Pictures inside a GLB: PNG, JPEG and WebP, their sizes checked before they are decoded."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from gpu.faults import Refused
from gpu.views import Picture

FORMATS = ("PNG", "JPEG", "WEBP")
SIDE = 8192  # pixels, at most
PIXELS = 100_000_000  # of all textures of a file together

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error)


def decode(data: memoryview) -> Picture:
    """A picture's RGBA (height, width, 4), of 8 bits, whatever the file has: palettes, grey or 16 bits."""
    if bytes(data[:12]) == b"\xabKTX 20\xbb\r\n\x1a\n":
        raise Refused("KTX2 textures aren't supported")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width > SIDE or height > SIDE:
                raise Refused(f"a texture has {width} x {height} pixels, more than {SIDE} a side")
            if picture.mode.startswith("I"):
                return _sixteen_bits(picture)
            return np.asarray(picture.convert("RGBA"))
    except UnidentifiedImageError:
        raise Refused("a texture is none of " + ", ".join(FORMATS)) from None
    except Image.DecompressionBombError:
        raise Refused("a texture has too many pixels") from None
    except _BROKEN as error:
        raise Refused(f"a texture is broken: {str(error)[:200]}") from None


def pixels(data: memoryview) -> int:
    """How many pixels decoding would give; 0 where that can't be told, which `decode` then refuses."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return picture.width * picture.height
    except Image.DecompressionBombError:
        raise Refused("a texture has too many pixels") from None
    except _BROKEN:
        return 0


def _sixteen_bits(picture: Image.Image) -> Picture:
    """PIL clips 16-bit grey when it converts; its upper byte is the 8-bit value."""
    grey = (np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
    rgba = np.full((*grey.shape, 4), 255, np.uint8)
    rgba[..., :3] = grey[..., None]
    return rgba
