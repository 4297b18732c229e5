"""A mesh is drawn as glTF says, feature by feature: compared with what three.js makes of the same file.

three.js's pictures are kept in `threejs/`, a sixth of their size; `python -m bench.threejs --golden` made them, in
Chromium, with the competition's camera and light. They are the reference, not ours: they change with three.js alone.
"""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.threejs.browser import missing, pictures
from gpu.rendering import Rendering
from tests.rendering.features import all_features, file, golden, material, reduced

FEATURES = all_features()
LEAST = 50.0  # decibels, of reduced pictures; what is drawn wrongly lies far below


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    return Rendering()


def drawn(rendering: Rendering, content: bytes) -> NDArray[np.uint8]:
    picture = Image.open(io.BytesIO(rendering.render("glb", memoryview(content))))
    return np.asarray(picture.convert("RGB"))


def decibels(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    error = ((one.astype(np.float64) - other) ** 2).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize("name", [name for name, feature in FEATURES.items() if not feature.departure])
def test_a_feature_is_drawn_as_three_js_draws_it(name: str, rendering: Rendering) -> None:
    expected = np.asarray(Image.open(golden(name)).convert("RGB"))
    assert decibels(reduced(drawn(rendering, FEATURES[name].file)), expected) >= LEAST


def test_each_feature_changes_the_picture() -> None:
    """A golden picture that is like another's proves nothing."""
    kept = {name: Image.open(golden(name)).convert("RGB").tobytes() for name in FEATURES if golden(name).exists()}
    assert len(kept) > 50
    alike = [{name for name, other in kept.items() if other == content} for content in set(kept.values())]
    assert {frozenset(names) for names in alike if len(names) > 1} <= SAME_BY_RIGHT


SAME_BY_RIGHT: set[frozenset[str]] = set()


@pytest.mark.skipif(missing() is not None, reason=f"{missing()}")
def test_three_js_itself_agrees_here(rendering: Rendering) -> None:
    content = file(**material({"baseColorFactor": [0.2, 0.4, 0.1, 1], "metallicFactor": 0.3}, doubleSided=True))
    (theirs,) = pictures([content], present_light=True)
    assert decibels(drawn(rendering, content), theirs) >= 55
