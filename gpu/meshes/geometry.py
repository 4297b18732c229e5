"""The triangles of a GLB's one mesh in the world, posed and placed as its nodes say.

Positions and indices must be right. Of the other values of its vertices, those that can't be used
are left out.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from gpu.faults import Refused
from gpu.meshes import gltf
from gpu.meshes.buffers import Array
from gpu.meshes.glb import Glb
from gpu.meshes.posing import Floats, Indices, Posed, Values, optional, posed, together, unit
from gpu.meshes.scene import Shown

TRIANGLES = 3_000_000
"""Of all copies that are shown together, since that many are drawn in each view."""
ROUNDING = 1e-6  # what float32 makes of 0.6 is a little more
REACH = 0.6  # no vertex is further from the origin than this, on any axis


@dataclass(frozen=True)
class Geometry:
    """Positions and unit normals (n, 3) in the world, triangles (m, 3); tangents (n, 4) in the
    world, with normals alone; and the other values of the vertices, each (n, width), by glTF's
    names."""

    positions: Floats
    normals: Floats
    triangles: Indices
    tangents: Floats | None
    values: Values


def read_geometry(glb: Glb, shown: Shown) -> Geometry:
    """The mesh as it is shown; Refused says why there is none."""
    primitive = shown.primitive
    values, indices = _vertices(glb, primitive)
    count = len(values["POSITION"])
    triangles = _triangles(glb, indices, count, primitive.mode)
    copies = sum(len(pose.transforms) if pose.joints is None else 1 for pose in shown.poses)
    for each, most, things in (
        (count, gltf.VERTICES, "vertices"),
        (len(triangles), TRIANGLES, "triangles"),
    ):
        if copies * each > most:
            raise Refused(f"the mesh has {copies * each:,} {things}, more than {most:,}")
    with np.errstate(over="ignore", invalid="ignore"):
        parts = [posed(glb, primitive, values, pose) for pose in together(shown.poses)]
    positions = _joined([part.positions for part in parts])
    whole = _numbered(parts, triangles)
    positions = _within_reach(glb, positions, whole)
    normals, tangents = _normals(parts, positions, whole)
    rest = {name: part for name, part in values.items() if name.startswith(("COLOR_", "TEXCOORD_"))}
    if copies > 1:
        rest = {name: np.tile(part, (copies, 1)) for name, part in rest.items()}
    return Geometry(positions, normals, whole, tangents, rest)


def _vertices(glb: Glb, primitive: gltf.Primitive) -> tuple[Values, Array | None]:
    """The values that are drawn, by attribute, and the indices; all attributes have a value for
    each vertex.
    """
    draco = primitive.extensions.KHR_draco_mesh_compression
    values, indices = glb.buffers.draco(draco, primitive) if draco else ({}, None)
    if "POSITION" not in primitive.attributes:
        raise Refused("the mesh has no positions")
    if "POSITION" not in values:
        count = glb.parts.accessors[primitive.attributes["POSITION"]].count
        if count > gltf.VERTICES:
            raise Refused(f"the mesh has {count:,} vertices, more than {gltf.VERTICES:,}")
        values["POSITION"] = glb.buffers.values(primitive.attributes["POSITION"])
    values["POSITION"] = _places(glb, values["POSITION"])
    for name, index in primitive.attributes.items():
        if name not in values and _is_drawn(name):
            attribute = optional(glb, index, len(values["POSITION"]), f"{name} of the vertices")
            if attribute is not None:
                values[name] = attribute
    if indices is None and primitive.indices is not None:
        indices = _indices(glb, primitive.indices)
    return values, indices


def _is_drawn(name: str) -> bool:
    return name in ("NORMAL", "TANGENT", "COLOR_0", "JOINTS_0", "WEIGHTS_0") or name.startswith(
        "TEXCOORD_"
    )


def _places(glb: Glb, positions: Array) -> Array:
    """Positions of three numbers: a fourth isn't looked at, a missing third is zero."""
    width = positions.shape[1]
    if width not in (2, 3, 4):
        raise Refused(f"POSITION has {width} numbers a vertex, not 3")
    if width != 3:
        glb.note(f"POSITION has {width} numbers a vertex, not 3")
    return positions[:, :3] if width > 2 else np.pad(positions, ((0, 0), (0, 1)))


def _indices(glb: Glb, index: int) -> Array:
    accessor = glb.parts.accessors[index]
    if accessor.componentType not in (5121, 5123, 5125):  # unsigned byte, short and int
        raise Refused("the mesh's indices aren't unsigned integers")
    if accessor.type != "SCALAR":
        raise Refused("the mesh's indices aren't single numbers")
    if accessor.normalized:
        raise Refused("the mesh's indices are fractions")
    return glb.buffers.values(index)[:, 0]


def _triangles(glb: Glb, indices: Array | None, count: int, mode: int) -> Indices:
    if mode not in (4, 5, 6):  # TRIANGLES, TRIANGLE_STRIP, TRIANGLE_FAN
        raise Refused("the mesh isn't made of triangles")
    flat = np.arange(count, dtype=np.uint32) if indices is None else indices.astype(np.uint32)
    if len(flat) and flat.max() >= count:
        raise Refused(f"an index points to vertex {flat.max():,}, and there are {count:,}")
    if mode == 4:
        corners = flat[: len(flat) // 3 * 3].reshape(-1, 3)
        if len(flat) % 3:
            glb.note("the last triangle misses a corner and isn't drawn")
    elif mode == 5:
        corners = (
            np.stack([flat[:-2], flat[1:-1], flat[2:]], axis=1)
            if len(flat) > 2
            else flat[:0].reshape(0, 3)
        )
        # Each second one of a strip is turned (glTF 2.0, topology).
        corners[1::2] = corners[1::2][:, [1, 0, 2]]
    else:
        hub = np.broadcast_to(flat[:1], max(len(flat) - 2, 0))
        corners = (
            np.stack([hub, flat[1:-1], flat[2:]], axis=1)
            if len(flat) > 2
            else flat[:0].reshape(0, 3)
        )
    if not len(corners):
        raise Refused("the mesh has no triangles")
    if len(corners) > TRIANGLES:
        raise Refused(f"the mesh has {len(corners):,} triangles, more than {TRIANGLES:,}")
    return corners


def _numbered(parts: list[Posed], triangles: Indices) -> Indices:
    """The triangles of all parts, whose vertices follow one another."""
    numbered, start = [], 0
    for part in parts:
        turned = part.turned(triangles)
        numbered.append(turned + np.uint32(start) if start else turned)
        start += len(part.positions)
    return np.ascontiguousarray(_joined(numbered))


def _joined(arrays: list[Any]) -> Any:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _within_reach(glb: Glb, positions: Floats, triangles: Indices) -> Floats:
    """The positions, finite all. A mesh that leaves its space is refused, but a vertex without
    triangles may be anywhere."""
    if not np.isfinite(positions).all():
        used = np.zeros(len(positions), bool)
        used[triangles.ravel()] = True
        if not np.isfinite(positions[used]).all():
            raise Refused("some vertices aren't at finite places")
        glb.note("some vertices without triangles aren't at finite places")
        positions = np.where(
            np.isfinite(positions).all(axis=1, keepdims=True), positions, np.float32(0)
        )
    reach = _reach(positions)
    if reach > REACH + ROUNDING:
        reach = _reach(positions[triangles.ravel()])
    if reach > REACH + ROUNDING:
        raise Refused(f"the mesh reaches {reach:.3g} from the origin on an axis, beyond ±{REACH}")
    return positions


def _reach(positions: Floats) -> float:
    return max(float(positions.max()), -float(positions.min()))


def _normals(
    parts: list[Posed], positions: Floats, triangles: Indices
) -> tuple[Floats, Floats | None]:
    """Unit normals (n, 3): the file's, else smooth ones. Where there are none, zeros. And the
    file's tangents.
    """
    normals = [part.normals for part in parts if part.normals is not None]
    tangents = [part.tangents for part in parts if part.tangents is not None]
    if len(normals) < len(parts):
        return unit(smooth_normals(positions, triangles)), None
    return unit(_joined(normals)), _joined(tangents) if len(tangents) == len(parts) else None


@numba.njit(cache=True)
def smooth_normals(positions: Any, triangles: Any) -> Any:
    """For each vertex (n, 3), the sum of its triangles' unit normals, each weighted by the
    triangle's angle there.

    As the present renderer has it from trimesh, whose loop over vertices this is, compiled.
    """
    normals = np.zeros((len(positions), 3), np.float32)
    edges = np.zeros((3, 3))
    for triangle in triangles:
        for corner in range(3):
            ahead, here = triangle[(corner + 1) % 3], triangle[corner]
            length = 0.0
            for axis in range(3):
                edges[corner, axis] = np.float64(positions[ahead, axis]) - np.float64(
                    positions[here, axis]
                )
                length += edges[corner, axis] ** 2
            length = np.sqrt(length)
            for axis in range(3):
                edges[corner, axis] /= max(length, 1e-30)
        x = edges[0, 1] * edges[1, 2] - edges[0, 2] * edges[1, 1]
        y = edges[0, 2] * edges[1, 0] - edges[0, 0] * edges[1, 2]
        z = edges[0, 0] * edges[1, 1] - edges[0, 1] * edges[1, 0]
        area = np.sqrt(x * x + y * y + z * z)
        if area < 1e-12:  # degenerate: it faces nowhere
            continue
        for corner in range(3):
            before = (corner + 2) % 3
            cosine = 0.0
            for axis in range(3):
                cosine -= edges[corner, axis] * edges[before, axis]
            angle = np.arccos(min(max(cosine, -1.0), 1.0)) / area
            normals[triangle[corner], 0] += np.float32(x * angle)
            normals[triangle[corner], 1] += np.float32(y * angle)
            normals[triangle[corner], 2] += np.float32(z * angle)
    return normals
