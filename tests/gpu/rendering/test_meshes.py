"""What glTF can say of a mesh shows in its picture: each feature against the same thing said
plainly.
"""

import io
from typing import Any

import DracoPy  # type: ignore[import-not-found]
import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from PIL import Image

from gpu.meshes.geometry import smooth_normals
from gpu.workers.rendering import Rendering
from gpu.workers.warmup import glb
from simulators.files_3d import PLACES, TRIANGLES, header, mesh

Pixels = NDArray[np.float64]
WHITE = 255
RED_GREEN = Image.new("RGB", (2, 1))
RED_GREEN.putdata([(220, 30, 30), (30, 220, 30)])
CORNERS = np.array([[-0.4, -0.4, 0], [0.4, -0.4, 0], [0.4, 0.4, 0], [-0.4, 0.4, 0]], "<f4")
COORDINATES = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], "<f4")
SQUARE = np.array([0, 1, 2, 0, 2, 3], "<u2")


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    return Rendering()


def drawn(rendering: Rendering, file: bytes) -> Pixels:
    picture = Image.open(io.BytesIO(rendering.render("glb", memoryview(file))))
    return np.asarray(picture.convert("RGB"), np.float64)


def decibels(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / max(((one - other) ** 2).mean(), 1e-9)))


def front(picture: Pixels) -> Pixels:
    """The middle of the first view, where the square's front is seen."""
    return picture[200:320, 200:320]


def encoded(picture: Image.Image, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, form, lossless=True)
    return file.getvalue()


def square(
    picture: Image.Image | bytes = RED_GREEN,
    coordinates: NDArray[Any] = COORDINATES,
    *,
    info: dict[str, Any] | None = None,
    sampler: dict[str, Any] | None = None,
    slot: str = "baseColorTexture",
    **material: Any,
) -> bytes:
    """A square before the camera with a texture in a slot of its material."""
    texture = {"index": 0, **(info or {})}
    metal = {"metallicFactor": 0} | material.pop("metal", {})
    if slot in ("baseColorTexture", "metallicRoughnessTexture"):
        metal[slot] = texture
    else:
        material[slot] = texture
    vectors = {"componentType": 5126, "count": 4}
    attributes = {"POSITION": 0, "TEXCOORD_0": 1, "TEXCOORD_1": 2}
    tree: dict[str, Any] = {
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 3, "material": 0}]}],
        "accessors": [
            {"bufferView": 0, **vectors, "type": "VEC3"},
            {"bufferView": 1, **vectors, "type": "VEC2"},
            {"bufferView": 2, **vectors, "type": "VEC2"},
            {"bufferView": 3, "componentType": 5123, "count": 6, "type": "SCALAR"},
        ],
        "materials": [{"pbrMetallicRoughness": metal, **material}],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"magFilter": 9728, "minFilter": 9728, **(sampler or {})}],
        "images": [{"bufferView": 4}],
    }
    other = np.ascontiguousarray(coordinates[:, ::-1])
    content = picture if isinstance(picture, bytes) else encoded(picture)
    parts = (CORNERS, coordinates.astype("<f4"), other.astype("<f4"), SQUARE)
    return glb(tree, *(part.tobytes() for part in parts), content)


def test_it_is_white_around_and_the_mesh_is_not(rendering: Rendering) -> None:
    picture = drawn(rendering, mesh())
    assert (picture[0, 0] == WHITE).all()
    assert (picture[520] == 0).all()
    assert picture[259, 259].max() < 200


@pytest.mark.parametrize(
    "form",
    [("PNG", "P"), ("PNG", "RGBA"), ("PNG", "RGB"), ("WEBP", "RGB")],
    ids=["palette", "alpha", "plain", "webp"],
)
def test_a_picture_is_the_same_in_every_form(form: tuple[str, str], rendering: Rendering) -> None:
    file = square(
        encoded(RED_GREEN.quantize(2) if form[1] == "P" else RED_GREEN.convert(form[1]), form[0])
    )
    assert np.array_equal(drawn(rendering, file), drawn(rendering, square()))


def test_grey_of_16_bits_is_grey(rendering: Rendering) -> None:
    deep = Image.fromarray(np.full((1, 2), 200 << 8, np.uint16))
    flat = Image.new("RGB", (2, 1), (200, 200, 200))
    assert np.array_equal(drawn(rendering, square(deep)), drawn(rendering, square(flat)))


def test_a_picture_lies_as_its_coordinates_say(rendering: Rendering) -> None:
    view = drawn(rendering, square())[:518, :518]
    left, right = view[259, 200], view[259, 320]
    assert left[0] > 2 * left[1]
    assert right[1] > 2 * right[0]


@pytest.mark.parametrize(
    ("move", "plain"),
    [
        ({"offset": [0.25, 0.5]}, COORDINATES + np.array([0.25, 0.5])),
        ({"scale": [2, -3]}, COORDINATES * (2, -3)),
        ({"rotation": np.pi / 2}, np.stack([COORDINATES[:, 1], -COORDINATES[:, 0]], axis=1)),
        ({"texCoord": 1}, COORDINATES[:, ::-1]),
    ],
    ids=["offset", "scale", "rotation", "set"],
)  # fmt: skip
def test_a_texture_transform(
    move: dict[str, Any], plain: NDArray[Any], rendering: Rendering
) -> None:
    moved = drawn(rendering, square(info={"extensions": {"KHR_texture_transform": move}}))
    assert decibels(moved, drawn(rendering, square(coordinates=np.asarray(plain)))) > 60
    assert decibels(moved, drawn(rendering, square())) < 40


def test_the_second_set_of_coordinates(rendering: Rendering) -> None:
    assert np.array_equal(
        drawn(rendering, square(info={"texCoord": 1})),
        drawn(rendering, square(coordinates=COORDINATES[:, ::-1])),
    )


def test_coordinates_beyond_the_picture_go_as_the_sampler_says(rendering: Rendering) -> None:
    wide = COORDINATES * (4, 1)
    repeated = drawn(rendering, square(coordinates=wide))
    clamped = drawn(rendering, square(coordinates=wide, sampler={"wrapS": 33071}))
    mirrored = drawn(rendering, square(coordinates=wide, sampler={"wrapS": 33648}))

    def tiled(*places: int) -> Pixels:
        return drawn(rendering, square(Image.fromarray(np.asarray(RED_GREEN)[:, list(places)])))

    assert decibels(repeated, tiled(0, 1, 0, 1, 0, 1, 0, 1)) > 50
    assert decibels(mirrored, tiled(0, 1, 1, 0, 0, 1, 1, 0)) > 50
    assert decibels(clamped, tiled(0, 1, 1, 1, 1, 1, 1, 1)) > 50


def test_alpha_modes(rendering: Rendering) -> None:
    half = Image.new("RGBA", (2, 1), (200, 0, 0, 100))
    solid = drawn(rendering, square(Image.new("RGB", (2, 1), (200, 0, 0))))
    assert np.array_equal(drawn(rendering, square(half)), solid)
    assert (drawn(rendering, square(half, alphaMode="MASK"))[:518, :518] == WHITE).all()
    assert np.array_equal(drawn(rendering, square(half, alphaMode="MASK", alphaCutoff=0.3)), solid)
    blended = front(drawn(rendering, square(half, alphaMode="BLEND")))
    assert np.allclose(blended, WHITE + (front(solid) - WHITE) * (100 / 255), atol=2)


def test_backs_are_seen_of_double_sided_materials_alone(rendering: Rendering) -> None:
    behind = slice(523, None), slice(0, 518)
    assert (drawn(rendering, square())[behind] == WHITE).all()
    assert drawn(rendering, square(doubleSided=True))[behind].min() < 200


def test_emission_occlusion_metal_and_roughness_show(rendering: Rendering) -> None:
    def shown(color: tuple[int, int, int], slot: str, **material: Any) -> float:
        return float(
            front(
                drawn(rendering, square(Image.new("RGB", (2, 2), color), slot=slot, **material))
            ).mean()
        )

    grey = {"baseColorFactor": [0.1, 0.1, 0.1, 1]}
    dark = shown((0, 0, 0), "emissiveTexture", metal=grey, emissiveFactor=[1, 1, 1])
    assert (
        shown((200, 200, 200), "emissiveTexture", metal=grey, emissiveFactor=[1, 1, 1]) > dark + 30
    )
    assert shown((255, 0, 0), "occlusionTexture", metal=grey) == dark
    assert shown((0, 0, 0), "occlusionTexture", metal=grey) < dark - 5, "the ambient light is gone"
    assert shown((0, 0, 0), "occlusionTexture", metal=grey) > dark / 2, "the direct light isn't"
    rough = {**grey, "metallicFactor": 1, "roughnessFactor": 1}
    assert shown((9, 255, 0), "metallicRoughnessTexture", metal=rough) == dark
    assert shown((9, 255, 255), "metallicRoughnessTexture", metal=rough) != dark
    assert shown((9, 50, 0), "metallicRoughnessTexture", metal=rough) != dark


def test_occlusion_is_the_same_beside_roughness_or_alone(rendering: Rendering) -> None:
    orm = Image.new("RGB", (2, 2), (90, 200, 30))
    together = square(orm, slot="metallicRoughnessTexture", occlusionTexture={"index": 0})
    apart = square(
        orm, slot="metallicRoughnessTexture", occlusionTexture={"index": 0, "texCoord": 1}
    )
    assert np.array_equal(drawn(rendering, together), drawn(rendering, apart))


def test_a_normal_map_bends_the_light(rendering: Rendering) -> None:
    grey = {"baseColorFactor": [0.1, 0.1, 0.1, 1]}

    def shown(color: tuple[int, int, int], slot: str = "normalTexture", **info: Any) -> Pixels:
        return drawn(
            rendering, square(Image.new("RGB", (2, 2), color), slot=slot, info=info, metal=grey)
        )

    level = shown((128, 128, 255))
    assert decibels(level, shown((255, 255, 255), "baseColorTexture")) > 50
    assert decibels(level, shown((200, 128, 230))) < 40
    assert decibels(level, shown((200, 128, 230), scale=0.01)) > 50


@pytest.mark.parametrize("width", [5121, 5123, 5126], ids=["bytes", "shorts", "floats"])
def test_colours_of_vertices(width: int, rendering: Rendering) -> None:
    colors = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 0, 1]], np.float32)
    dtype = {5121: "<u1", 5123: "<u2", 5126: "<f4"}[width]
    content = (colors * (1 if width == 5126 else np.iinfo(dtype).max)).astype(dtype)

    def painted(**primitive: Any) -> bytes:
        tree = header()
        tree["meshes"][0]["primitives"][0] |= primitive
        tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"] = 2
        form = {
            "bufferView": 2,
            "componentType": width,
            "normalized": width != 5126,
            "count": 4,
            "type": "VEC4",
        }
        tree["accessors"].append(form)
        return glb(tree | {"materials": [{}]}, PLACES, TRIANGLES, content.tobytes())

    bare, covered = drawn(rendering, painted()), drawn(rendering, painted(material=0))
    seen = bare[(bare < 200).any(axis=2)]
    assert (seen.max(axis=1) - seen.min(axis=1)).mean() > 50
    assert not np.array_equal(bare, covered)


def test_smooth_normals_are_the_present_renderers() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    stretched = trimesh.Trimesh(ball.vertices * (1, 0.5, 0.2), ball.faces, process=False)
    summed = smooth_normals(
        stretched.vertices.astype(np.float32), stretched.faces.astype(np.uint32)
    )
    smooth = summed / np.linalg.norm(summed, axis=1)[:, None]
    assert np.allclose(smooth, stretched.vertex_normals, atol=1e-5)


def _turn(x: float, y: float, z: float, w: float) -> NDArray[np.float64]:
    matrix: NDArray[np.float64] = trimesh.transformations.quaternion_matrix([w, x, y, z])  # type: ignore[no-untyped-call]
    return matrix


@pytest.mark.parametrize(
    "node",
    [
        {"translation": [0.1, -0.2, 0.05]},
        {"rotation": [0, np.sin(0.4), 0, np.cos(0.4)]},
        {"scale": [0.5, 1.2, -0.7]},
        {"matrix": [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 0.1, 0.1, 0, 1]},
        {
            "translation": [0.1, 0, 0],
            "rotation": [np.sin(0.4), 0, 0, np.cos(0.4)],
            "scale": [1, 0.5, 0.5],
        },
    ],
    ids=["moved", "turned", "mirrored", "matrix", "all"],
)
def test_a_nodes_transform_applies(node: dict[str, Any], rendering: Rendering) -> None:
    places = np.frombuffer(PLACES, "<f4").reshape(-1, 3).astype(np.float64)
    if "matrix" in node:
        matrix = np.array(node["matrix"]).reshape(4, 4).T
    else:
        x, y, z, w = node.get("rotation", [0, 0, 0, 1])
        matrix = _turn(x, y, z, w) @ np.diag([*node.get("scale", [1, 1, 1]), 1])
        matrix[:3, 3] = node.get("translation", [0, 0, 0])
    moved = trimesh.transform_points(places, matrix).astype("<f4")
    corners = np.frombuffer(TRIANGLES, "<u2").reshape(-1, 3)
    corners = corners[:, ::-1] if np.linalg.det(matrix[:3, :3]) < 0 else corners
    plain = mesh(places=moved.tobytes(), indices=np.ascontiguousarray(corners).tobytes())
    assert decibels(drawn(rendering, mesh(node=node)), drawn(rendering, plain)) > 60
    below = mesh(nodes=[{"children": [1]} | node, {"mesh": 0}])
    assert np.array_equal(drawn(rendering, below), drawn(rendering, mesh(node=node)))


def test_strips_and_fans_are_triangles(rendering: Rendering) -> None:
    def shown(mode: int, *order: int) -> Pixels:
        indices = np.array(order, "<u2").tobytes()
        return drawn(
            rendering, mesh(indices=indices, index={"count": len(order)}, primitive={"mode": mode})
        )

    assert np.array_equal(shown(5, 0, 1, 3, 2), shown(4, 0, 1, 3, 3, 1, 2))
    assert np.array_equal(shown(6, 3, 0, 1, 2), shown(4, 3, 0, 1, 3, 1, 2))


def test_quantised_and_sparse_positions(rendering: Rendering) -> None:
    places = np.frombuffer(PLACES, "<f4").reshape(-1, 3)
    shorts = np.zeros((4, 4), "<i2")
    shorts[:, :3] = np.round(places / 0.5 * 32767)
    quantised = mesh(
        places=shorts.tobytes(),
        accessor={"componentType": 5122, "normalized": True},
        view={"byteStride": 8},
        node={"scale": [0.5] * 3},
        extensionsRequired=["KHR_mesh_quantization"],
    )
    assert decibels(drawn(rendering, quantised), drawn(rendering, mesh())) > 50

    other = header()
    other["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": 2, "componentType": 5121},
        "values": {"bufferView": 3},
    }
    changed = places.copy()
    changed[3] = 0.1, 0.5, 0
    sparse = glb(other, PLACES, TRIANGLES, b"\3", changed[3].tobytes())
    assert np.array_equal(
        drawn(rendering, sparse), drawn(rendering, mesh(places=changed.tobytes()))
    )


def test_draco(rendering: Rendering) -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    places, faces = ball.vertices.astype("<f4"), ball.faces.astype("<u4")
    document = header()
    document["accessors"][0]["count"], document["accessors"][1]["count"] = len(places), faces.size
    document["accessors"][1]["componentType"] = 5125
    plain = glb(document, places.tobytes(), faces.tobytes())
    for accessor in document["accessors"]:
        del accessor["bufferView"]
    extension = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}
    document["meshes"][0]["primitives"][0]["extensions"] = extension
    packed = glb(document, DracoPy.encode(places, faces=faces, quantization_bits=16))
    assert decibels(drawn(rendering, packed), drawn(rendering, plain)) > 45


def test_a_mesh_may_reach_the_limit_exactly(rendering: Rendering) -> None:
    places = np.frombuffer(PLACES, "<f4").reshape(-1, 3) * (0.6 / 0.3, 1.5, 1)
    drawn(rendering, mesh(places=places.astype("<f4").tobytes()))


def test_what_no_triangle_has_changes_nothing(rendering: Rendering) -> None:
    """Also that a mesh is drawn where it is, though only a part of the picture is looked at: here
    that's all of it.
    """
    corners = np.array(
        [[x, y, z] for x in (-0.6, 0.6) for y in (-0.6, 0.6) for z in (-0.6, 0.6)], "<f4"
    )
    normals = np.random.default_rng(0).normal(size=(4, 3)).astype("<f4")
    document = header(normals=True)
    alone = drawn(rendering, glb(document, PLACES, TRIANGLES, normals.tobytes()))
    for place in (0, 2):
        document["accessors"][place]["count"] = 12
    more = np.concatenate([normals, np.ones((8, 3), "<f4")])
    assert np.array_equal(
        drawn(rendering, glb(document, PLACES + corners.tobytes(), TRIANGLES, more.tobytes())),
        alone,
    )


def test_a_draft_is_near_the_faithful_picture(rendering: Rendering) -> None:
    draft = Image.open(io.BytesIO(rendering.render("glb-draft", memoryview(mesh()))))
    assert decibels(np.asarray(draft, np.float64), drawn(rendering, mesh())) > 40
