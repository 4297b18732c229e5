"""A mesh is drawn as glTF says, feature by feature: compared with what three.js makes of the same
file.

three.js's pictures are kept in `threejs/`, a sixth of their size; `python -m bench.threejs
--golden` made them, in Chromium, with the competition's camera and light. They are the reference,
not ours: they change with three.js alone.
"""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.threejs.browser import missing, pictures
from gpu.workers.rendering import Rendering
from simulators.feature_parts import file, material, png, shell, textured
from simulators.features import all_features, golden, reduced

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


@pytest.mark.parametrize(
    "name", [name for name, feature in FEATURES.items() if not feature.departure]
)
def test_a_feature_is_drawn_as_three_js_draws_it(name: str, rendering: Rendering) -> None:
    expected = np.asarray(Image.open(golden(name)).convert("RGB"))
    assert decibels(reduced(drawn(rendering, FEATURES[name].file)), expected) >= LEAST


def test_each_feature_changes_the_picture() -> None:
    """A golden picture that is like another's proves nothing."""
    kept = {
        name: Image.open(golden(name)).convert("RGB").tobytes()
        for name in FEATURES
        if golden(name).exists()
    }
    assert len(kept) > 50
    alike = [
        {name for name, other in kept.items() if other == content} for content in set(kept.values())
    ]
    assert {frozenset(names) for names in alike if len(names) > 1} <= SAME_BY_RIGHT


SAME_BY_RIGHT = {
    frozenset({"normal texture", "normal texture with tangents"}),
    frozenset({"picture: grey", "picture: grey of 16 bits"}),
    frozenset({"second coordinates", "texture transform: coordinates"}),
}


def test_opaque_parts_of_a_blended_material_hide_what_is_behind(rendering: Rendering) -> None:
    blended = drawn(rendering, textured(alphaMode="BLEND", doubleSided=True))
    assert decibels(blended, drawn(rendering, textured(doubleSided=True))) > 60


def test_the_order_of_triangles_shows_in_no_translucent_mesh(rendering: Rendering) -> None:
    def glass(triangles: NDArray[np.uint32]) -> NDArray[np.uint8]:
        factor = {"baseColorFactor": [0.9, 0.2, 0.2, 0.4]}
        made = material(factor, alphaMode="BLEND", doubleSided=True)
        return drawn(rendering, file(values={"triangles": triangles}, **made))

    triangles = shell()["triangles"]
    shuffled = np.random.default_rng(1).permutation(triangles)
    assert decibels(glass(triangles), glass(shuffled)) > 55


def gloss(**fields: Any) -> bytes:
    return file(materials=[{"extensions": {"KHR_materials_pbrSpecularGlossiness": fields}}])


def test_specular_glossiness_is_drawn_as_the_metallic_roughness_that_looks_the_same(
    rendering: Rendering,
) -> None:
    gold, blue = [0.4, 0.25, 0.1], [0.1, 0.2, 0.5]
    metal = gloss(diffuseFactor=[0, 0, 0, 1], specularFactor=gold, glossinessFactor=0.6)
    same = file(
        **material({"baseColorFactor": [*gold, 1], "metallicFactor": 1, "roughnessFactor": 0.4})
    )
    assert decibels(drawn(rendering, metal), drawn(rendering, same)) > 50
    plastic = gloss(diffuseFactor=[*blue, 1], specularFactor=[0.04] * 3, glossinessFactor=0.3)
    same = file(**material({"baseColorFactor": [*blue, 1], "roughnessFactor": 0.7}))
    assert decibels(drawn(rendering, plastic), drawn(rendering, same)) > 55


def test_glossiness_is_the_texture_s_alpha_and_its_colour_is_srgb(rendering: Rendering) -> None:
    grey = np.full(
        (2, 2, 4), (188, 188, 188, 128), np.uint8
    )  # 0.5 in linear light, and half as glossy
    info = {"specularGlossinessTexture": {"index": 0}, "diffuseFactor": [0, 0, 0, 1]}
    extension = {"KHR_materials_pbrSpecularGlossiness": info}
    made = file(pictures=(png(grey),), materials=[{"extensions": extension}])
    plain = gloss(diffuseFactor=[0, 0, 0, 1], specularFactor=[0.5] * 3, glossinessFactor=128 / 255)
    assert decibels(drawn(rendering, made), drawn(rendering, plain)) > 50


@pytest.mark.skipif(missing() is not None, reason=f"{missing()}")
def test_three_js_itself_agrees_here(rendering: Rendering) -> None:
    content = file(
        **material({"baseColorFactor": [0.2, 0.4, 0.1, 1], "metallicFactor": 0.3}, doubleSided=True)
    )
    (theirs,) = pictures([content], present_light=True)
    assert decibels(drawn(rendering, content), theirs) >= 55
