"""A mesh in the pose in which a node shows it: its morph targets, then its skin's joints or else
the node's transform.

The values of vertices that only change its looks are left out where they can't be used.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.faults import Unreadable
from gpu.meshes.buffers import Array
from gpu.meshes.glb import Glb
from gpu.meshes.gltf import MorphTarget, Primitive, read
from gpu.meshes.scene import Pose, Transforms
from gpu.meshes.tolerance import quoted

Floats = NDArray[np.float32]
Indices = NDArray[np.uint32]
Values = dict[str, Array]
_AT_ONCE = 65_536  # vertices that joints move together, to spare memory


@dataclass(frozen=True)
class Posed:
    """The copies of one pose: positions (k · n, 3), normals (k · n, 3) and tangents (k · n, 4)
    where the file has usable ones, and which copies (k,) are mirrored: there, a triangle's front
    would be its back."""

    positions: Floats
    normals: Floats | None
    tangents: Floats | None
    mirrored: NDArray[np.bool_]

    def turned(self, triangles: Indices) -> Indices:
        """The triangles (k · m, 3) of all copies."""
        if len(self.mirrored) == 1:
            return triangles[:, ::-1] if self.mirrored[0] else triangles
        count = np.uint32(len(self.positions) // len(self.mirrored))
        starts = np.arange(len(self.mirrored), dtype=np.uint32) * count
        copies = np.where(self.mirrored[:, None, None], triangles[:, ::-1], triangles)
        numbered: Indices = (copies + starts[:, None, None]).reshape(-1, 3)
        return numbered


@dataclass(frozen=True)
class _Joints:
    """For each vertex, four joints (n, 4), their weights (n, 4), which add up to one, and all
    joints (j, 4, 4).
    """

    numbers: NDArray[np.intp]
    weights: Transforms
    transforms: Transforms

    def move(self, values: Array, homogeneous: float) -> Floats:
        """Places (homogeneous 1) or directions (0), (n, 3), as their joints have them."""
        moved = np.empty((len(values), 3), np.float32)
        for start in range(0, len(values), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            matrices = np.einsum(
                "nw,nwij->nij", self.weights[part], self.transforms[self.numbers[part], :3]
            )
            places = np.pad(
                values[part].astype(np.float64), ((0, 0), (0, 1)), constant_values=homogeneous
            )
            moved[part] = np.einsum("nij,nj->ni", matrices, places)
        return moved


def together(poses: list[Pose]) -> list[Pose]:
    """Poses without joints that differ in their transforms alone, as one."""
    rigid: dict[tuple[float, ...], list[Transforms]] = {}
    for pose in poses:
        if pose.joints is None:
            rigid.setdefault(pose.weights, []).append(pose.transforms)
    joined = [Pose(np.concatenate(transforms), weights) for weights, transforms in rigid.items()]
    return joined + [pose for pose in poses if pose.joints is not None]


def posed(glb: Glb, primitive: Primitive, values: Values, pose: Pose) -> Posed:
    """The vertices in the world, in a pose of one transform or more."""
    values = _morphed(glb, primitive, values, pose.weights)
    local: Array = values["POSITION"]
    moved: Array
    normals, tangents = _usable(glb, values, "NORMAL", 3), _usable(glb, values, "TANGENT", 4)
    joints = None if pose.joints is None else _joints(glb, values, pose.joints)
    across = pose.transforms[:, :3, :3]
    # Negative where a transform mirrors (glTF 2.0, instantiation: winding order).
    volumes = np.linalg.det(across)
    if joints is not None:
        moved = joints.move(local, 1)
        normals = None if normals is None else joints.move(normals, 0)
        along: Array | None = None if tangents is None else joints.move(tangents[:, :3], 0)
        volumes = volumes[:1]
    elif len(across) == 1 and (pose.transforms[0] == np.eye(4)).all():
        moved, along = local, None if tangents is None else tangents[:, :3]
    else:
        moved = (local @ across.transpose(0, 2, 1) + pose.transforms[:, None, :3, 3]).reshape(-1, 3)
        if normals is not None and (np.linalg.matrix_rank(across) < 3).any():
            glb.note("a node's transform flattens the mesh, whose normals are computed")
            normals = None
        # A normal goes by the inverse transpose; as a row, by the inverse.
        normals = None if normals is None else (normals @ np.linalg.inv(across)).reshape(-1, 3)
        along = (
            None
            if tangents is None
            else (tangents[:, :3] @ across.transpose(0, 2, 1)).reshape(-1, 3)
        )
    if tangents is not None and along is not None:
        sides = np.tile(tangents[:, 3:], (len(along) // len(tangents), 1))
        whole = along.any(axis=1).all()
        tangents = (
            np.concatenate([unit(along), sides], axis=1).astype(np.float32) if whole else None
        )
    return Posed(
        np.ascontiguousarray(moved, np.float32),
        None if normals is None else np.ascontiguousarray(normals, np.float32),
        tangents,
        volumes < 0,
    )


def optional(glb: Glb, index: Any, count: int, name: str) -> Array | None:
    """An accessor's values for `count` vertices; None, and a note, where it can't be used."""
    try:
        values = glb.buffers.values(index)
    except Unreadable as fault:
        glb.note(f"{quoted(name)} can't be used: {fault}")
        return None
    if len(values) < count:
        glb.note(
            f"{quoted(name)} can't be used: "
            f"it has a value for {len(values):,} of {count:,} vertices"
        )
        return None
    return values[:count]


def unit(vectors: Array) -> Floats:
    """Vectors (n, 3) of length one; those of length zero stay."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    units: Floats = np.divide(
        vectors, length, out=np.zeros_like(vectors, np.float32), where=length > 0
    )
    return units


def _usable(glb: Glb, values: Values, name: str, width: int) -> Array | None:
    rows = values.get(name)
    if rows is None or not rows.any():
        return None
    if rows.shape[1] < width or not np.isfinite(rows).all():
        glb.note(f"{name} isn't usable: {width} finite numbers a vertex are wanted")
        return None
    return rows[:, :width].astype(np.float32)


def _morphed(glb: Glb, primitive: Primitive, values: Values, weights: tuple[float, ...]) -> Values:
    """The values with what the morph targets add to them at these weights."""
    count = len(values["POSITION"])
    for number, (one, weight) in enumerate(zip(primitive.targets, weights, strict=False)):
        if not weight:
            continue
        try:
            target = read(MorphTarget, one, f"targets.{number}", glb.note)
        except Unreadable as fault:
            glb.note(f"morph target {number} isn't applied: {fault}")
            continue
        for name, index in (("POSITION", target.POSITION), ("NORMAL", target.NORMAL)):
            if index is None or name not in values:
                continue
            added = optional(glb, index, count, f"{name} of morph target {number}")
            if added is None or added.shape != values[name].shape:
                glb.note(f"morph target {number} isn't applied to {name}")
                continue
            values = values | {name: values[name] + np.float32(weight) * added.astype(np.float32)}
    return values


def _joints(glb: Glb, values: Values, transforms: Transforms) -> _Joints | None:
    """Each vertex's joints; None, and a note, where the mesh can't be moved by joints."""
    numbers, weights = values.get("JOINTS_0"), values.get("WEIGHTS_0")
    if numbers is None or weights is None:
        glb.note("the skin isn't applied: the mesh has no joints or weights")
        return None
    whole = numbers.dtype.kind == "u" and numbers.shape[1] == weights.shape[1] == 4
    if not whole or not np.isfinite(weights).all() or numbers.max() >= len(transforms):
        glb.note("the skin isn't applied: the mesh's joints or weights can't be used")
        return None
    weights = weights.astype(np.float64)
    sums = np.abs(weights).sum(axis=1, keepdims=True)
    # As three.js: a vertex without weights goes with its first joint.
    weights = np.where(sums > 0, weights / np.where(sums > 0, sums, 1), (1, 0, 0, 0))
    return _Joints(numbers.astype(np.intp), weights, transforms)
