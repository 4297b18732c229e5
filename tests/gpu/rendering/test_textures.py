"""Textures: every format that is decoded, and whatever else is in a picture's file changes
nothing.
"""

import io
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gpu.faults import Refused, Unreadable
from gpu.meshes.textures import decode_all, pixels
from gpu.workers.pool import Pool
from gpu.workers.warmup import textured

PIXELS = np.random.default_rng(7).integers(0, 256, (12, 20, 3), np.uint8)


def saved(form: str, picture: Image.Image | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    (picture or Image.fromarray(PIXELS)).save(file, form, **options)
    return file.getvalue()


def read(content: bytes) -> NDArray[np.uint8]:
    picture = decode_all({0: memoryview(content)})[0]
    if isinstance(picture, Unreadable):
        raise picture
    return picture


def chunk(kind: bytes, content: bytes, *, checksum: int | None = None) -> bytes:
    check = zlib.crc32(kind + content) if checksum is None else checksum
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def with_chunk(png: bytes, extra: bytes) -> bytes:
    """A PNG with something more behind its header."""
    return png[:33] + extra + png[33:]


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP", "TIFF", "TGA", "PPM", "WEBP", "DDS"])
def test_a_format_without_loss_gives_its_pixels(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    picture = Image.fromarray(PIXELS)
    if form == "GIF":
        picture = picture.quantize(256)
    decoded = read(saved(form, picture, **options))
    assert np.array_equal(decoded[..., :3], np.asarray(picture.convert("RGB")))
    assert (decoded[..., 3] == 255).all()


@pytest.mark.parametrize("form", ["JPEG", "AVIF", "JPEG2000", "WEBP"])
def test_a_format_with_loss_gives_about_its_pixels(form: str) -> None:
    smooth = Image.fromarray(PIXELS[:2, :2]).resize((40, 40), Image.Resampling.BICUBIC)
    decoded = read(saved(form, smooth))
    assert np.abs(decoded[..., :3].astype(int) - np.asarray(smooth)).mean() < 8


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "TGA", "AVIF", "JPEG2000"])
def test_a_worker_decodes_them_all_after_it_has_given_up_files(
    form: str, pool: Pool, tmp_path: Path
) -> None:
    file = tmp_path / "textured.glb"
    file.write_bytes(textured(saved(form)))
    assert pool.render(file, "glb").startswith(b"\x89PNG")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_rgba(mode: str) -> None:
    if mode == "I;16":
        grey = (np.arange(240, dtype=np.uint16) * 270).reshape(12, 20)
        decoded = read(saved("PNG", Image.fromarray(grey)))
        assert np.array_equal(decoded[..., 0], grey >> 8)
    else:
        picture = Image.fromarray(PIXELS).convert(mode)
        assert np.array_equal(read(saved("PNG", picture)), np.asarray(picture.convert("RGBA")))


def test_colours_of_16_bits_give_their_upper_bytes() -> None:
    wide = np.random.default_rng(1).integers(0, 65536, (4, 4, 3), np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.array_equal(read(png)[..., :3], wide >> 8)


def test_a_colour_that_a_png_calls_transparent_is() -> None:
    marked = saved("PNG", transparency=tuple(int(value) for value in PIXELS[3, 4]))
    assert read(marked)[3, 4, 3] == 0
    assert read(marked)[0, 0, 3] == 255
    grey = np.full((2, 2), 1000, np.uint16)
    grey[0, 0] = 2000
    through = with_chunk(
        saved("PNG", Image.fromarray(grey)), chunk(b"tRNS", struct.pack(">H", 2000))
    )
    assert read(through)[..., 3].tolist() == [[0, 255], [255, 255]]


def test_print_colours_of_a_jpeg_are_read() -> None:
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.abs(read(saved("JPEG", cmyk))[8, 8].astype(int) - (255, 0, 0, 255)).max() < 8


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"workflow\0" + b"x" * 2_000_000),
        chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(80_000_000), 9)),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(80_000_000), 9)),
        chunk(b"iTXt", b"no end"),
        chunk(b"tEXt", b"a wrong checksum", checksum=1),
        chunk(b"eXIf", b"MM\0*" + bytes(40)),
        chunk(b"gAMA", struct.pack(">I", 10_000)),
    ],
    ids=["2 MB of text", "a text bomb", "a profile bomb", "text", "checksum", "exif", "gamma"],
)
def test_what_is_beside_a_pngs_pixels_changes_nothing(extra: bytes) -> None:
    plain = saved("PNG")
    began = time.process_time()
    assert np.array_equal(read(with_chunk(plain, extra)), read(plain))
    assert pixels(memoryview(with_chunk(plain, extra))) == 240
    assert time.process_time() - began < 1


def test_a_png_whose_last_text_is_cut_short_is_whole() -> None:
    plain = saved("PNG")
    assert np.array_equal(read(plain[:-12] + chunk(b"tEXt", b"x" * 50)[:30]), read(plain))
    assert np.array_equal(read(plain[:-12]), read(plain))


def test_what_is_beside_a_jpegs_pixels_changes_nothing() -> None:
    plain = saved("JPEG")

    def segment(marker: int, content: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content

    extra = segment(0xE1, b"Exif\0\0II*\0" + b"\xff" * 100) + segment(0xE2, b"MPF\0" + b"\xff" * 60)
    extra += segment(0xE2, b"ICC_PROFILE\0\x01\x09") * 300 + segment(0xFE, b"x" * 60_000) + b"\xff"
    assert np.array_equal(read(plain[:2] + extra + plain[2:]), read(plain))


JPEG2000_OF_ANY_LENGTH = (
    b"\0\0\0\x0cjP  \r\n\x87\n"
    + struct.pack(">I4sQ", 1, b"ftyp", 2**63 + 16)  # a box whose length is in 64 bits
    + b"jp2 \0\0\0\0"
)


def tiff_whose_strips_begin_at_a_fraction() -> bytes:
    """Its tag StripOffsets (273) has the type RATIONAL (5), for which no place is a whole one."""
    tiff = bytearray(saved("TIFF"))
    at = tiff.index(struct.pack("<HH", 273, 4))
    struct.pack_into("<H", tiff, at + 2, 5)
    struct.pack_into("<I", tiff, at + 8, 8)  # where its two numbers are: in the first tags
    return bytes(tiff)


def test_an_orientation_turns_nothing() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    assert np.array_equal(read(saved("JPEG", exif=turned)), read(saved("JPEG")))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "none of PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "none of PNG"),
        (saved("PNG")[:200], "broken"),
        (b"\x89PNG\r\n\x1a\n", "none of PNG|broken"),
        (b"\xff\xd8\xff\xe1", "none of PNG|broken"),
        (tiff_whose_strips_begin_at_a_fraction(), "broken"),
        (JPEG2000_OF_ANY_LENGTH, "broken"),
    ],
    ids=[
        *("nothing", "a program", "half a PNG", "a PNG's first bytes", "a JPEG's first bytes"),
        *("a TIFF's fraction", "a JPEG 2000's box of 2**63 bytes and more"),
    ],
)
def test_what_is_no_picture_is_unreadable(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(content)


def test_of_several_each_is_told_apart_and_their_size_together_is_bound() -> None:
    decoded = decode_all({3: memoryview(saved("PNG")), 5: memoryview(b"none")})
    assert np.array_equal(np.asarray(decoded[3])[..., :3], PIXELS)
    assert isinstance(decoded[5], Unreadable)
    large = memoryview(saved("PNG", Image.new("1", (8000, 8000))))
    with pytest.raises(Refused, match="128,000,000 pixels"):
        decode_all({0: large, 1: large})
    assert decode_all({}) == {}
