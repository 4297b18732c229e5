"""Pictures are those of the competition: compared with what its renderer, and plain equations, make
of real files.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resources.renderer import Renderer, open_renderer

MODELS = Path(__file__).parents[4] / "shared/models"
pytestmark = pytest.mark.skipif(not MODELS.exists(), reason="no models to compare with")


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    renderer = open_renderer({})
    yield renderer
    renderer.close()


def decibels(path: Path, expected: Path) -> float:
    ours, theirs = (
        np.asarray(Image.open(file).convert("RGB"), np.float64) for file in (path, expected)
    )
    assert ours.shape == theirs.shape == (1041, 1041, 3)
    return float(10 * np.log10(255**2 / max(((ours - theirs) ** 2).mean(), 1e-9)))


@pytest.mark.parametrize(
    "name",
    [p.name for p in sorted(MODELS.iterdir()) if p.suffix in (".glb", ".ply")]
    if MODELS.exists()
    else [],
)
def test_a_picture_is_the_competitions(name: str, renderer: Renderer, tmp_path: Path) -> None:
    kind = name[-3:]
    drawn = tmp_path / "drawn.png"
    drawn.write_bytes(renderer.render(MODELS / name, kind))
    assert (
        decibels(drawn, MODELS / "expected" / f"{Path(name).stem}.png")
        >= {"glb": 55, "ply": 60}[kind]
    )
    assert renderer.render(MODELS / name, kind) == drawn.read_bytes()
