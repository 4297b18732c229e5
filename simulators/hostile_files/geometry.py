"""Files whose geometry or tree of nodes is wrong, or larger than anything may be."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gpu.workers.warmup import glb
from simulators.files_3d import PLACES, TRIANGLES, header, mesh
from simulators.hostile_files.case import Case


def geometry() -> Iterator[Case]:
    places = np.frombuffer(PLACES, "<f4").reshape(-1, 3)
    for name, value in {"NaN": np.nan, "infinity": np.inf, "-infinity": -np.inf}.items():
        wrong = places.copy()
        wrong[2, 1] = value
        yield Case(f"a vertex at {name}", "glb", mesh(places=wrong.tobytes()), "finite")
    yield Case("a mesh too large", "glb", mesh(places=(places * 3).tobytes()), "beyond ±0.6")
    yield Case(
        "a mesh larger than floats",
        "glb",
        mesh(places=places.tobytes(), node={"scale": [1e9, 1, 1]}),
        "beyond ±0.6",
    )
    huge = (places * np.float32(3e37)).tobytes()
    yield Case(
        "a mesh that overflows", "glb", mesh(places=huge, node={"scale": [1e9, 1e9, 1e9]}), "finite"
    )
    yield Case(
        "giant indices",
        "glb",
        mesh(indices=np.full(12, 2**32 - 1, "<u4").tobytes(), width=5125),
        "an index points to",
    )
    yield Case(
        "an index just beyond",
        "glb",
        mesh(indices=np.array([0, 1, 4] * 4, "<u2").tobytes()),
        "vertex 4",
    )
    yield Case(
        "indices that are floats",
        "glb",
        mesh(indices=np.zeros(12, "<f4").tobytes(), width=5126),
        "unsigned integers",
    )
    yield Case(
        "indices that are vectors",
        "glb",
        mesh(index={"type": "VEC3", "count": 4}),
        "single numbers",
    )
    yield Case("two indices", "glb", mesh(index={"count": 2}), "no triangles")
    yield Case("points", "glb", mesh(primitive={"mode": 0}), "holds 0")
    yield Case("mode 99", "glb", mesh(primitive={"mode": 99}), "mode")
    yield Case("triangles without area", "glb", mesh(indices=np.zeros(12, "<u2").tobytes()), None)
    yield Case("all vertices in one place", "glb", mesh(places=bytes(48)), None)
    wrong_normals = header(normals=True)
    yield Case(
        "normals that are NaN", "glb", glb(wrong_normals, PLACES, TRIANGLES, b"\xff" * 48), None
    )
    yield Case(
        "normals that are zero", "glb", glb(wrong_normals, PLACES, TRIANGLES, bytes(48)), None
    )
    wrong_normals["accessors"][2]["count"] = 3
    yield Case(
        "fewer normals than vertices", "glb", glb(wrong_normals, PLACES, TRIANGLES, bytes(48)), None
    )


def nodes() -> Iterator[Case]:
    def tree(*nodes: Any, roots: tuple[int, ...] = (0,)) -> bytes:
        return mesh(nodes=list(nodes), scenes=[{"nodes": list(roots)}])

    yield Case(
        "nodes in a circle",
        "glb",
        tree({"children": [1]}, {"children": [0], "mesh": 0}),
        "two parents",
    )
    yield Case(
        "a node that is its own child", "glb", tree({"children": [0], "mesh": 0}), "two parents"
    )
    chain = [{"children": [number + 1]} for number in range(10_000)] + [{"mesh": 0}]
    yield Case("nodes 10,000 deep", "glb", tree(*chain), None)
    yield Case("a million nodes", "glb", tree(*[{"mesh": 0}] * 1_000_000), "nodes is wrong")
    yield Case(
        "a mesh shown 100 times", "glb", tree(*[{"mesh": 0}] * 100, roots=tuple(range(100))), None
    )
    yield Case("the same root twice", "glb", tree({"mesh": 0}, roots=(0, 0)), None)
    yield Case("a mesh shown nowhere", "glb", tree({}), None)
    yield Case("a child that isn't there", "glb", tree({"children": [5]}), "node 5")
    yield Case("a scene that isn't there", "glb", mesh(scene=3), "scene 3")
    both: dict[str, Any] = {"nodes": [{"mesh": 0}, {"mesh": 1}], "scenes": [{"nodes": [0, 1]}]}
    yield Case("two meshes", "glb", mesh(meshes=header()["meshes"] * 2, **both), "holds 2")
    yield Case(
        "a mesh of two parts",
        "glb",
        mesh(meshes=[{"primitives": header()["meshes"][0]["primitives"] * 2}]),
        "holds 2",
    )
    yield Case("no meshes", "glb", mesh(meshes=[], nodes=[{}]), "holds 0")
    yield Case("a matrix of 3 numbers", "glb", mesh(node={"matrix": [1, 0, 0]}), "matrix")
    yield Case("a rotation by nothing", "glb", mesh(node={"rotation": [0, 0, 0, 0]}), None)
    yield Case("a mesh made flat", "glb", mesh(node={"scale": [0, 0, 0]}), None)
    yield Case("a skin that isn't there", "glb", mesh(node={"skin": 0}), None)
    yield Case(
        "a million joints", "glb", mesh(node={"skin": 0}, skins=[{"joints": [0] * 1_000_000}]), None
    )
    yield Case("weights of no morph targets", "glb", mesh(node={"weights": [1.0]}), None)
    yield Case(
        "10,000 morph targets", "glb", mesh(primitive={"targets": [{"POSITION": 0}] * 10_000}), None
    )
    away = {"extensions": {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 2}}}}
    zeros = {"componentType": 5126, "count": 12_000_000, "type": "VEC3"}
    accessors = [*header()["accessors"], zeros]
    many = mesh(nodes=[{"mesh": 0, **away}], accessors=accessors)
    yield Case("a mesh in 12 million instances", "glb", many, "shown 12,000,000 times")
    zeros["count"] = 1_200_000
    many = mesh(nodes=[{"mesh": 0, **away}], accessors=accessors)
    yield Case("a mesh in a million instances", "glb", many, "4,800,000 vertices")
