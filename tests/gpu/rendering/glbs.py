"""GLBs that say something else than they should, and the models that are read from them."""

import json
import struct
from typing import Any

import numpy as np

from gpu.meshes.mesh import Model, read_mesh
from simulators.files_3d import chunked, mesh, png_of

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
