"""GLB files: the container, and what accessors, nodes and buffer views say. Every bound is checked before it is used.

trimesh's reader isn't used for this: it leaves out, without a word, normalised integers, sparse accessors, texture
coordinate sets, texture transforms and the extensions it doesn't know.
"""

import struct
from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from gpu.faults import Refused
from gpu.gltf import MANY, VERTICES, Accessor, Draco, Gltf, Mesh, Node, Primitive

JSON_BYTES = 2**25
DEPTH = 256  # of nodes
SUPPORTED = {
    "EXT_texture_webp",
    "KHR_draco_mesh_compression",
    "KHR_materials_emissive_strength",
    "KHR_materials_pbrSpecularGlossiness",
    "KHR_materials_unlit",
    "KHR_mesh_quantization",
    "KHR_texture_transform",
}
_TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}

Array = NDArray[Any]
Transform = NDArray[np.float64]
_Kind = TypeVar("_Kind")


class Glb:
    """One file's parts; whatever is wrong with it raises Refused."""

    def __init__(self, data: memoryview) -> None:
        text, self._binary = _chunks(data)
        try:
            self.parts = Gltf.model_validate_json(bytes(text))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            raise Refused(f"the glTF's {where or 'JSON'} is wrong: {first['msg']}") from None
        missing = sorted(set(self.parts.extensionsRequired) - SUPPORTED)
        if missing:
            raise Refused(f"the glTF extension {missing[0][:80]!r} isn't supported, and the file requires it")

    @cached_property
    def primitive(self) -> Primitive:
        """The one mesh that the file must hold, a mesh of two materials being two."""
        primitives = sum(len(mesh.primitives) for mesh in self.parts.meshes)
        if primitives != 1:
            raise Refused(f"the file must hold exactly one mesh, and holds {primitives}")
        return self.parts.meshes[0].primitives[0]

    def view(self, index: int) -> memoryview:
        """The bytes of a buffer view."""
        view = _part(self.parts.bufferViews, index, "buffer view")
        if view.extensions.EXT_meshopt_compression or view.extensions.KHR_meshopt_compression:
            raise Refused("meshopt compression isn't supported")
        buffer = _part(self.parts.buffers, view.buffer, "buffer")
        if buffer.uri is not None:
            raise Refused("the file refers to data outside itself, which is never followed")
        if view.buffer:
            raise Refused(f"buffer {view.buffer} isn't in the file")
        end = view.byteOffset + view.byteLength
        if end > min(len(self._binary), buffer.byteLength):
            raise Refused(f"buffer view {index} ends at byte {end:,}, beyond the file's {len(self._binary):,} of data")
        return self._binary[view.byteOffset : end]

    def accessor(self, index: int) -> Accessor:
        return _part(self.parts.accessors, index, "accessor")

    def values(self, index: int) -> Array:
        """An accessor's values (count, width), of its own type; integers that stand for fractions as floats."""
        accessor = self.accessor(index)
        dtype, width = np.dtype(_TYPES[accessor.componentType]), _width(accessor)
        if accessor.bufferView is None:
            values = np.zeros((accessor.count, width), dtype)
        else:
            view = self.view(accessor.bufferView)
            stride = self.parts.bufferViews[accessor.bufferView].byteStride or dtype.itemsize * width
            values = _strided(view, accessor.byteOffset, accessor.count, stride, (dtype, width))
        if accessor.sparse:
            values = values.copy()
            at = self._sparse(
                accessor.sparse.indices, accessor.sparse.count, (_TYPES[accessor.sparse.indices.componentType], 1)
            )
            new = self._sparse(accessor.sparse.values, accessor.sparse.count, (dtype, width))
            if at.max() >= accessor.count:
                raise Refused(f"accessor {index} replaces values that it doesn't have")
            values[at[:, 0]] = new
        return normalized(values) if accessor.normalized else values

    def _sparse(self, part: Any, count: int, form: tuple[Any, int]) -> Array:
        dtype = np.dtype(form[0])
        return _strided(self.view(part.bufferView), part.byteOffset, count, dtype.itemsize * form[1], (dtype, form[1]))

    def draco(self, draco: Draco, primitive: Primitive) -> tuple[dict[str, Array], Array]:
        """A Draco-compressed primitive's values by attribute, and its indices (n,)."""
        import DracoPy  # type: ignore[import-not-found]  # noqa: PLC0415 - few files need it

        try:
            decoded = DracoPy.decode(bytes(self.view(draco.bufferView)))
        except (DracoPy.FileTypeException, ValueError, RuntimeError) as error:
            raise Refused("the Draco compression is broken") from error
        if not hasattr(decoded, "faces"):
            raise Refused("the Draco data holds points, not a mesh")
        if len(decoded.points) > VERTICES:
            raise Refused(f"the mesh has {len(decoded.points):,} vertices, more than {VERTICES:,}")
        by_id = {entry["unique_id"]: np.asarray(entry["data"]) for entry in decoded.attributes}
        values = {}
        for name, unique in draco.attributes.items():
            if unique not in by_id:
                raise Refused(f"the Draco data lacks the attribute {name[:80]!r}")
            found = by_id[unique].reshape(len(decoded.points), -1)
            accessor = self.accessor(primitive.attributes[name]) if name in primitive.attributes else None
            values[name] = normalized(found) if accessor and accessor.normalized and found.dtype.kind != "f" else found
        return values, np.asarray(decoded.faces).reshape(-1)

    def placement(self) -> Transform:
        """Where the scene puts the mesh, (4, 4): the product of the transforms of its node and the node's parents."""
        placements = list(self._placements())
        if len(placements) != 1:
            raise Refused(f"the scene must show the mesh exactly once, and shows it {len(placements)} times")
        return placements[0]

    def _placements(self) -> Iterator[Transform]:
        nodes, seen = self.parts.nodes, set[int]()
        todo = [(root, 1, np.eye(4)) for root in self._roots()]
        while todo:
            index, depth, outer = todo.pop()
            if index in seen:
                raise Refused(f"node {index} has two parents, or is its own")
            if depth > DEPTH:
                raise Refused(f"nodes are nested more than {DEPTH} deep")
            seen.add(index)
            node = _part(nodes, index, "node")
            inner = outer @ _local(node)
            todo.extend((child, depth + 1, inner) for child in node.children)
            if node.mesh is not None:
                mesh = _part(self.parts.meshes, node.mesh, "mesh")
                _at_rest(node, mesh)
                yield inner

    def _roots(self) -> list[int]:
        if self.parts.scenes:
            return _part(self.parts.scenes, self.parts.scene or 0, "scene").nodes
        children = {child for node in self.parts.nodes for child in node.children}
        return [index for index in range(len(self.parts.nodes)) if index not in children]


def normalized(values: Array) -> Array:
    """Integers as the fractions that they stand for (glTF 2.0, 3.11); floats as they are."""
    if values.dtype.kind == "f":
        return values
    fractions = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    return fractions.clip(-1)


def _chunks(data: memoryview) -> tuple[memoryview, memoryview]:
    """The JSON chunk and the binary one, which may be missing."""
    if len(data) < 20 or bytes(data[:4]) != b"glTF":
        raise Refused("the file isn't a GLB")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise Refused(f"the file is a GLB of version {version}; only 2 is supported")
    if length > len(data):
        raise Refused(f"the file is cut short: it says that it has {length:,} bytes, and has {len(data):,}")
    found: dict[bytes, memoryview] = {}
    position = 12
    while position + 8 <= length and len(found) < MANY:
        size, kind = struct.unpack_from("<I4s", data, position)
        position += 8
        if size > length - position:
            raise Refused("a chunk of the GLB is longer than the file")
        if not found and kind != b"JSON":
            raise Refused("the GLB doesn't begin with its JSON")
        if kind in (b"JSON", b"BIN\0") and kind in found:
            raise Refused(f"the GLB has two chunks {kind.rstrip(bytes(1)).decode()}")
        found[kind] = data[position : position + size]
        position += size
    text = found.get(b"JSON", memoryview(b""))
    if len(text) > JSON_BYTES:
        raise Refused(f"the GLB's JSON has more than {JSON_BYTES:,} bytes")
    return text, found.get(b"BIN\0", memoryview(b""))


def _part(parts: list[_Kind], index: int, name: str) -> _Kind:
    if index >= len(parts):
        raise Refused(f"{name} {index} is referred to, and there is none")
    return parts[index]


def _width(accessor: Accessor) -> int:
    if accessor.type not in _WIDTHS:
        raise Refused("an accessor of matrices is used for vertices")
    return _WIDTHS[accessor.type]


def _strided(view: memoryview, offset: int, count: int, stride: int, form: tuple[Any, int]) -> Array:
    dtype, width = form
    size = dtype.itemsize * width
    if stride < size:
        raise Refused("an accessor's values overlap: its stride is less than their size")
    if offset + stride * (count - 1) + size > len(view):
        raise Refused(f"an accessor of {count:,} values doesn't fit into its buffer view")
    return np.ndarray((count, width), dtype, view, offset, (stride, dtype.itemsize))


def _local(node: Node) -> Transform:
    """A node's own transform: its matrix, or translation · rotation · scale."""
    if node.matrix is not None:
        return np.array(node.matrix).reshape(4, 4).T
    x, y, z, w = node.rotation
    if abs(x * x + y * y + z * z + w * w - 1) > 0.01:
        raise Refused("a node's rotation isn't a unit quaternion")
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn * node.scale
    matrix[:3, 3] = node.translation
    return matrix


def _at_rest(node: Node, mesh: Mesh) -> None:
    if node.skin is not None:
        raise Refused("skins aren't supported: apply the pose to the mesh")
    if any(node.weights) or any(mesh.weights):
        raise Refused("morph targets aren't supported: apply them to the mesh")
