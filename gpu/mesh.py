"""A GLB's one mesh, ready to draw: vertices in the world, texture coordinates by texture, material, textures."""

from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gpu import gltf, textures
from gpu.faults import Refused
from gpu.glb import Array, Glb, normalized
from gpu.views import Picture

TRIANGLES = 3_000_000
ROUNDING = 1e-6  # what float32 makes of 0.6 is a little more
REACH = 0.6  # no vertex is further from the origin than this, on any axis

Floats = NDArray[np.float32]
SLOTS = ("base_color", "metallic_roughness", "normal", "occlusion", "emissive")


@dataclass(frozen=True)
class Texture:
    """A picture (height, width, 4), the coordinates (n, 2) that it is looked up with, and glTF's sampler for it."""

    picture: Picture
    coordinates: Floats
    sampler: gltf.Sampler


@dataclass(frozen=True)
class Material:
    """glTF's factors; those of a mesh without a material are the present renderer's."""

    base_color: tuple[float, float, float, float] = (0.3, 0.3, 0.3, 1.0)
    metallic: float = 0.2
    roughness: float = 0.8
    emissive: tuple[float, float, float] = (0, 0, 0)
    normal_scale: float = 1
    occlusion_strength: float = 1
    alpha_mode: str = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    emissive_strength: float = 1
    unlit: bool = False
    specular: tuple[float, float, float] | None = None  # of specular-glossiness, whose texture is metallic_roughness's


@dataclass(frozen=True)
class Model:
    """What is drawn: positions and normals (n, 3) in the world, colors (n, 4) or None, triangles (m, 3).

    Tangents (n, 4) are glTF's, or None: the direction of a normal map's right, and on which side its up is.
    """

    positions: Floats
    normals: Floats
    colors: Floats | None
    triangles: NDArray[np.uint32]
    material: Material | None
    textures: dict[str, Texture] = field(default_factory=dict)
    tangents: Floats | None = None


def read_mesh(data: memoryview) -> Model:
    """The mesh of a GLB file; Refused says why there is none."""
    glb = Glb(data)
    primitive = glb.primitive
    if primitive.mode not in (4, 5, 6):
        raise Refused("the mesh isn't made of triangles")
    placement = glb.placement()
    values, indices = _vertices(glb, primitive)
    local = _numbers(values, "POSITION", 3)
    triangles = _triangles(indices, len(local), primitive.mode)
    with np.errstate(over="ignore", invalid="ignore"):
        moved = local if _is_identity(placement) else local @ placement[:3, :3].T + placement[:3, 3]
        positions = np.ascontiguousarray(moved, np.float32)
    if not np.isfinite(positions).all():
        raise Refused("some vertices aren't at finite places")
    reach = _reach(positions)
    if reach > REACH + ROUNDING:  # perhaps of vertices that no triangle has
        reach = _reach(positions[triangles.ravel()])
    if reach > REACH + ROUNDING:
        raise Refused(f"the mesh reaches {reach:.3g} from the origin on an axis, beyond ±{REACH}")
    if np.linalg.det(placement[:3, :3]) < 0:  # a mirror turns the triangles' front to their back
        triangles = triangles[:, ::-1]
    normals = _normals(values, positions, triangles, placement)
    material, found = _material(glb, primitive, values)
    colors = _colors(values)
    tangents = _tangents(glb, values, placement) if "normal" in found else None
    return Model(positions, normals, colors, np.ascontiguousarray(triangles), material, found, tangents)


def _reach(positions: Floats) -> float:
    return max(float(positions.max()), -float(positions.min()))


def _is_identity(matrix: NDArray[np.float64]) -> bool:
    return bool((matrix == np.eye(4)).all())


def _vertices(glb: Glb, primitive: gltf.Primitive) -> tuple[dict[str, Array], Array | None]:
    """The values that are drawn, by attribute, and the indices; all attributes have a value for each vertex."""
    wanted = [name for name in primitive.attributes if _drawn(name)]
    draco = primitive.extensions.KHR_draco_mesh_compression
    values, indices = glb.draco(draco, primitive) if draco else ({}, None)
    if "POSITION" not in primitive.attributes:
        raise Refused("the mesh has no positions")
    count = len(values["POSITION"]) if "POSITION" in values else glb.accessor(primitive.attributes["POSITION"]).count
    if count > gltf.VERTICES:
        raise Refused(f"the mesh has {count:,} vertices, more than {gltf.VERTICES:,}")
    for name in wanted:
        if name not in values:
            if glb.accessor(primitive.attributes[name]).count != count:
                raise Refused(f"{name[:80]} has a value for another number of vertices than POSITION")
            values[name] = glb.values(primitive.attributes[name])
    return values, _indices(glb, primitive.indices) if indices is None else indices


def _indices(glb: Glb, index: int | None) -> Array | None:
    if index is None:
        return None
    if glb.accessor(index).componentType not in (5121, 5123, 5125):
        raise Refused("the mesh's indices aren't unsigned integers")
    if glb.accessor(index).type != "SCALAR":
        raise Refused("the mesh's indices aren't single numbers")
    return glb.values(index)[:, 0]


def _drawn(name: str) -> bool:
    return name in ("POSITION", "NORMAL", "COLOR_0") or name.startswith("TEXCOORD_")


def _numbers(values: dict[str, Array], name: str, width: int) -> Array:
    found = values.get(name)
    if found is None:
        raise Refused(f"the mesh has no {name[:80]}")
    if found.shape[1] != width:
        raise Refused(f"{name[:80]} has {found.shape[1]} numbers a vertex, not {width}")
    return found


def _triangles(indices: Array | None, count: int, mode: int) -> NDArray[np.uint32]:
    flat = np.arange(count, dtype=np.uint32) if indices is None else indices.astype(np.uint32)
    if len(flat) and flat.max() >= count:
        raise Refused(f"an index points to vertex {flat.max():,}, and there are {count:,}")
    if mode == 4:
        corners = flat[: len(flat) // 3 * 3].reshape(-1, 3)
    elif mode == 5:
        corners = np.stack([flat[:-2], flat[1:-1], flat[2:]], axis=1) if len(flat) > 2 else flat[:0].reshape(0, 3)
        corners[1::2] = corners[1::2][:, [1, 0, 2]]
    else:
        hub = np.broadcast_to(flat[:1], max(len(flat) - 2, 0))
        corners = np.stack([hub, flat[1:-1], flat[2:]], axis=1) if len(flat) > 2 else flat[:0].reshape(0, 3)
    if not len(corners):
        raise Refused("the mesh has no triangles")
    if len(corners) > TRIANGLES:
        raise Refused(f"the mesh has {len(corners):,} triangles, more than {TRIANGLES:,}")
    return corners


def _normals(
    values: dict[str, Array], positions: Floats, triangles: NDArray[np.uint32], placement: NDArray[np.float64]
) -> Floats:
    """Unit normals (n, 3) in the world: the file's, else smooth ones. Where there are none, zeros."""
    given = values.get("NORMAL")
    if given is None or not given.any():
        summed = smooth_normals(positions, np.ascontiguousarray(triangles))
    else:
        local = _numbers(values, "NORMAL", 3)
        across = placement[:3, :3]
        if np.linalg.matrix_rank(across) < 3:
            raise Refused("a node's transform flattens the mesh")
        if _is_identity(placement):
            summed = local.astype(np.float32)
        else:
            summed = (local @ np.linalg.inv(across)).astype(np.float32)
    if not np.isfinite(summed).all():
        raise Refused("some normals aren't finite")
    length = np.sqrt(np.einsum("ij,ij->i", summed, summed))[:, None]
    unit: Floats = np.divide(summed, length, out=np.zeros_like(summed), where=length > 0)
    return unit


def _tangents(glb: Glb, values: dict[str, Array], placement: NDArray[np.float64]) -> Floats | None:
    """The file's tangents (n, 4), turned into the world; None if there are none that are usable.

    Without normals, glTF has tangents ignored; broken ones are no loss, since the shader finds its own.
    """
    given, normals = values.get("TANGENT"), values.get("NORMAL")
    if given is None and "TANGENT" in glb.primitive.attributes:
        try:
            given = glb.values(glb.primitive.attributes["TANGENT"])
        except Refused:
            return None
    if given is None or normals is None or not normals.any():
        return None
    if given.shape != (len(normals), 4) or not np.isfinite(given).all():
        return None
    tangents = given.astype(np.float32)
    tangents[:, :3] = tangents[:, :3] @ placement[:3, :3].T.astype(np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", tangents[:, :3], tangents[:, :3]))
    if not (length > 0).all():
        return None
    tangents[:, :3] /= length[:, None]
    return tangents


@numba.njit(cache=True)
def smooth_normals(positions: Any, triangles: Any) -> Any:
    """For each vertex (n, 3), the sum of its triangles' unit normals, each weighted by the triangle's angle there.

    As the present renderer has it from trimesh, whose loop over vertices this is, compiled.
    """
    normals = np.zeros((len(positions), 3), np.float32)
    edges = np.zeros((3, 3))
    for triangle in triangles:
        for corner in range(3):
            ahead, here = triangle[(corner + 1) % 3], triangle[corner]
            length = 0.0
            for axis in range(3):
                edges[corner, axis] = np.float64(positions[ahead, axis]) - np.float64(positions[here, axis])
                length += edges[corner, axis] ** 2
            length = np.sqrt(length)
            for axis in range(3):
                edges[corner, axis] /= max(length, 1e-30)
        x = edges[0, 1] * edges[1, 2] - edges[0, 2] * edges[1, 1]
        y = edges[0, 2] * edges[1, 0] - edges[0, 0] * edges[1, 2]
        z = edges[0, 0] * edges[1, 1] - edges[0, 1] * edges[1, 0]
        area = np.sqrt(x * x + y * y + z * z)
        if area < 1e-12:
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


def _colors(values: dict[str, Array]) -> Floats | None:
    found = values.get("COLOR_0")
    if found is None:
        return None
    if found.shape[1] not in (3, 4):
        raise Refused(f"COLOR_0 has {found.shape[1]} numbers a vertex, not 3 or 4")
    colors = np.ones((len(found), 4), np.float32)
    colors[:, : found.shape[1]] = normalized(found)
    if not np.isfinite(colors).all():
        raise Refused("some vertex colours aren't finite")
    return colors.clip(0, 1)


def _material(
    glb: Glb, primitive: gltf.Primitive, values: dict[str, Array]
) -> tuple[Material | None, dict[str, Texture]]:
    if primitive.material is None:
        return None, {}
    if primitive.material >= len(glb.parts.materials):
        raise Refused(f"material {primitive.material} is referred to, and there is none")
    material = glb.parts.materials[primitive.material]
    metal = material.pbrMetallicRoughness
    gloss = material.extensions.KHR_materials_pbrSpecularGlossiness
    infos = dict(
        zip(
            SLOTS,
            (
                gloss.diffuseTexture if gloss else metal.baseColorTexture,
                gloss.specularGlossinessTexture if gloss else metal.metallicRoughnessTexture,
                material.normalTexture,
                material.occlusionTexture,
                material.emissiveTexture,
            ),
            strict=True,
        )
    )
    factors = Material(
        base_color=gloss.diffuseFactor if gloss else metal.baseColorFactor,
        metallic=metal.metallicFactor,
        roughness=1 - gloss.glossinessFactor if gloss else metal.roughnessFactor,
        emissive=material.emissiveFactor,
        normal_scale=material.normalTexture.scale if material.normalTexture else 1,
        occlusion_strength=material.occlusionTexture.strength if material.occlusionTexture else 1,
        alpha_mode=material.alphaMode,
        alpha_cutoff=material.alphaCutoff,
        double_sided=material.doubleSided,
        emissive_strength=material.extensions.KHR_materials_emissive_strength.emissiveStrength,
        unlit=material.extensions.KHR_materials_unlit is not None,
        specular=gloss.specularFactor if gloss else None,
    )
    return factors, _textures(glb, {slot: info for slot, info in infos.items() if info}, values)


def _textures(glb: Glb, infos: dict[str, gltf.TextureInfo], values: dict[str, Array]) -> dict[str, Texture]:
    """The textures by slot; a picture that several use is decoded once, and all sizes are known before any is."""
    sources = {slot: _source(glb, info.index) for slot, info in infos.items()}
    views = {index: _picture_bytes(glb, index) for index, _ in sources.values()}
    total = sum(textures.pixels(view) for view in views.values())
    if total > textures.PIXELS:
        raise Refused(f"the textures have {total:,} pixels, more than {textures.PIXELS:,}")
    pictures = {index: textures.decode(view) for index, view in views.items()}
    return {
        slot: Texture(pictures[sources[slot][0]], _coordinates(info, values), sources[slot][1])
        for slot, info in infos.items()
    }


def _source(glb: Glb, index: int) -> tuple[int, gltf.Sampler]:
    if index >= len(glb.parts.textures):
        raise Refused(f"texture {index} is referred to, and there is none")
    texture = glb.parts.textures[index]
    source = texture.extensions.EXT_texture_webp.source
    source = texture.source if source is None else source
    if source is None:
        basis = texture.extensions.KHR_texture_basisu.source is not None
        raise Refused("KTX2 textures aren't supported" if basis else f"texture {index} has no picture")
    if texture.sampler is None:
        return source, gltf.Sampler()
    if texture.sampler >= len(glb.parts.samplers):
        raise Refused(f"sampler {texture.sampler} is referred to, and there is none")
    return source, glb.parts.samplers[texture.sampler]


def _picture_bytes(glb: Glb, index: int) -> memoryview:
    if index >= len(glb.parts.images):
        raise Refused(f"image {index} is referred to, and there is none")
    image = glb.parts.images[index]
    if image.uri is not None or image.bufferView is None:
        raise Refused("the file refers to a picture outside its data, which is never followed")
    return glb.view(image.bufferView)


def _coordinates(info: gltf.TextureInfo, values: dict[str, Array]) -> Floats:
    """Texture coordinates (n, 2), moved by KHR_texture_transform: offset + rotation · scale."""
    move = info.extensions.KHR_texture_transform
    name = f"TEXCOORD_{info.texCoord if move.texCoord is None else move.texCoord}"
    found = _numbers(values, name, 2)
    if not np.isfinite(found).all():
        raise Refused(f"{name} isn't finite everywhere")
    sine, cosine = np.sin(move.rotation), np.cos(move.rotation)
    scaled = found * move.scale
    turned = np.stack(
        [cosine * scaled[:, 0] + sine * scaled[:, 1], cosine * scaled[:, 1] - sine * scaled[:, 0]], axis=1
    )
    return (turned + move.offset).astype(np.float32)
