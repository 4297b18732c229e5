"""What is wrong with a GLB, and drawn all the same: each file against one that says the same thing
as it should.

What is right was read out of three.js' GLTFLoader and trimesh's loader: see `gpu.meshes.tolerance`.
"""

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest

from gpu.faults import Refused
from gpu.meshes.mesh import Model, read_mesh
from gpu.workers.warmup import glb, textured
from simulators.files_3d import PLACES, TRIANGLES, chunked, header, mesh, png_of

PICTURE = png_of(4, 4)
METAL = "pbrMetallicRoughness"
COLOR = {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.25, 1, 1], "metallicFactor": 0.5}}


def read(file: bytes) -> tuple[Model, list[str]]:
    notes: list[str] = []
    return read_mesh(memoryview(file), notes.append), notes


def same(one: Model, other: Model) -> bool:
    arrays: list[tuple[Any, Any]] = [
        (one.positions, other.positions),
        (one.normals, other.normals),
        (one.triangles, other.triangles),
    ]
    assert (one.colors is None) == (other.colors is None)
    if one.colors is not None and other.colors is not None:
        arrays.append((one.colors, other.colors))
    assert one.textures.keys() == other.textures.keys()
    for slot, texture in one.textures.items():
        arrays += [(texture.picture, other.textures[slot].picture)]
        arrays += [(texture.coordinates, other.textures[slot].coordinates)]
        assert texture.sampler == other.textures[slot].sampler
    assert one.material == other.material
    return all(np.array_equal(first, second) for first, second in arrays)


def tree_of(file: bytes) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(file[20 : 20 + struct.unpack_from("<I", file, 12)[0]])
    return tree


def saying(file: bytes, tree: dict[str, Any]) -> bytes:
    """The GLB with another JSON."""
    size = struct.unpack_from("<I", file, 12)[0]
    text = json.dumps(tree).encode()
    return chunked((b"JSON", text + b" " * (-len(text) % 4)), (b"BIN\0", file[28 + size :]))


def with_material(**material: Any) -> bytes:
    return mesh(primitive={"material": 0}, materials=[COLOR | material])


# The container


def padded(padding: bytes, before: bytes = b"") -> bytes:
    good = mesh()
    size = struct.unpack_from("<I", good, 12)[0]
    text = before + good[20 : 20 + size].rstrip() + padding
    return chunked((b"JSON", text + padding[:1] * (-len(text) % 4)), (b"BIN\0", good[28 + size :]))


def unpadded() -> bytes:
    """The JSON's chunk says its length without its padding, which is there."""
    good = mesh(extras="x")
    size = struct.unpack_from("<I", good, 12)[0]
    assert good[19 + size : 20 + size] == b" "
    return good[:12] + struct.pack("<I", len(good[20 : 20 + size].rstrip())) + good[16:]


@pytest.mark.parametrize(
    ("file", "noted"),
    [
        pytest.param(padded(bytes(3)), "padded", id="padded with NUL"),
        pytest.param(padded(b"\r\n\t"), "padded", id="padded with line ends"),
        pytest.param(padded(b"\xff"), "padded", id="padded with no text"),
        pytest.param(padded(b" ", before=b"\xef\xbb\xbf"), "", id="a byte order mark"),
        pytest.param(mesh() + b"trailing", "bytes", id="trailing bytes"),
        pytest.param(
            mesh()[:8] + struct.pack("<I", 12) + mesh()[12:], "header", id="a length too short"
        ),
        pytest.param(
            mesh()[:8] + struct.pack("<I", 2**31) + mesh()[12:], "header", id="a length too long"
        ),
        pytest.param(unpadded(), "", id="a chunk's length without its padding"),
    ],
)
def test_a_container_that_is_whole_is_read(file: bytes, noted: str) -> None:
    model, notes = read(file)
    assert same(model, read(mesh())[0])
    assert noted in "; ".join(notes)


def test_unknown_chunks_are_passed_over() -> None:
    good = mesh()
    size = struct.unpack_from("<I", good, 12)[0]
    text, binary = good[20 : 20 + size], good[28 + size :]
    more = chunked((b"JSON", text), (b"XTRA", b"1234"), (b"BIN\0", binary), (b"MORE", b""))
    assert same(read(more)[0], read(good)[0])


@pytest.mark.parametrize(
    "asset", [{}, {"version": None}, {"version": "2.0", "minVersion": "2.1"}, None, 5]
)
def test_the_asset_is_not_looked_at(asset: Any) -> None:
    assert same(read(mesh(asset=asset))[0], read(mesh())[0])


# The JSON


@pytest.mark.parametrize(
    "change",
    [
        {
            "emissiveFactor": None,
            "alphaMode": None,
            "extensions": None,
            "normalTexture": None,
            "doubleSided": None,
        },
        {"alphaMode": "DITHER"},
        {"alphaMode": 3},
        {"alphaCutoff": "low"},
        {"doubleSided": "true"},
        {"emissiveFactor": [-1, 0, -3]},
        {"emissiveFactor": "black"},
        {"emissiveFactor": [0, 0, 0, 1]},
        {"normalTexture": {"index": -1}},
        {"normalTexture": {"index": "first"}},
        {"normalTexture": "wood.png"},
        {"occlusionTexture": {"strength": 0.5}},
        {"emissiveTexture": []},
        {"extensions": {"KHR_materials_clearcoat": "yes", "KHR_materials_emissive_strength": None}},
        {"extensions": []},
    ],
    ids=json.dumps,
)
def test_a_value_of_a_material_that_cannot_be_used_counts_as_absent(change: dict[str, Any]) -> None:
    assert same(read(with_material(**change))[0], read(with_material())[0])


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ({"emissiveFactor": [2.5, 0.5, -1]}, {"emissiveFactor": [1, 0.5, 0]}),
        ({METAL: {"metallicFactor": 7}}, {METAL: {"metallicFactor": 1}}),
        ({METAL: {"roughnessFactor": -1}}, {METAL: {"roughnessFactor": 0}}),
        ({METAL: {"roughnessFactor": "0.25"}}, {METAL: {"roughnessFactor": 0.25}}),
        ({METAL: {"baseColorFactor": [2, 0, 0]}}, {METAL: {"baseColorFactor": [1, 0, 0, 1]}}),
        ({"alphaMode": "MASK", "alphaCutoff": -3}, {"alphaMode": "MASK", "alphaCutoff": 0}),
    ],
    ids=str,
)
def test_a_factor_out_of_range_is_moved_into_it(
    written: dict[str, Any], taken: dict[str, Any]
) -> None:
    model, notes = read(with_material(**written))
    right, none = read(with_material(**taken))
    assert same(model, right)
    assert (none, bool(notes)) == ([], "0.25" not in str(written))


@pytest.mark.parametrize("name", ["magFilter", "minFilter", "wrapS", "wrapT"])
@pytest.mark.parametrize("value", [0, -1, 9987.5, 10**20, "linear", None, [9729], {}])
def test_an_unknown_way_to_look_up_a_texture_is_the_default(name: str, value: Any) -> None:
    file = textured(PICTURE)
    tree = tree_of(file) | {"samplers": [{name: value}], "textures": [{"source": 0, "sampler": 0}]}
    assert same(read(saying(file, tree))[0], read(file)[0])


@pytest.mark.parametrize("sampler", [7, -1, "x"])
def test_a_sampler_that_is_not_there_is_the_default(sampler: Any) -> None:
    file = textured(PICTURE)
    tree = tree_of(file) | {"textures": [{"source": 0, "sampler": sampler}]}
    assert same(read(saying(file, tree))[0], read(file)[0])


BROKEN: tuple[Any, ...] = (
    None,
    5,
    "x",
    [],
    {},
    {"count": 0},
    {"buffer": "none"},
    [[]],
    {"attributes": 1},
)
LISTS = (
    "accessors",
    "bufferViews",
    "buffers",
    "images",
    "materials",
    "meshes",
    "nodes",
    "samplers",
    "skins",
    "textures",
)


@pytest.mark.parametrize("name", LISTS)
def test_what_nothing_uses_may_be_broken(name: str) -> None:
    file = textured(PICTURE)
    tree = tree_of(file)
    tree[name] = [*tree.get(name, []), *BROKEN]
    model, notes = read(saying(file, tree))
    assert same(model, read(file)[0])
    assert not notes


@pytest.mark.parametrize(
    "name", ["animations", "cameras", "extensions", "extensionsUsed", "extras", "asset"]
)
@pytest.mark.parametrize("value", [None, 5, "x", [None, {}], {"x": None}], ids=repr)
def test_what_no_picture_needs_may_be_anything(name: str, value: Any) -> None:
    assert same(read(mesh(**{name: value}))[0], read(mesh())[0])


@pytest.mark.parametrize(
    "name",
    [
        "KHR_materials_unlit",
        "KHR_materials_emissive_strength",
        "KHR_lights_punctual",
        "KHR_materials_specular",
        "KHR_materials_ior",
        "KHR_materials_sheen",
        "KHR_materials_clearcoat",
        "KHR_materials_transmission",
        "KHR_materials_volume",
        "KHR_materials_iridescence",
        "KHR_materials_anisotropy",
        "KHR_materials_dispersion",
        "KHR_materials_variants",
        "KHR_materials_pbrSpecularGlossiness",
        "KHR_xmp_json_ld",
        "KHR_animation_pointer",
        "KHR_texture_transform",
        "KHR_mesh_quantization",
        "EXT_texture_webp",
        "EXT_lights_ies",
        "KHR_materials_diffuse_transmission",
        "EXT_structural_metadata",
        "VRMC_materials_mtoon",
        "KHR_draco_mesh_compression",
        "EXT_lights_image_based",
        "KHR_node_visibility",
        "KHR_texture_basisu",
        "EXT_texture_avif",
        "MSFT_texture_dds",
    ],
)
def test_extensions_that_change_nothing_essential_may_be_required(name: str) -> None:
    assert same(read(mesh(extensionsRequired=[name, None]))[0], read(mesh())[0])


# Data


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


def test_values_that_are_too_much_for_a_parser_are_ignored() -> None:
    deep: Any = []
    for _ in range(400):
        deep = [deep, {"x": deep}][:1]
    for value in (deep, 10**400, -(10**400), "9" * 5000, "\ud800"):
        for name in ("alphaCutoff", "emissiveFactor", "doubleSided", "extensions", "normalTexture"):
            assert np.array_equal(
                read(with_material(**{name: value}))[0].positions, read(mesh())[0].positions
            )


def test_notes_are_short_and_in_ascii() -> None:
    notes = read(with_material(alphaMode="ж\n\ud800" * 1000, alphaCutoff={"x": ["y" * 10_000]}))[1]
    assert len(notes) == 2
    assert all(note.isascii() and note.isprintable() and len(note) < 120 for note in notes)
