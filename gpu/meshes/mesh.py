"""A GLB's one mesh, ready to draw: vertices in the world, texture coordinates by texture, material,
textures.
"""

from dataclasses import dataclass, field

import numpy as np

from gpu.faults import Refused, Unreadable
from gpu.meshes import gltf, textures
from gpu.meshes.buffers import Array, from_data_uri, is_data, normalized
from gpu.meshes.geometry import read_geometry
from gpu.meshes.glb import Glb
from gpu.meshes.posing import Floats, Indices
from gpu.meshes.tolerance import Note
from gpu.views import Picture

SLOTS = ("base_color", "metallic_roughness", "normal", "occlusion", "emissive")


@dataclass(frozen=True)
class Texture:
    """A picture (height, width, 4), the coordinates (n, 2) that it is looked up with, and glTF's
    sampler for it.
    """

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
    specular: tuple[float, float, float] | None = (
        None  # of specular-glossiness, whose texture is metallic_roughness's
    )


@dataclass(frozen=True)
class Model:
    """What is drawn: positions and normals (n, 3) in the world, colors (n, 4) or None, triangles
    (m, 3).

    Tangents (n, 4) are glTF's, or None: the direction of a normal map's right, and on which side
    its up is.
    """

    positions: Floats
    normals: Floats
    colors: Floats | None
    triangles: Indices
    material: Material | None
    textures: dict[str, Texture] = field(default_factory=dict)
    tangents: Floats | None = None


def read_mesh(data: memoryview, note: Note = lambda _: None) -> Model:
    """The mesh of a GLB file. Raises Refused with the reason where there is none to draw. `note` is
    called with each fault of the file that was tolerated.
    """
    glb = Glb(data, note)
    shown = glb.scenes.shown()
    geometry = read_geometry(glb, shown)
    material, textures_by_slot = _material(glb, shown.primitive, geometry.values)
    colors = _colors(glb, geometry.values)
    tangents = geometry.tangents if "normal" in textures_by_slot else None
    return Model(
        geometry.positions,
        geometry.normals,
        colors,
        geometry.triangles,
        material,
        textures_by_slot,
        tangents,
    )


def _colors(glb: Glb, values: dict[str, Array]) -> Floats | None:
    attribute = values.get("COLOR_0")
    if attribute is None:
        return None
    if attribute.shape[1] not in (3, 4):
        glb.note(f"COLOR_0 has {attribute.shape[1]} numbers a vertex, not 3 or 4, and is ignored")
        return None
    colors = np.ones((len(attribute), 4), np.float32)
    colors[:, : attribute.shape[1]] = normalized(attribute)
    if not np.isfinite(colors).all():
        glb.note("COLOR_0 isn't finite everywhere, and white there")
        colors[~np.isfinite(colors)] = 1
    return colors.clip(0, 1)


def _material(
    glb: Glb, primitive: gltf.Primitive, values: dict[str, Array]
) -> tuple[Material | None, dict[str, Texture]]:
    if primitive.material is None:
        return None, {}
    try:
        material = glb.parts.materials[primitive.material]
    except Unreadable as fault:
        glb.note(f"the mesh is drawn without a material: {fault}")
        return None, {}
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


@dataclass(frozen=True)
class _Source:
    """A texture before its picture is decoded; `image` is the number of the picture."""

    image: int
    coordinates: Floats
    sampler: gltf.Sampler


def _textures(
    glb: Glb, infos: dict[str, gltf.TextureInfo], values: dict[str, Array]
) -> dict[str, Texture]:
    """The textures by slot, without those that can't be used: there, only the factors count.

    A picture that several textures use is decoded once. All sizes are checked before any picture is
    decoded, so that their sum stays bounded.
    """
    usable: dict[str, _Source] = {}
    files: dict[int, memoryview] = {}
    for slot, info in infos.items():
        try:
            texture = glb.parts.textures[info.index]
            image, content = _picture(glb, texture)
            coordinates = _coordinates(glb, info, values)
            usable[slot] = _Source(image, coordinates, _sampler(glb, texture))
            files[image] = content
        except Unreadable as fault:
            _leave_out(glb, slot, fault)
    pictures: dict[int, Picture] = {}
    for image, decoded in textures.decode_all(files).items():
        if not isinstance(decoded, Unreadable):
            pictures[image] = decoded
            continue
        for slot in [slot for slot, source in usable.items() if source.image == image]:
            _leave_out(glb, slot, decoded)
            del usable[slot]
    return {
        slot: Texture(pictures[source.image], source.coordinates, source.sampler)
        for slot, source in usable.items()
    }


def _leave_out(glb: Glb, slot: str, fault: Unreadable) -> None:
    glb.note(f"the {slot.replace('_', ' ')} texture isn't drawn: {fault}")


def _picture(glb: Glb, texture: gltf.Texture) -> tuple[int, memoryview]:
    """A texture's picture: the number of its image, and its file. Of several formats, the first
    that is in the GLB.
    """
    offers = texture.extensions
    plain = texture.source
    sources = [
        offers.EXT_texture_webp.source,
        offers.EXT_texture_avif.source,
        plain,
        offers.MSFT_texture_dds.source,
    ]
    named = [source for source in sources if source is not None]
    if not named and offers.KHR_texture_basisu.source is not None:
        raise Refused("KTX2 textures (KHR_texture_basisu) aren't supported")
    fault = Unreadable("it names no picture")
    for source in named:
        try:
            return source, _picture_bytes(glb, source)
        except Unreadable as wrong:
            fault = wrong
    raise fault


def _sampler(glb: Glb, texture: gltf.Texture) -> gltf.Sampler:
    if texture.sampler is None:
        return gltf.Sampler()
    try:
        return glb.parts.samplers[texture.sampler]
    except Unreadable as fault:
        glb.note(f"a texture is looked up without a sampler: {fault}")
        return gltf.Sampler()


def _picture_bytes(glb: Glb, index: int) -> memoryview:
    image = glb.parts.images[index]
    if image.bufferView is not None:
        return glb.buffers.view(image.bufferView)
    if image.uri is None:
        raise Unreadable(f"image {index} has no data")
    if not is_data(image.uri):
        raise Refused("the file refers to a picture outside its data, which is never followed")
    return from_data_uri(image.uri)


def _coordinates(glb: Glb, info: gltf.TextureInfo, values: dict[str, Array]) -> Floats:
    """Texture coordinates (n, 2), moved by KHR_texture_transform: offset + rotation · scale."""
    move = info.extensions.KHR_texture_transform
    name = f"TEXCOORD_{info.texCoord if move.texCoord is None else move.texCoord}"
    coordinates = values.get(name)
    if coordinates is None or coordinates.shape[1] < 2:
        raise Unreadable(f"the mesh has no {name} of two numbers a vertex")
    coordinates = coordinates[:, :2]
    if not np.isfinite(coordinates).all():
        glb.note(f"{name} isn't finite everywhere, and zero there")
        coordinates = np.nan_to_num(coordinates, posinf=0, neginf=0)
    sine, cosine = np.sin(move.rotation), np.cos(move.rotation)
    scaled = coordinates * move.scale
    turned = np.stack(
        [cosine * scaled[:, 0] + sine * scaled[:, 1], cosine * scaled[:, 1] - sine * scaled[:, 0]],
        axis=1,
    )
    # The extension's order: scale, rotation, offset.
    return (turned + move.offset).astype(np.float32)
