"""What buffers, buffer views and accessors hold. Every bound is checked before it is used.

trimesh's reader isn't used for this: it leaves out, without a word, normalised integers, sparse
accessors, texture coordinate sets, texture transforms and the extensions it doesn't know.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from gpu.faults import Refused, Unreadable
from gpu.meshes.gltf import (
    BYTES,
    VERTICES,
    Accessor,
    Draco,
    Gltf,
    Primitive,
    SparseIndices,
    SparseValues,
)
from gpu.meshes.tolerance import Note

Array = NDArray[Any]
# Component types by their codes (glTF 2.0, accessor data types): OpenGL's, always little-endian.
_TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_FLOAT = 5126
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass(frozen=True, slots=True)
class _Layout:
    """How one value of an accessor lies in memory: `width` numbers of a type."""

    dtype: np.dtype[Any]
    width: int

    @property
    def size(self) -> int:
        """Bytes of a value."""
        return self.dtype.itemsize * self.width


class Buffers:
    """A glTF's data by index. Raises Unreadable for what is broken or missing, Refused for what
    isn't safe.
    """

    def __init__(self, parts: Gltf, binary: memoryview, note: Note) -> None:
        self._parts, self._binary, self._note = parts, binary, note
        self._from_uris: dict[int, memoryview] = {}

    def view(self, index: int) -> memoryview:
        """The bytes of a buffer view."""
        view = self._parts.bufferViews[index]
        for name in view.extensions.model_fields_set:
            if name in self._parts.extensionsRequired or not self._has_data(view.buffer):
                raise Refused(f"{name} isn't supported: leave out meshopt compression")
            self._note(f"{name} isn't supported, and its fallback is read")
        whole = self._buffer(view.buffer)
        end = view.byteOffset + view.byteLength
        if view.byteOffset > len(whole):
            start = view.byteOffset
            raise Unreadable(
                f"buffer view {index} begins at byte {start:,}, beyond the file's {len(whole):,} "
                "of data"
            )
        if end > len(whole):
            self._note(
                f"buffer view {index} ends at byte {end:,}, beyond the file's {len(whole):,} of "
                "data"
            )
        return whole[view.byteOffset : end]

    def _has_data(self, index: int) -> bool:
        # The GLB's binary chunk is the first buffer.
        return index == 0 or self._parts.buffers[index].uri is not None

    def _buffer(self, index: int) -> memoryview:
        if index in self._from_uris:
            return self._from_uris[index]
        if index == 0 and not len(self._parts.buffers):
            return self._binary
        uri = self._parts.buffers[index].uri
        if uri is None:
            if index:
                raise Unreadable(f"buffer {index} isn't in the file")
            return self._binary
        if not is_data(uri):
            raise Refused("the file refers to data outside itself, which is never followed")
        self._from_uris[index] = from_data_uri(uri)
        return self._from_uris[index]

    def values(self, index: int) -> Array:
        """An accessor's values (count, width), of its own type; integers that stand for fractions
        as floats.
        """
        accessor = self._parts.accessors[index]
        if accessor.type not in _WIDTHS:
            raise Unreadable("an accessor of matrices is used for vertices")
        return self._values(index, accessor, _WIDTHS[accessor.type])

    def matrices(self, index: int) -> NDArray[np.float64]:
        """An accessor's matrices (count, 4, 4)."""
        accessor = self._parts.accessors[index]
        if accessor.type != "MAT4" or accessor.componentType != _FLOAT:
            raise Unreadable("an accessor that should hold matrices doesn't")
        return (
            self._values(index, accessor, 16)
            .reshape(-1, 4, 4)
            .transpose(0, 2, 1)  # glTF stores matrices column by column
            .astype(np.float64)
        )

    def _values(self, index: int, accessor: Accessor, width: int) -> Array:
        layout = _Layout(np.dtype(_TYPES[accessor.componentType]), width)
        if accessor.bufferView is None:
            # As glTF has it, perhaps for `sparse` to replace.
            values = np.zeros((accessor.count, layout.width), layout.dtype)
        else:
            view = self.view(accessor.bufferView)
            stride = self._parts.bufferViews[accessor.bufferView].byteStride
            values = _strided(view, accessor.byteOffset, accessor.count, stride, layout)
        if accessor.sparse and accessor.sparse.count:
            sparse = accessor.sparse
            index_layout = _Layout(np.dtype(_TYPES[sparse.indices.componentType]), 1)
            at = self._sparse(sparse.indices, sparse.count, index_layout)
            new = self._sparse(sparse.values, sparse.count, layout)
            if at.max() >= accessor.count:
                raise Unreadable(f"accessor {index} replaces values that it doesn't have")
            values = values.copy()
            values[at[:, 0]] = new
        return normalized(values) if accessor.normalized else values

    def _sparse(self, part: SparseIndices | SparseValues, count: int, layout: _Layout) -> Array:
        return _strided(self.view(part.bufferView), part.byteOffset, count, 0, layout)

    def draco(self, draco: Draco, primitive: Primitive) -> tuple[dict[str, Array], Array]:
        """A Draco-compressed primitive's values by attribute, and its indices (n,)."""
        import DracoPy  # type: ignore[import-not-found]  # noqa: PLC0415 - few files need it

        try:
            decoded = DracoPy.decode(bytes(self.view(draco.bufferView)))
        except (DracoPy.FileTypeException, ValueError, RuntimeError, TypeError) as error:
            raise Refused("the Draco compression is broken") from error
        if not hasattr(decoded, "faces"):
            raise Refused("the Draco data holds points, not a mesh")
        data_by_id = {
            entry["unique_id"]: entry["data"]
            for entry in decoded.attributes
            if entry["data"] is not None
        }
        if decoded.faces is None or decoded.points is None:
            raise Refused("the Draco compression is broken: it holds no vertices or no triangles")
        count = len(decoded.points)
        if count > VERTICES:
            raise Refused(f"the mesh has {count:,} vertices, more than {VERTICES:,}")
        values = {}
        for name, unique in draco.attributes.items():
            data = np.asarray(data_by_id.get(unique, ()))
            if not data.size or len(data) != count:
                if name == "POSITION":
                    raise Refused("the Draco data lacks the attribute POSITION")
                self._note("the Draco data lacks an attribute that the file names")
                continue
            rows = data.reshape(count, -1)
            index = primitive.attributes.get(name)
            whole = (
                rows.dtype.kind == "f"
                or index is None
                or not self._parts.accessors[index].normalized
            )
            values[name] = rows if whole else normalized(rows)
        return values, np.asarray(decoded.faces).reshape(-1)


def is_data(uri: str) -> bool:
    """Whether a URI holds its data itself; any other leads out of the file."""
    return uri[:5].lower() == "data:"


def from_data_uri(uri: str) -> memoryview:
    """The bytes within a `data:` URI (RFC 2397). Raises Unreadable."""
    kind, comma, text = uri[5:].partition(",")
    if not comma:
        raise Unreadable("a data URI has no data")
    content = unquote_to_bytes(text)
    if kind.lower().replace(" ", "").endswith(";base64"):
        letters = b"".join(content.split()).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        try:
            content = base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
        except binascii.Error:
            raise Unreadable("a data URI isn't base64") from None
    return memoryview(content)


def normalized(values: Array) -> Array:
    """Integers as the fractions that they stand for (glTF 2.0, 3.11); floats as they are."""
    if values.dtype.kind == "f":
        return values
    fractions = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    return fractions.clip(-1)  # -128 stands for -1, as -127 does


def _strided(view: memoryview, offset: int, count: int, stride: int, layout: _Layout) -> Array:
    """Values (count, width) of a view, `stride` bytes from one to the next; 0: without a gap."""
    size = layout.size
    stride = stride or size
    if stride < size:
        raise Unreadable("an accessor's values overlap: its stride is less than their size")
    if offset + stride * (count - 1) + size > min(len(view), BYTES):
        raise Unreadable(f"an accessor of {count:,} values doesn't fit into its buffer view")
    strides = (stride, layout.dtype.itemsize)
    return np.ndarray((count, layout.width), layout.dtype, view, offset, strides)
