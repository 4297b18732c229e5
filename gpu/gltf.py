"""The parts of glTF 2.0's JSON that a picture needs, one class each, and their limits; other keys are not looked at.

Counts and sizes are checked here, before anything is decoded or memory asked for.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MANY = 65_536  # parts of a kind; the largest real files have a few thousand
VERTICES = 4_000_000
BYTES = 2**28

Index = Annotated[int, Field(ge=0, lt=MANY)]
Offset = Annotated[int, Field(ge=0, le=BYTES)]
Count = Annotated[int, Field(ge=1, le=3 * VERTICES)]
Number = Annotated[float, Field(ge=-1e9, le=1e9)]
Unit = Annotated[float, Field(ge=0, le=1)]
Vector2 = tuple[Number, Number]
Vector3 = tuple[Number, Number, Number]
Vector4 = tuple[Number, Number, Number, Number]


class Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore", frozen=True)


class Empty(Part):
    """An extension of which its presence is all that matters."""


class BufferViewExtensions(Part):
    EXT_meshopt_compression: Empty | None = None
    KHR_meshopt_compression: Empty | None = None


class Buffer(Part):
    byteLength: Offset = 0
    uri: str | None = None


class BufferView(Part):
    buffer: Index
    byteOffset: Offset = 0
    byteLength: Annotated[int, Field(ge=1, le=BYTES)]
    byteStride: Annotated[int, Field(ge=1, le=252)] | None = None
    extensions: BufferViewExtensions = BufferViewExtensions()


class SparseIndices(Part):
    bufferView: Index
    byteOffset: Offset = 0
    componentType: Literal[5121, 5123, 5125]


class SparseValues(Part):
    bufferView: Index
    byteOffset: Offset = 0


class Sparse(Part):
    count: Count
    indices: SparseIndices
    values: SparseValues


class Accessor(Part):
    bufferView: Index | None = None
    byteOffset: Offset = 0
    componentType: Literal[5120, 5121, 5122, 5123, 5125, 5126]
    count: Count
    type: Literal["SCALAR", "VEC2", "VEC3", "VEC4", "MAT2", "MAT3", "MAT4"]
    normalized: bool = False
    sparse: Sparse | None = None


class Draco(Part):
    bufferView: Index
    attributes: dict[str, Index] = Field(max_length=64)


class PrimitiveExtensions(Part):
    KHR_draco_mesh_compression: Draco | None = None


class Primitive(Part):
    attributes: dict[str, Index] = Field(max_length=64)
    indices: Index | None = None
    material: Index | None = None
    mode: Annotated[int, Field(ge=0, le=6)] = 4
    extensions: PrimitiveExtensions = PrimitiveExtensions()


class Mesh(Part):
    primitives: list[Primitive] = Field(min_length=1, max_length=MANY)
    weights: list[Number] = Field([], max_length=MANY)


class Node(Part):
    children: list[Index] = Field([], max_length=MANY)
    mesh: Index | None = None
    skin: Index | None = None
    weights: list[Number] = Field([], max_length=MANY)
    matrix: list[Number] | None = Field(None, min_length=16, max_length=16)
    translation: Vector3 = (0, 0, 0)
    rotation: Vector4 = (0, 0, 0, 1)
    scale: Vector3 = (1, 1, 1)


class Scene(Part):
    nodes: list[Index] = Field([], max_length=MANY)


class TextureTransform(Part):
    offset: Vector2 = (0, 0)
    rotation: Number = 0
    scale: Vector2 = (1, 1)
    texCoord: Annotated[int, Field(ge=0, lt=64)] | None = None


class TextureInfoExtensions(Part):
    KHR_texture_transform: TextureTransform = TextureTransform()


class TextureInfo(Part):
    index: Index
    texCoord: Annotated[int, Field(ge=0, lt=64)] = 0
    scale: Number = 1
    strength: Unit = 1
    extensions: TextureInfoExtensions = TextureInfoExtensions()


class MetallicRoughness(Part):
    baseColorFactor: tuple[Unit, Unit, Unit, Unit] = (1, 1, 1, 1)
    baseColorTexture: TextureInfo | None = None
    metallicFactor: Unit = 1
    roughnessFactor: Unit = 1
    metallicRoughnessTexture: TextureInfo | None = None


class SpecularGlossiness(Part):
    diffuseFactor: tuple[Unit, Unit, Unit, Unit] = (1, 1, 1, 1)
    diffuseTexture: TextureInfo | None = None
    specularFactor: tuple[Unit, Unit, Unit] = (1, 1, 1)
    glossinessFactor: Unit = 1
    specularGlossinessTexture: TextureInfo | None = None


class EmissiveStrength(Part):
    emissiveStrength: Annotated[float, Field(ge=0, le=1e9)] = 1


class MaterialExtensions(Part):
    KHR_materials_emissive_strength: EmissiveStrength = EmissiveStrength()
    KHR_materials_pbrSpecularGlossiness: SpecularGlossiness | None = None
    KHR_materials_unlit: Empty | None = None


class Material(Part):
    pbrMetallicRoughness: MetallicRoughness = MetallicRoughness()
    normalTexture: TextureInfo | None = None
    occlusionTexture: TextureInfo | None = None
    emissiveTexture: TextureInfo | None = None
    emissiveFactor: tuple[Unit, Unit, Unit] = (0, 0, 0)
    alphaMode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alphaCutoff: Annotated[float, Field(ge=0, le=1e9)] = 0.5
    doubleSided: bool = False
    extensions: MaterialExtensions = MaterialExtensions()


class Source(Part):
    source: Index | None = None


class TextureExtensions(Part):
    EXT_texture_webp: Source = Source()
    KHR_texture_basisu: Source = Source()


class Texture(Part):
    sampler: Index | None = None
    source: Index | None = None
    extensions: TextureExtensions = TextureExtensions()


class Sampler(Part):
    magFilter: Literal[9728, 9729] = 9729
    minFilter: Literal[9728, 9729, 9984, 9985, 9986, 9987] = 9987
    wrapS: Literal[33071, 33648, 10497] = 10497
    wrapT: Literal[33071, 33648, 10497] = 10497


class Image(Part):
    bufferView: Index | None = None
    uri: str | None = None


class Gltf(Part):
    extensionsRequired: list[str] = Field([], max_length=MANY)
    accessors: list[Accessor] = Field([], max_length=MANY)
    buffers: list[Buffer] = Field([], max_length=MANY)
    bufferViews: list[BufferView] = Field([], max_length=MANY)
    images: list[Image] = Field([], max_length=MANY)
    materials: list[Material] = Field([], max_length=MANY)
    meshes: list[Mesh] = Field([], max_length=MANY)
    nodes: list[Node] = Field([], max_length=MANY)
    samplers: list[Sampler] = Field([], max_length=MANY)
    scene: Index | None = None
    scenes: list[Scene] = Field([], max_length=MANY)
    textures: list[Texture] = Field([], max_length=MANY)
