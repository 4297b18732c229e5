"""Files whose geometry or tree of nodes is wrong, or larger than anything may be."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gpu.workers.warmup import glb
from simulators.files_3d import PLACES, TRIANGLES, header, mesh
from simulators.hostile_files.case import Case


def geometry() -> Iterator[tuple[str, Case]]:
    places = np.frombuffer(PLACES, "<f4").reshape(-1, 3)
    for name, value in {"NaN": np.nan, "infinity": np.inf, "-infinity": -np.inf}.items():
        wrong = places.copy()
        wrong[2, 1] = value
        yield f"a vertex at {name}", ("glb", mesh(places=wrong.tobytes()), "finite")
    yield "a mesh too large", ("glb", mesh(places=(places * 3).tobytes()), "beyond ±0.6")
    yield (
        "a mesh larger than floats",
        ("glb", mesh(places=places.tobytes(), node={"scale": [1e9, 1, 1]}), "beyond ±0.6"),
    )
    huge = (places * np.float32(3e37)).tobytes()
    yield (
        "a mesh that overflows",
        ("glb", mesh(places=huge, node={"scale": [1e9, 1e9, 1e9]}), "finite"),
    )
    yield (
        "giant indices",
        (
            "glb",
            mesh(indices=np.full(12, 2**32 - 1, "<u4").tobytes(), width=5125),
            "an index points to",
        ),
    )
    yield (
        "an index just beyond",
        ("glb", mesh(indices=np.array([0, 1, 4] * 4, "<u2").tobytes()), "vertex 4"),
    )
    yield (
        "indices that are floats",
        ("glb", mesh(indices=np.zeros(12, "<f4").tobytes(), width=5126), "unsigned integers"),
    )
    yield (
        "indices that are vectors",
        ("glb", mesh(index={"type": "VEC3", "count": 4}), "single numbers"),
    )
    yield "two indices", ("glb", mesh(index={"count": 2}), "no triangles")
    yield "points", ("glb", mesh(primitive={"mode": 0}), "holds 0")
    yield "mode 99", ("glb", mesh(primitive={"mode": 99}), "mode")
    yield "triangles without area", ("glb", mesh(indices=np.zeros(12, "<u2").tobytes()), None)
    yield "all vertices in one place", ("glb", mesh(places=bytes(48)), None)
    wrong_normals = header(normals=True)
    yield "normals that are NaN", ("glb", glb(wrong_normals, PLACES, TRIANGLES, b"\xff" * 48), None)
    yield "normals that are zero", ("glb", glb(wrong_normals, PLACES, TRIANGLES, bytes(48)), None)
    wrong_normals["accessors"][2]["count"] = 3
    yield (
        "fewer normals than vertices",
        ("glb", glb(wrong_normals, PLACES, TRIANGLES, bytes(48)), None),
    )


def nodes() -> Iterator[tuple[str, Case]]:
    def tree(*nodes: Any, roots: tuple[int, ...] = (0,)) -> bytes:
        return mesh(nodes=list(nodes), scenes=[{"nodes": list(roots)}])

    yield (
        "nodes in a circle",
        ("glb", tree({"children": [1]}, {"children": [0], "mesh": 0}), "two parents"),
    )
    yield "a node that is its own child", ("glb", tree({"children": [0], "mesh": 0}), "two parents")
    chain = [{"children": [number + 1]} for number in range(10_000)] + [{"mesh": 0}]
    yield "nodes 10,000 deep", ("glb", tree(*chain), None)
    yield "a million nodes", ("glb", tree(*[{"mesh": 0}] * 1_000_000), "nodes is wrong")
    yield (
        "a mesh shown 100 times",
        ("glb", tree(*[{"mesh": 0}] * 100, roots=tuple(range(100))), None),
    )
    yield "the same root twice", ("glb", tree({"mesh": 0}, roots=(0, 0)), None)
    yield "a mesh shown nowhere", ("glb", tree({}), None)
    yield "a child that isn't there", ("glb", tree({"children": [5]}), "node 5")
    yield "a scene that isn't there", ("glb", mesh(scene=3), "scene 3")
    both: dict[str, Any] = {"nodes": [{"mesh": 0}, {"mesh": 1}], "scenes": [{"nodes": [0, 1]}]}
    yield "two meshes", ("glb", mesh(meshes=header()["meshes"] * 2, **both), "holds 2")
    yield (
        "a mesh of two parts",
        ("glb", mesh(meshes=[{"primitives": header()["meshes"][0]["primitives"] * 2}]), "holds 2"),
    )
    yield "no meshes", ("glb", mesh(meshes=[], nodes=[{}]), "holds 0")
    yield "a matrix of 3 numbers", ("glb", mesh(node={"matrix": [1, 0, 0]}), "matrix")
    yield "a rotation by nothing", ("glb", mesh(node={"rotation": [0, 0, 0, 0]}), None)
    yield "a mesh made flat", ("glb", mesh(node={"scale": [0, 0, 0]}), None)
    yield "a skin that isn't there", ("glb", mesh(node={"skin": 0}), None)
    yield (
        "a million joints",
        ("glb", mesh(node={"skin": 0}, skins=[{"joints": [0] * 1_000_000}]), None),
    )
    yield "weights of no morph targets", ("glb", mesh(node={"weights": [1.0]}), None)
    yield (
        "10,000 morph targets",
        ("glb", mesh(primitive={"targets": [{"POSITION": 0}] * 10_000}), None),
    )
    away = {"extensions": {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 2}}}}
    zeros = {"componentType": 5126, "count": 12_000_000, "type": "VEC3"}
    accessors = [*header()["accessors"], zeros]
    many = mesh(nodes=[{"mesh": 0, **away}], accessors=accessors)
    yield "a mesh in 12 million instances", ("glb", many, "shown 12,000,000 times")
    zeros["count"] = 1_200_000
    many = mesh(nodes=[{"mesh": 0, **away}], accessors=accessors)
    yield "a mesh in a million instances", ("glb", many, "4,800,000 vertices")
