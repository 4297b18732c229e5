"""What is wrong with the container or the JSON of a GLB, and drawn all the same: each file against
one that says the same thing as it should.

What is right was read out of three.js' GLTFLoader and trimesh's loader: see `gpu.meshes.tolerance`.
"""

import json
import struct
from typing import Any

import numpy as np
import pytest

from gpu.workers.warmup import textured
from simulators.files_3d import chunked, mesh
from tests.gpu.rendering.glbs import METAL, PICTURE, read, same, saying, tree_of, with_material

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
