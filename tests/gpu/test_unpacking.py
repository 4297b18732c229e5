"""Pictures that somebody sent: looked at before they are unpacked, and unpacked in one place."""

import re
from pathlib import Path

import pytest

from gpu.grid_file import is_grid
from gpu.remarks import with_remarks
from gpu.unpacking import NoPicture, unpacked
from simulators.spoiled_pictures import GOOD, NO_GRID, NO_PNG, chunk, png

ROOT = Path(__file__).parents[2]
TEXT = chunk(b"tEXt", b"Software\0somebody's")


@pytest.mark.parametrize("file", [GOOD, png(TEXT), with_remarks(GOOD, ["a remark"])])
def test_a_picture_of_four_views_is_one(file: bytes) -> None:
    assert is_grid(file)
    assert unpacked(file, 1041 * 1041).size == (1041, 1041)


@pytest.mark.parametrize("kind", NO_GRID)
def test_g21_what_is_no_picture_of_four_views_is_told_without_unpacking_it(kind: str) -> None:
    assert not is_grid(NO_GRID[kind])


@pytest.mark.parametrize("kind", NO_PNG)
def test_g01_whatever_pillow_raises_is_no_picture(kind: str) -> None:
    with pytest.raises(NoPicture):
        unpacked(NO_PNG[kind], 1 << 24)


def test_a_picture_has_its_pixels_counted_before_it_is_unpacked() -> None:
    with pytest.raises(NoPicture, match="too large: 1041 by 1041"):
        unpacked(GOOD, 1041 * 1041 - 1)


def test_no_picture_that_somebody_sent_is_opened_elsewhere() -> None:
    """A worker reads textures, and the local network's judge and miners pictures of their own."""
    opening = {
        str(path.relative_to(ROOT))
        for package in ("gen404_assets", "gpu", "resources", "sensors")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\bImage\.open\(", path.read_text())
    }
    others = {path for path in opening if not path.startswith("resources/local_network/")}
    assert others == {"gpu/meshes/textures.py", "gpu/unpacking.py"}
