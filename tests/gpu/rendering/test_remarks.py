"""What was tolerated in a file goes with its preview, to whoever has it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpu.grid_file import is_grid
from gpu.meshes import textures
from gpu.remarks import LENGTH, remarks_of, with_remarks
from gpu.views import png
from gpu.workers.pool import Pool
from gpu.workers.warmup import textured
from simulators.files_3d import mesh

PLAIN = png(np.zeros((1041, 1041, 3), np.uint8))


def test_a_preview_carries_its_remarks_and_stays_a_preview() -> None:
    marked = with_remarks(PLAIN, ["one thing", "another", "one thing"])
    assert remarks_of(marked) == "one thing; another"
    assert is_grid(marked)
    picture = Image.open(io.BytesIO(marked))
    assert np.array_equal(np.asarray(picture), np.asarray(Image.open(io.BytesIO(PLAIN))))
    assert picture.text == {"Tolerated": "one thing; another"}  # type: ignore[attr-defined]


def test_without_remarks_a_preview_is_as_it_was() -> None:
    assert with_remarks(PLAIN, []) is PLAIN
    assert remarks_of(PLAIN) == ""


def test_remarks_are_one_line_of_ascii_and_bounded() -> None:
    marked = with_remarks(PLAIN, ["a\nb\0c\ud800é" * 1000])
    remarks = remarks_of(marked)
    assert remarks.startswith("a b c ?a b c ?")
    assert remarks.isascii()
    assert remarks.isprintable()
    assert len(remarks) == LENGTH


@pytest.mark.parametrize("cut", range(0, 80, 3))
def test_anything_else_has_no_remarks(cut: int) -> None:
    marked = with_remarks(PLAIN, ["one thing"])
    assert remarks_of(marked[:cut]) in ("", *("one thing"[:end] for end in range(10)))
    assert remarks_of(b"picture of something") == ""
    assert remarks_of(marked.replace(b"Tolerated", b"Comment\0\0")) == ""


def test_a_worker_says_what_it_tolerated(pool: Pool, tmp_path: Path) -> None:
    """And draws the same as without the fault, which is in a worker that opens no more files."""
    right, wrong = tmp_path / "right.glb", tmp_path / "wrong.glb"
    right.write_bytes(mesh(primitive={"material": 0}, materials=[{}]))
    wrong.write_bytes(
        mesh(
            primitive={"material": 0},
            materials=[{"alphaMode": "DITHER", "emissiveFactor": [-1, 0, 0]}],
        )
    )
    marked, plain = pool.render(wrong, "glb"), pool.render(right, "glb")
    assert (
        remarks_of(marked)
        == "emissiveFactor -1 is taken as 0; alphaMode 'DITHER' can't be used and is ignored"
    )
    assert remarks_of(plain) == ""
    ours, theirs = (np.asarray(Image.open(io.BytesIO(picture))) for picture in (marked, plain))
    assert np.array_equal(ours, theirs)


def test_a_worker_decodes_pictures_of_every_format(pool: Pool, tmp_path: Path) -> None:
    """Although it can load no plugin any more."""
    for form in textures.FORMATS:
        picture = io.BytesIO()
        Image.new("RGB", (4, 4), (9, 200, 30)).save(picture, form)
        file = tmp_path / f"{form}.glb"
        file.write_bytes(textured(picture.getvalue()))
        assert remarks_of(pool.render(file, "glb-draft")) == "", form
