"""Which mesh a glTF shows, and where: its scenes and nodes, followed as three.js' loader follows
them.

The file must hold exactly one mesh to be shown, a mesh of two materials being two (a primitive
each). It is looked for where glTF shows it, in the default scene; a file whose default scene is
empty is taken to mean its next scene, then the nodes without a scene, then the mesh itself. What
isn't shown isn't counted, and nor are points and lines. Shown in several places, it is drawn in
each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.faults import Refused, Unreadable
from gpu.meshes.buffers import Array, Buffers
from gpu.meshes.gltf import VERTICES, Gltf, Instancing, Mesh, Primitive, Skin, read
from gpu.meshes.tolerance import Note

Transforms = NDArray[np.float64]
_POINTS_AND_LINES = (0, 1, 2, 3)  # modes


@dataclass(frozen=True)
class _MeshNode:
    """A node that shows a mesh, by their numbers; `node` is None for a mesh that no node shows."""

    node: int | None
    mesh: int


@dataclass(frozen=True)
class Pose:
    """A node that shows the mesh: its transforms to the world (k, 4, 4), or those of its skin's
    joints (j, 4, 4).
    """

    transforms: Transforms
    weights: tuple[float, ...]
    joints: Transforms | None = None


@dataclass(frozen=True)
class Shown:
    """The one primitive that is shown, and the poses that it is shown in."""

    primitive: Primitive
    poses: list[Pose]


class Scenes:
    """A glTF's scenes. Raises Refused where there isn't exactly one mesh to draw."""

    def __init__(self, parts: Gltf, buffers: Buffers, note: Note) -> None:
        self._parts, self._buffers, self._note = parts, buffers, note
        self._locals: dict[int, Transforms] = {}
        self._world: dict[int, Transforms] = {}
        self._of_triangles: dict[int, list[Any]] = {}

    def shown(self) -> Shown:
        """The mesh, and where it is shown."""
        mesh_nodes, parents = self._mesh_nodes()
        meshes = {each.mesh for each in mesh_nodes}
        primitives = [
            primitive for number in sorted(meshes) for primitive in self._triangles(number)
        ]
        if len(primitives) != 1:
            raise Refused(
                f"the file must hold exactly one mesh to be shown, and holds {len(primitives)}"
            )
        mesh = self._parts.meshes[meshes.pop()]
        primitive = read(Primitive, primitives[0], "meshes.primitives", self._note)
        return Shown(primitive, [self._pose(each.node, mesh, parents) for each in mesh_nodes])

    def _mesh_nodes(self) -> tuple[list[_MeshNode], dict[int, int | None]]:
        """The nodes that show a mesh with triangles, and the parents of all nodes followed."""
        for number, roots in enumerate(self._sets_of_roots()):
            parents = self._parents(roots)
            mesh_nodes: list[_MeshNode] = []
            for index in parents:
                mesh = self._parts.nodes[index].mesh
                if mesh is not None and mesh >= len(self._parts.meshes):
                    self._note(f"node {index} shows mesh {mesh}, and there is none")
                elif mesh is not None and self._triangles(mesh):
                    mesh_nodes.append(_MeshNode(index, mesh))
            if mesh_nodes:
                if number:
                    self._note("the default scene shows no mesh; the one of another is drawn")
                return mesh_nodes, parents
        self._note("no node shows the mesh; it is drawn where it is")
        numbers = range(len(self._parts.meshes))
        return [_MeshNode(None, mesh) for mesh in numbers if self._triangles(mesh)], {}

    def _sets_of_roots(self) -> Iterator[Iterable[int]]:
        """The roots of the default scene, of the others, and last those of all nodes."""
        scenes = self._parts.scenes
        if len(scenes):
            default = scenes[self._parts.scene or 0]
            yield default.nodes
            yield from (scene.nodes for scene in scenes if scene is not default)
        children = {child for node in self._parts.nodes for child in node.children}
        yield (index for index in range(len(self._parts.nodes)) if index not in children)

    def _parents(self, roots: Iterable[int]) -> dict[int, int | None]:
        """The nodes that are reached, each with its parent; of several parents the last, as in
        three.js.
        """
        parents: dict[int, int | None] = dict.fromkeys(roots)
        todo = list(parents)
        for index in todo:
            for child in self._parts.nodes[index].children:
                if child in parents:
                    self._note(f"node {child} has two parents, of which the last counts")
                else:
                    todo.append(child)
                parents[child] = index
        self._locals |= dict(zip(todo, self._transforms(todo), strict=True))
        return parents

    def _triangles(self, number: int) -> list[Any]:
        """The primitives of a mesh, as JSON, that are made of triangles."""
        if number not in self._of_triangles:
            primitives = self._parts.meshes[number].primitives
            kept = [
                one
                for one in primitives
                if not (isinstance(one, dict) and one.get("mode") in _POINTS_AND_LINES)
            ]
            if len(kept) < len(primitives):
                self._note("points and lines aren't drawn")
            self._of_triangles[number] = kept
        return self._of_triangles[number]

    def _pose(self, index: int | None, mesh: Mesh, parents: dict[int, int | None]) -> Pose:
        if index is None:
            return Pose(np.eye(4)[None], tuple(mesh.weights))
        node = self._parts.nodes[index]
        weights = tuple(node.weights) + tuple(mesh.weights[len(node.weights) :])
        world = self._place(index, parents)[None]
        instancing = node.extensions.EXT_mesh_gpu_instancing
        if instancing and instancing.attributes:
            world = world @ self._instances(instancing)
        if node.skin is not None:
            try:
                return Pose(world, weights, self._joints(self._parts.skins[node.skin], parents))
            except Unreadable as fault:
                self._note(f"the skin isn't applied: {fault}")
        return Pose(world, weights)

    def _place(self, index: int, parents: dict[int, int | None]) -> Transforms:
        """A node's transform to the world, (4, 4): the product of its own and those of the nodes
        above it.
        """
        path: list[int] = []
        above: int | None = index
        while above is not None and above not in self._world:
            path.append(above)
            above = parents.get(above)
            if len(path) > len(parents) + 1:  # longer than all nodes: a ring
                raise Refused(f"node {index} has two parents, or is its own")
        matrix = np.eye(4) if above is None else self._world[above]
        for step in reversed(path):
            matrix = matrix @ self._locals[step]
            self._world[step] = matrix
        return matrix

    def _transforms(self, indices: list[int]) -> Transforms:
        """The own transforms (n, 4, 4) of nodes: their matrices, or translation · rotation ·
        scale.
        """
        nodes = [self._parts.nodes[index] for index in indices]
        if not nodes:
            return np.zeros((0, 4, 4))
        rotations = np.array([node.rotation for node in nodes], np.float64)
        if (np.abs((rotations**2).sum(axis=1) - 1) > 0.01).any():  # less is rounding
            self._note("a node's rotation isn't a unit quaternion, and is made one")
        transforms = composed(
            np.array([node.translation for node in nodes], np.float64),
            rotations,
            np.array([node.scale for node in nodes], np.float64),
        )
        for number, node in enumerate(nodes):
            if node.matrix is not None:
                # Stored column by column.
                transforms[number] = np.array(node.matrix).reshape(4, 4).T
        return transforms

    def _instances(self, instancing: Instancing) -> Transforms:
        """The transforms (k, 4, 4) of EXT_mesh_gpu_instancing."""
        parts = {}
        for name, values in (
            ("TRANSLATION", (0, 0, 0)),
            ("ROTATION", (0, 0, 0, 1)),
            ("SCALE", (1, 1, 1)),
        ):
            if name in instancing.attributes:
                parts[name] = self._buffers.values(instancing.attributes[name])
                if parts[name].shape[1] != len(values):
                    raise Unreadable(
                        f"the instances' {name} has {parts[name].shape[1]} numbers, not "
                        f"{len(values)}"
                    )
            else:
                parts[name] = np.array([values])
        count = max(map(len, parts.values()))
        if count > VERTICES // 3:
            raise Refused(f"the mesh is shown {count:,} times")
        if any(len(part) not in (1, count) for part in parts.values()):
            raise Unreadable("the attributes of the mesh's instances have different lengths")
        return composed(*(np.broadcast_to(part, (count, part.shape[1])) for part in parts.values()))

    def _joints(self, skin: Skin, parents: dict[int, int | None]) -> Transforms:
        """The transforms (j, 4, 4) from where each joint was bound to where it is in the world."""
        missing = [joint for joint in skin.joints if joint not in parents]
        if missing:
            # A joint may stand outside of the scene that is shown.
            parents = self._parents(missing) | parents
        placed = np.stack([self._place(joint, parents) for joint in skin.joints])
        if skin.inverseBindMatrices is None:
            return placed
        bound = self._buffers.matrices(skin.inverseBindMatrices)
        if len(bound) < len(placed):
            raise Unreadable("it doesn't have a matrix for each joint")
        return placed @ bound[: len(placed)]


def composed(translation: Array, rotation: Array, scale: Array) -> Transforms:
    """The transforms (k, 4, 4) of translations (k, 3), quaternions (k, 4), made unit ones, and
    scales (k, 3).
    """
    length = np.linalg.norm(rotation, axis=1, keepdims=True)
    x, y, z, w = np.where(length > 0, rotation / np.where(length > 0, length, 1), (0, 0, 0, 1)).T
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrices = np.zeros((len(translation), 4, 4))
    matrices[:, :3, :3] = turn.transpose(2, 0, 1) * scale[:, None, :]
    matrices[:, :3, 3] = translation
    matrices[:, 3, 3] = 1
    return matrices
