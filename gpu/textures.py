"""Pictures inside a GLB, in the formats that PIL knows without help, their sizes checked before they are decoded."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from gpu.faults import Refused, Unreadable
from gpu.views import Picture

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "DDS", "PPM", "TGA")
SIDE = 8192  # pixels, at most
PIXELS = 100_000_000  # of all textures of a file together

_PNG = b"\x89PNG\r\n\x1a\n"
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, RuntimeError, struct.error, zlib.error)


def decode(data: memoryview) -> Picture:
    """A picture's RGBA (height, width, 4), of 8 bits, whatever the file has: palettes, grey or 16 bits."""
    if bytes(data[:12]) == b"\xabKTX 20\xbb\r\n\x1a\n":
        raise Refused("KTX2 textures aren't supported")
    try:
        with _opened(data) as picture:
            width, height = picture.size
            if width > SIDE or height > SIDE:
                raise Refused(f"a texture has {width} x {height} pixels, more than {SIDE} a side")
            if picture.mode.startswith("I"):
                return _sixteen_bits(picture)
            return np.asarray(picture.convert("RGBA"))
    except UnidentifiedImageError:
        raise Unreadable("a texture is none of " + ", ".join(FORMATS)) from None
    except Image.DecompressionBombError:
        raise Refused("a texture has too many pixels") from None
    except _BROKEN as error:
        raise Unreadable(f"a texture is broken: {str(error)[:200]}") from None


def pixels(data: memoryview) -> int:
    """How many pixels decoding would give; 0 where that can't be told, which `decode` then refuses."""
    try:
        with _opened(data) as picture:
            return picture.width * picture.height
    except Image.DecompressionBombError:
        raise Refused("a texture has too many pixels") from None
    except _BROKEN:
        return 0


def _opened(data: memoryview) -> Image.Image:
    return Image.open(io.BytesIO(_pixels_alone(data)), formats=FORMATS)


def _pixels_alone(data: memoryview) -> bytes | memoryview:
    """A PNG without the chunks that its pixels don't depend on, such as a tool's workflow; another file as it is."""
    if bytes(data[:8]) != _PNG:
        return data
    kept, position = [data[:8]], 8
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position) if position + 8 <= len(data) else (0, b"")
        end = position + 12 + length
        ancillary = bool(kind[:1].islower())
        if not ancillary or kind == b"tRNS":
            kept.append(data[position:end])
        position = end
    return b"".join(kept)


def _sixteen_bits(picture: Image.Image) -> Picture:
    """PIL clips 16-bit grey when it converts; its upper byte is the 8-bit value."""
    grey = (np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
    rgba = np.full((*grey.shape, 4), 255, np.uint8)
    rgba[..., :3] = grey[..., None]
    return rgba
