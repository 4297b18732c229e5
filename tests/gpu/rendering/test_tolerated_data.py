"""What is wrong with the data of a GLB, and drawn all the same: each file against one that says the
same thing as it should (`gpu.meshes.tolerance`).
"""

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest

from gpu.faults import Refused
from gpu.workers.warmup import glb, textured
from simulators.files_3d import PLACES, TRIANGLES, chunked, header, mesh
from tests.gpu.rendering.glbs import PICTURE, read, same, saying, tree_of


def test_what_a_data_uri_holds_is_in_the_file() -> None:
    file = textured(PICTURE)
    tree = tree_of(file)
    encoded = base64.b64encode(PICTURE).decode()
    safe = encoded.replace("+", "-").replace("/", "_").rstrip("=")
    for uri in (
        f"data:image/png;base64,{encoded}",
        f"DATA:;Base64,{safe}",
        "data:," + "".join(f"%{b:02x}" for b in PICTURE),
    ):
        model, notes = read(saying(file, tree | {"images": [{"uri": uri}]}))
        assert same(model, read(file)[0])
        assert not notes
    whole = base64.b64encode(file[28 + struct.unpack_from("<I", file, 12)[0] :]).decode()
    tree["buffers"] = [{"uri": f"data:application/octet-stream;base64,{whole}"}]
    assert same(read(chunked((b"JSON", json.dumps(tree).encode())))[0], read(file)[0])


@pytest.mark.parametrize("uri", ["data:image/png;base64,****", "data:image/png", "data:,hello"])
def test_a_picture_that_cannot_be_had_leaves_the_factor(uri: str) -> None:
    file = textured(PICTURE)
    model, notes = read(saying(file, tree_of(file) | {"images": [{"uri": uri}]}))
    assert not model.textures
    assert "the base color texture isn't drawn" in "; ".join(notes)


def test_a_texture_in_several_formats_is_the_first_that_can_be_had() -> None:
    file = textured(PICTURE)
    tree = tree_of(file)
    tree["images"].append({"bufferView": 99})
    extensions: dict[str, Any]
    for extensions in (
        {"KHR_texture_basisu": {"source": 1}},
        {"EXT_texture_webp": {"source": 1}},
        {"EXT_texture_avif": {}},
        {"MSFT_texture_dds": {"source": 5}},
    ):
        tree["textures"] = [{"source": 0, "extensions": extensions}]
        assert same(read(saying(file, tree))[0], read(file)[0])
    tree["textures"] = [{"extensions": {"KHR_texture_basisu": {"source": 0}}}]
    with pytest.raises(Refused, match="KHR_texture_basisu"):
        read(saying(file, tree))


@pytest.mark.parametrize(
    "buffers", [[{}], [{"byteLength": 1}], [{"byteLength": 10**15}], [{"byteLength": "?"}], []]
)
def test_how_long_a_buffer_says_it_is_does_not_matter(buffers: list[Any]) -> None:
    assert same(read(mesh(buffers=buffers))[0], read(mesh())[0])


@pytest.mark.parametrize("stride", [0, 12, 13, 14, 40, 300])
def test_values_may_lie_apart_by_any_number_of_bytes(stride: int) -> None:
    places = np.frombuffer(PLACES, np.uint8).reshape(4, 12)
    apart = np.zeros((4, stride or 12), np.uint8)
    apart[:, :12] = places
    assert same(read(mesh(places=apart.tobytes(), view={"byteStride": stride}))[0], read(mesh())[0])


def test_other_values_of_vertices_that_cannot_be_used_are_left_out() -> None:
    plain = read(mesh())[0]
    for name in ("NORMAL", "COLOR_0", "TEXCOORD_0", "TANGENT", "JOINTS_0", "_CUSTOM"):
        for wrong in (99, -1, "x", None, 1):
            attributes = {"POSITION": 0, name: wrong}
            model, notes = read(mesh(primitive={"attributes": attributes}))
            assert same(model, plain), (name, wrong)
            assert notes or name == "_CUSTOM" or wrong is None or name == "TEXCOORD_0" or wrong == 1


def test_more_values_than_vertices_are_not_looked_at() -> None:
    tree = header(normals=True)
    tree["accessors"][2]["count"] = 6
    normals = np.random.default_rng(0).normal(size=(6, 3)).astype("<f4")
    right = glb(header(normals=True), PLACES, TRIANGLES, normals[:4].tobytes())
    assert same(read(glb(tree, PLACES, TRIANGLES, normals.tobytes()))[0], read(right)[0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_vertex_without_triangles_may_be_anywhere(value: float) -> None:
    places = PLACES + np.full(3, value, "<f4").tobytes()
    model, _ = read(mesh(places=places, accessor={"count": 5}))
    assert np.array_equal(model.positions[:4], read(mesh())[0].positions)
    assert np.isfinite(model.positions).all()


def test_texture_coordinates_may_be_whole_numbers() -> None:
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    right = read(textured(PICTURE, corners.astype("<f4").tobytes()))[0]
    file = textured(PICTURE, np.pad(corners, ((0, 0), (0, 2))).astype("<u2").tobytes())
    tree = tree_of(file)
    tree["accessors"][2]["componentType"] = 5123
    tree["bufferViews"][2]["byteStride"] = 8
    assert same(read(saying(file, tree))[0], right)


@pytest.mark.parametrize("kind", ["<u1", "<u2", "<f4"])
@pytest.mark.parametrize("width", [3, 4])
def test_colours_of_vertices_come_in_every_form(kind: str, width: int) -> None:
    colors = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 0]])[:, :width]
    tree = header()
    tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"] = 2
    largest = 1 if kind == "<f4" else np.iinfo(kind).max
    code = {"<u1": 5121, "<u2": 5123, "<f4": 5126}[kind]
    form = {
        "bufferView": 2,
        "componentType": code,
        "count": 4,
        "type": f"VEC{width}",
        "normalized": kind != "<f4",
    }
    tree["accessors"].append(form)
    model = read(glb(tree, PLACES, TRIANGLES, (colors * largest).astype(kind).tobytes()))[0]
    right = np.ones((4, 4))
    right[:, :width] = colors
    assert model.colors is not None
    assert np.array_equal(model.colors, right)


def test_what_has_no_data_is_zero() -> None:
    tree = header(normals=True)
    del tree["accessors"][2]["bufferView"]
    assert same(read(glb(tree, PLACES, TRIANGLES))[0], read(mesh())[0])


def test_a_triangle_without_a_corner_is_not_drawn() -> None:
    model, notes = read(mesh(index={"count": 11}))
    assert np.array_equal(model.triangles, read(mesh())[0].triangles[:3])
    assert notes == ["the last triangle misses a corner and isn't drawn"]


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_points_and_lines_beside_the_mesh_are_not_drawn(mode: int) -> None:
    (one,) = header()["meshes"][0]["primitives"]
    model, notes = read(mesh(meshes=[{"primitives": [one | {"mode": mode, "indices": "?"}, one]}]))
    assert same(model, read(mesh())[0])
    assert notes == ["points and lines aren't drawn"]
