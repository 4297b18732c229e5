"""Pictures inside a GLB: their sizes checked before they are decoded."""

import io
from collections.abc import Mapping

import numpy as np
from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from gpu.faults import Refused, Unreadable
from gpu.meshes.picture_files import pixels_alone
from gpu.unpacking import BROKEN
from gpu.views import Picture

# What PIL decodes by itself: a PostScript, for one, would be another program's to run.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "DDS", "PPM", "TGA")
SIDE = 8192  # pixels, at most
PIXELS = 100_000_000  # of all textures of a file together

_FOUR_BYTES = ("PNG", "JPEG")  # PIL has their RGB in four bytes a pixel, the last of them 255

# PIL imports the decoders when it wants them, which a worker that can open no file can't.
Image.init()
# Nor can a worker start a thread.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def decode_all(files: Mapping[int, memoryview]) -> dict[int, Picture | Unreadable]:
    """Each picture by its number, or what is wrong with it.

    Raises Refused, before any is decoded if they are too large together.
    """
    plain = {number: pixels_alone(file) for number, file in files.items()}
    total = sum(map(_pixels, plain.values()))
    if total > PIXELS:
        raise Refused(f"the textures have {total:,} pixels, more than {PIXELS:,}")
    return {number: _decoded_or_not(file) for number, file in plain.items()}


def _decoded_or_not(data: memoryview) -> Picture | Unreadable:
    try:
        return _decoded(data)
    except Unreadable as unreadable:
        return unreadable


def _decoded(data: memoryview) -> Picture:
    """A picture's RGBA (height, width, 4), of 8 bits, whatever the file has: palettes, grey or 16
    bits.

    As glTF has it, an orientation or a colour profile that the file carries changes nothing. Raises
    Unreadable for a broken picture, Refused for one that is too large or needs what isn't here.
    """
    if bytes(data[:12]) == b"\xabKTX 20\xbb\r\n\x1a\n":
        raise Refused("KTX2 textures aren't supported")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width > SIDE or height > SIDE:
                raise Refused(f"a texture has {width} x {height} pixels, more than {SIDE} a side")
            if picture.mode.startswith("I"):
                return _sixteen_bits(picture)
            if (
                picture.mode == "RGB"
                and picture.format in _FOUR_BYTES
                and "transparency" not in picture.info
            ):
                picture.load()
                pixels = picture.tobytes("raw", "RGBX")  # without the copy that `convert` makes
                return np.frombuffer(pixels, np.uint8).reshape(height, width, 4)
            return np.asarray(picture.convert("RGBA"))
    except UnidentifiedImageError:
        raise Unreadable("a texture is none of " + ", ".join(FORMATS)) from None
    except Image.DecompressionBombError:
        raise Refused("a texture has too many pixels") from None
    except BROKEN as error:
        raise Unreadable(f"a texture is broken: {str(error)[:200]}") from None


def pixels(data: memoryview) -> int:
    """How many pixels decoding would give; 0 where that can't be told, which `decode` then
    refuses.
    """
    return _pixels(pixels_alone(data))


def _pixels(data: memoryview) -> int:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return picture.width * picture.height
    except Image.DecompressionBombError:
        raise Refused("a texture has too many pixels") from None
    except BROKEN:
        return 0


def _sixteen_bits(picture: Image.Image) -> Picture:
    """PIL clips 16-bit grey when it converts; its upper byte is the 8-bit value."""
    values = np.asarray(picture).astype(np.uint32)
    rgba = np.full((*values.shape, 4), 255, np.uint8)
    rgba[..., :3] = (values >> 8).clip(0, 255)[..., None]
    if isinstance(through := picture.info.get("transparency"), int):
        rgba[values == through, 3] = 0
    return rgba
