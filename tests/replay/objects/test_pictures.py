"""What counts as the same picture: what another driver may draw, and no more."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gen404_assets.replay.objects.pictures import apart
from gpu.unpacking import NoPicture

SIDE = 128
Pixels = NDArray[np.uint8]


def png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def disc(middle: int = SIDE // 2, colour: tuple[int, int, int] = (180, 90, 30)) -> Pixels:
    """A disc on white."""
    down, right = np.mgrid[:SIDE, :SIDE]
    pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    pixels[(down - middle) ** 2 + (right - middle) ** 2 < (SIDE // 4) ** 2] = colour
    return pixels


def test_rounding_and_noise_of_a_driver_are_the_same_picture() -> None:
    noise = np.random.default_rng(1).integers(-2, 3, (SIDE, SIDE, 3))
    other = np.clip(disc().astype(int) + noise, 0, 255).astype(np.uint8)
    assert apart(png(disc()), png(other)).alike
    assert str(apart(png(disc()), png(disc()))) == "99.0 dB, 0 of 255 in one block"


@pytest.mark.parametrize(
    "other",
    [disc(SIDE // 2 + 6), disc(colour=(30, 90, 180)), np.full((SIDE, SIDE, 3), 255, np.uint8)],
)
def test_another_place_colour_or_nothing_is_another_picture(other: Pixels) -> None:
    assert not apart(png(disc()), png(other)).alike


def test_a_spot_that_somebody_painted_is_another_picture_though_all_else_is_the_same() -> None:
    small = np.full((1041, 1041, 3), 255, np.uint8)
    painted = small.copy()
    painted[512:528, 512:528] = (200, 0, 0)
    how_far = apart(png(small), png(painted))
    assert how_far.decibels > 35
    assert not how_far.alike


def test_pictures_of_two_sizes_have_nothing_in_common() -> None:
    assert not apart(png(disc()), png(disc()[:-1])).alike


@pytest.mark.parametrize("file", [b"", b"picture", png(disc())[:-40], png(disc())[:33]])
def test_what_is_no_picture_is_said(file: bytes) -> None:
    with pytest.raises(NoPicture):
        apart(file, png(disc()))
