"""Which mesh of a GLB is drawn, where, and in which pose: as glTF shows it."""

from typing import Any

import DracoPy  # type: ignore[import-not-found]
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu.faults import Refused
from gpu.meshes.mesh import Model, read_mesh
from gpu.workers.warmup import glb
from simulators.files_3d import PLACES, TRIANGLES, header, mesh

CORNERS = np.frombuffer(PLACES, "<f4").reshape(4, 3)
FACES = np.frombuffer(TRIANGLES, "<u2").reshape(4, 3)
MESHES = header()["meshes"]


def read(file: bytes) -> tuple[Model, list[str]]:
    notes: list[str] = []
    return read_mesh(memoryview(file), notes.append), notes


def shown(
    nodes: list[Any], scenes: list[Any] | None = None, **more: Any
) -> tuple[Model, list[str]]:
    return read(mesh(nodes=nodes, scenes=scenes or [{"nodes": list(range(len(nodes)))}], **more))


def is_at(model: Model, *places: NDArray[Any]) -> bool:
    """Whether the mesh is shown at these places of its vertices, and nowhere else."""
    faces = np.concatenate([FACES + 4 * number for number in range(len(places))])
    return np.allclose(model.positions, np.concatenate(places), atol=1e-6) and np.array_equal(
        model.triangles, faces
    )


def moved(*by: float) -> NDArray[Any]:
    places: NDArray[Any] = CORNERS + np.array(by)
    return places


def test_two_nodes_show_one_mesh_twice() -> None:
    model, notes = shown(
        [{"mesh": 0, "translation": [0.2, 0, 0]}, {"mesh": 0, "scale": [0.5, 0.5, 0.5]}]
    )
    assert is_at(model, moved(0.2, 0, 0), CORNERS * 0.5)
    assert not notes


def test_all_values_of_vertices_are_there_for_each_copy() -> None:
    tree = header(normals=True)
    tree["meshes"][0]["primitives"][0]["attributes"] |= {"COLOR_0": 3}
    tree["accessors"].append(
        {"bufferView": 3, "componentType": 5121, "normalized": True, "count": 4, "type": "VEC4"}
    )
    tree |= {
        "nodes": [{"mesh": 0}, {"mesh": 0, "scale": [-1, 1, 1]}],
        "scenes": [{"nodes": [0, 1]}],
    }
    normals = np.eye(3, dtype="<f4")[[0, 1, 2, 0]]
    colors = np.arange(16, dtype="<u1") * 17
    model, _ = read(glb(tree, PLACES, TRIANGLES, normals.tobytes(), colors.tobytes()))
    assert model.colors is not None
    assert np.allclose(model.colors, np.tile(colors.reshape(4, 4) / 255, (2, 1)))
    assert np.allclose(model.normals, np.concatenate([normals, normals * (-1, 1, 1)]))
    assert np.array_equal(model.triangles[4:], FACES[:, ::-1] + 4)  # a mirror turns front to back


def test_what_the_scene_does_not_show_is_not_counted() -> None:
    scenes = [{"nodes": [0]}, {"nodes": [1]}]
    nodes = [{"mesh": 0}, {"mesh": 1, "translation": [9, 9, 9]}]
    assert is_at(shown(nodes, scenes, meshes=MESHES * 2)[0], CORNERS)
    assert is_at(shown([{"mesh": 0}], meshes=[*MESHES, None, {"primitives": [5]}])[0], CORNERS)
    with pytest.raises(Refused, match="exactly one mesh"):
        shown(nodes, meshes=MESHES * 2)


def test_a_mesh_in_another_scene_than_the_default() -> None:
    nodes = [{"name": "empty"}, {"mesh": 0, "translation": [0.1, 0, 0]}]
    for scenes, more in (
        ([{"nodes": [0]}, {"nodes": [1]}], {}),
        ([{"nodes": [1]}, {}], {"scene": 1}),
    ):
        model, notes = shown(nodes, scenes, **more)
        assert is_at(model, moved(0.1, 0, 0))
        assert notes == ["the default scene shows no mesh; the one of another is drawn"]


@pytest.mark.parametrize("scenes", [None, [], [{}], [{"nodes": []}]])
def test_a_mesh_in_no_scene(scenes: Any) -> None:
    nodes = [
        {"mesh": 0, "translation": [0, 0.1, 0]},
        {"children": [0], "translation": [0, 0.05, 0]},
    ]
    assert is_at(read(mesh(nodes=nodes, scenes=scenes))[0], moved(0, 0.15, 0))


def test_a_mesh_without_a_node() -> None:
    model, notes = shown([{}])
    assert is_at(model, CORNERS)
    assert notes == ["no node shows the mesh; it is drawn where it is"]


def test_a_matrix_counts_more_than_translation_rotation_and_scale() -> None:
    matrix = [*np.eye(4).reshape(-1)[:12], 0.1, 0, 0, 1]
    assert is_at(
        shown([{"mesh": 0, "matrix": matrix, "translation": [5, 5, 5], "scale": [2, 2, 2]}])[0],
        moved(0.1, 0, 0),
    )


def test_a_rotation_is_made_a_unit_quaternion() -> None:
    half = np.sqrt(0.5)
    right = shown([{"mesh": 0, "rotation": [0, half, 0, half]}])[0].positions
    model, notes = shown([{"mesh": 0, "rotation": [0, 3, 0, 3]}])
    assert np.allclose(model.positions, right, atol=1e-6)
    assert notes
    assert is_at(shown([{"mesh": 0, "rotation": [0, 0, 0, 0]}])[0], CORNERS)


def test_of_two_parents_the_last_counts() -> None:
    parents = [
        {"children": [2], "translation": [0.1, 0, 0]},
        {"children": [2], "translation": [0.2, 0, 0]},
    ]
    model, notes = shown([*parents, {"mesh": 0}], [{"nodes": [0, 1]}])
    assert is_at(model, moved(0.2, 0, 0))
    assert notes == ["node 2 has two parents, of which the last counts"]


def test_circles_of_nodes_that_are_not_reached_do_not_matter() -> None:
    nodes = [
        {"mesh": 0},
        {"children": [2]},
        {"children": [1], "mesh": 0},
        {"children": [99]},
        {"mesh": 7},
    ]
    assert is_at(shown(nodes, [{"nodes": [0]}])[0], CORNERS)
    with pytest.raises(Refused, match="two parents, or is its own"):
        shown(nodes, [{"nodes": [1]}])


def test_instances() -> None:
    at = np.array([[0.1, 0, 0], [-0.1, 0, 0], [0, 0.1, 0]], "<f4")
    tree = header()
    tree["accessors"].append({"bufferView": 2, "componentType": 5126, "count": 3, "type": "VEC3"})
    tree["accessors"].append({"bufferView": 3, "componentType": 5126, "count": 3, "type": "VEC3"})
    attributes = {"TRANSLATION": 2, "SCALE": 3}
    tree["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    tree["nodes"][0]["translation"] = [0, 0, 0.1]
    tree["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]
    sizes = np.full((3, 3), 0.5, "<f4")
    model, _ = read(glb(tree, PLACES, TRIANGLES, at.tobytes(), sizes.tobytes()))
    assert is_at(model, *(CORNERS * 0.5 + move + (0, 0, 0.1) for move in at))


def morphing(
    weights: dict[str, Any], node: dict[str, Any] | None = None
) -> tuple[Model, list[str]]:
    tree = header(normals=True)
    vectors = {"componentType": 5126, "count": 4, "type": "VEC3"}
    tree["accessors"] += [{"bufferView": view, **vectors} for view in (3, 4, 5)]
    tree["meshes"][0]["primitives"][0]["targets"] = [
        {"POSITION": 3, "NORMAL": 4},
        {"POSITION": 5},
        {"POSITION": 88},
    ]
    tree["meshes"][0] |= weights
    tree["nodes"][0] |= node or {}
    return read(glb(tree, PLACES, TRIANGLES, *MORPHS))


_NORMALS = np.eye(3, dtype="<f4")[[0, 1, 2, 0]]
_STEPS = np.random.default_rng(4).normal(0, 0.05, (3, 4, 3)).astype("<f4")
MORPHS = [part.tobytes() for part in (_NORMALS, *_STEPS)]


def test_morph_targets_count_with_their_weights() -> None:
    places, normals, more = _STEPS
    for weights, node, (one, two) in (
        ({}, {}, (0, 0)),
        ({"weights": [0, 0, 0]}, {}, (0, 0)),
        ({"weights": [0.5, 1]}, {}, (0.5, 1)),
        ({"weights": [0.5, 1]}, {"weights": [0.25]}, (0.25, 1)),
        ({"weights": [0.5, 1]}, {"weights": [0, -1, 0, 7, 9]}, (0, -1)),
    ):
        model, notes = morphing(weights, node)
        assert is_at(model, CORNERS + one * places + two * more)
        turned = _NORMALS + one * normals
        assert np.allclose(
            model.normals, turned / np.linalg.norm(turned, axis=1)[:, None], atol=1e-6
        )
        assert not notes
    model, notes = morphing({"weights": [0, 1, 1]})
    assert is_at(model, CORNERS + more)
    assert notes


def skinned(**node: Any) -> tuple[Model, list[str]]:
    """The tetrahedron on two joints, of which the second is turned and below the first, which is
    moved.
    """
    tree = header()
    tree["meshes"][0]["primitives"][0]["attributes"] |= {"JOINTS_0": 2, "WEIGHTS_0": 3}
    tree["accessors"] += [
        {"bufferView": 2, "componentType": 5121, "count": 4, "type": "VEC4"},
        {"bufferView": 3, "componentType": 5126, "count": 4, "type": "VEC4"},
        {"bufferView": 4, "componentType": 5126, "count": 2, "type": "MAT4"},
    ]
    tree["nodes"] = [
        {"mesh": 0, "skin": 0, "translation": [7, 7, 7]} | node,
        {"children": [2], "translation": [0.1, 0, 0]},
        {"rotation": [0, np.sin(0.3), 0, np.cos(0.3)]},
    ]
    tree |= {"scenes": [{"nodes": [0, 1]}], "skins": [{"joints": [1, 2], "inverseBindMatrices": 4}]}
    content = (JOINTS.astype("<u1"), WEIGHTS.astype("<f4"), BOUND.transpose(0, 2, 1).astype("<f4"))
    return read(glb(tree, PLACES, TRIANGLES, *(part.tobytes() for part in content)))


JOINTS = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0]])
WEIGHTS = np.array(
    [[1, 0, 0, 0], [2, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0, 0]]
)  # not all of them add up to one
BOUND = np.array([np.eye(4), np.eye(4)])
BOUND[:, :3, 3] = [[-0.05, 0.02, 0], [0, -0.1, 0]]


def test_a_skin_puts_vertices_where_its_joints_are() -> None:
    cosine, sine = np.cos(0.6), np.sin(0.6)
    first, turn = np.eye(4), np.eye(4)
    first[0, 3] = 0.1
    turn[:3, :3] = [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]
    joints = [first @ BOUND[0], first @ turn @ BOUND[1]]
    shares = [
        (1, 0),
        (0, 1),
        (0.5, 0.5),
        (0, 1),
    ]  # of a vertex without weights, the first joint has all
    places = [
        (
            sum(share * joint for share, joint in zip(weights_of_joints, joints, strict=True))
            @ [*place, 1]
        )[:3]
        for weights_of_joints, place in zip(shares, CORNERS, strict=True)
    ]
    model, notes = skinned()
    assert is_at(model, np.array(places))
    assert not notes


def test_a_skin_that_cannot_be_used_is_not_applied() -> None:
    model, notes = skinned(skin=3, translation=[0, 0, 0])
    assert is_at(model, CORNERS)
    assert "the skin isn't applied" in notes[0]


def test_meshopt_is_refused_by_name_unless_there_is_a_fallback() -> None:
    packed = {
        "extensions": {"EXT_meshopt_compression": {"buffer": 0, "count": 4, "mode": "ATTRIBUTES"}}
    }
    model, notes = read(mesh(view=packed))
    assert is_at(model, CORNERS)
    assert "fallback" in notes[0]
    for file in (
        mesh(view=packed, extensionsRequired=["EXT_meshopt_compression"]),
        mesh(
            view=packed | {"buffer": 1},
            buffers=[{}, {"extensions": {"EXT_meshopt_compression": {"fallback": True}}}],
        ),
    ):
        with pytest.raises(Refused, match="EXT_meshopt_compression"):
            read(file)


def test_g21_broken_draco_is_refused_whatever_its_decoder_makes_of_it() -> None:
    """Some mutations leave the decoder with no vertices at all, without an error."""
    tree = header()
    tree["meshes"][0]["primitives"][0]["extensions"] = {
        "KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}
    }
    for accessor in tree["accessors"]:
        del accessor["bufferView"]
    good = DracoPy.encode(CORNERS, faces=FACES)
    random = np.random.default_rng(5)
    drawn = 0
    for _ in range(1500):
        wrong = bytearray(good)
        for place in random.integers(5, len(good), random.integers(1, 4)):
            wrong[place] = random.integers(256)
        try:
            read(glb(tree, bytes(wrong)))
            drawn += 1
        except Refused:
            pass
    assert 0 < drawn < 1500
