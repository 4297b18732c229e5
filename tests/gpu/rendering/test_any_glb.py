"""GLBs of any kind: with any one thing wrong they are drawn or refused with a reason; what trimesh
makes is drawn.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gpu.faults import Refused
from gpu.meshes.mesh import read_mesh
from gpu.workers.warmup import files, textured
from simulators.files_3d import mesh, png_of
from tests.gpu.rendering.glbs import saying, tree_of
from tests.gpu.rendering.test_scenes import read

MODELS = Path(__file__).parents[4] / "shared/models"
ODD: tuple[Any, ...] = (
    None, -1, 0, 1, 2, 7, 5126, 99_999, 1.5, -0.5, 1e30, 10**30, float("nan"), float("inf"),
    True, False, "", "x", "0", [], [None], [0], [0] * 16, {}, {"x": 1},
)  # fmt: skip
GOOD = [content for kind, content in files() if kind == "glb"] + [
    mesh(
        node={"extensions": {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 0}}}},
        primitive={
            "targets": [{"POSITION": 0}],
            "attributes": {"POSITION": 0, "JOINTS_0": 1, "WEIGHTS_0": 0},
        },
        accessor={
            "sparse": {
                "count": 1,
                "indices": {"bufferView": 1, "componentType": 5121},
                "values": {"bufferView": 0},
            }
        },
        skins=[{"joints": [0]}],
        scene=0,
    )
]
LOOKS = ("materials", "textures", "samplers", "images", "asset", "extensionsUsed")
_STEADY = settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def places(part: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value in a JSON tree."""
    inner = (
        part.items()
        if isinstance(part, dict)
        else enumerate(part)
        if isinstance(part, list)
        else ()
    )
    for step, value in inner:
        yield (*at, step)
        yield from places(value, (*at, step))


def changed(tree: Any, place: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(tree))
    part = copy
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    return copy


@given(st.data())
@_STEADY
def test_g21_with_any_one_value_wrong_a_glb_is_drawn_or_refused(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(GOOD))
    tree = tree_of(file)
    place = data.draw(st.sampled_from(list(places(tree))))
    wrong = saying(file, changed(tree, place, data.draw(st.sampled_from(ODD))))
    try:
        model, _ = read(wrong)
    except Refused as refusal:
        assert 10 <= len(str(refusal)) <= 300
    else:
        assert np.isfinite(model.positions).all()
        assert np.isfinite(model.normals).all()
        assert model.triangles.max() < len(model.positions)


@given(st.data())
@_STEADY
def test_no_value_of_the_looks_costs_a_glb_its_picture(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(GOOD[:4]))
    tree = tree_of(file) | {
        "asset": {"version": "2.0"},
        "samplers": [{"wrapS": 33071, "minFilter": 9987}],
    }
    place = data.draw(st.sampled_from([place for place in places(tree) if place[0] in LOOKS]))
    model, _ = read(saying(file, changed(tree, place, data.draw(st.sampled_from(ODD)))))
    plain, _ = read(file)
    assert np.array_equal(model.positions, plain.positions)
    assert np.array_equal(model.triangles, plain.triangles)


@given(st.binary(max_size=400), st.integers(0, 600), st.sampled_from(GOOD))
@_STEADY
def test_g21_bytes_of_any_kind_are_drawn_or_refused(noise: bytes, start: int, file: bytes) -> None:
    for wrong in (
        noise,
        b"glTF" + noise,
        file[:start] + noise + file[start + len(noise) :],
        file[:start],
    ):
        try:
            read_mesh(memoryview(wrong))
        except Refused as refusal:
            assert str(refusal)


PICTURE = Image.open(io.BytesIO(png_of(8, 8)))
SHAPES = {
    "box": trimesh.creation.box((0.5, 0.3, 0.4)),
    "ball": trimesh.creation.icosphere(subdivisions=1, radius=0.4),
    "capsule": trimesh.creation.capsule(height=0.4, radius=0.1),
}


def painted(shape: trimesh.Trimesh, how: str) -> trimesh.Trimesh:
    painted_shape = shape.copy()
    random = np.random.default_rng(1)
    if how == "texture":
        material = trimesh.visual.material.PBRMaterial(  # type: ignore[no-untyped-call]
            baseColorTexture=PICTURE,
            emissiveFactor=[0.1, 0.2, 0.3],
            alphaMode="BLEND",
            doubleSided=True,
        )
        places = random.random((len(painted_shape.vertices), 2))
        painted_shape.visual = trimesh.visual.TextureVisuals(places, material)  # type: ignore[no-untyped-call]
    elif how == "colours":
        painted_shape.visual = trimesh.visual.ColorVisuals(
            painted_shape, vertex_colors=random.integers(0, 255, (len(painted_shape.vertices), 4))
        )
    return painted_shape


@pytest.mark.parametrize("how", ["plain", "texture", "colours"])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_trimesh_writes_is_drawn_where_trimesh_reads_it(shape: str, how: str) -> None:
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(0.4, [0, 1, 1])  # type: ignore[no-untyped-call]
    scene.add_geometry(painted(SHAPES[shape], how), transform=turn)
    for normals in (True, False):
        file = trimesh.exchange.gltf.export_glb(scene, include_normals=normals)  # type: ignore[no-untyped-call]
        model, notes = read(file)
        theirs = trimesh.load_scene(io.BytesIO(file), file_type="glb").to_mesh()
        assert np.allclose(model.positions, theirs.vertices, atol=1e-5)
        assert np.array_equal(model.triangles, theirs.faces)
        assert (model.colors is not None) == (how == "colours")
        assert bool(model.textures) == (how == "texture")
        assert not notes


@pytest.mark.skipif(not MODELS.exists(), reason="no models to read")
def test_real_files_need_no_tolerance() -> None:
    for path in MODELS.glob("*.glb"):
        assert read(path.read_bytes())[1] == []


def test_a_picture_of_every_form_in_one_material() -> None:
    """What the warm-up draws, too, is read without a remark."""
    assert all(read(content)[1] == [] for kind, content in files() if kind == "glb")
    assert read(textured(png_of(3, 3)))[0].textures.keys() == {
        "base_color", "metallic_roughness", "normal", "occlusion", "emissive",
    }  # fmt: skip
