"""The parts of glTF 2.0's JSON that a picture needs, one class each, and their limits; other keys
are not looked at.

Counts and sizes are checked here, before anything is decoded or memory asked for.
`gpu.meshes.tolerance` says which faults cost a file and which are overlooked: of the geometry's
parts none, of the others all.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar, overload

from pydantic import Field, ValidationError

from gpu.faults import Refused, Unreadable
from gpu.meshes.tolerance import (
    Color3,
    Color4,
    Flag,
    Look,
    Note,
    Number,
    Part,
    Positive,
    Unit,
    Vector2,
    Vector3,
    Vector4,
    one_of,
    quoted,
)

MANY = 65_536  # parts of a kind; the largest real files have a few thousand
VERTICES = 4_000_000  # of all copies that are shown together
BYTES = 2**28  # above the largest file, so that sums of offsets stay small

Index = Annotated[int, Field(ge=0, lt=MANY)]
Offset = Annotated[int, Field(ge=0, le=BYTES)]
Count = Annotated[int, Field(ge=1, le=3 * VERTICES)]
CoordinateSet = Annotated[int, Field(ge=0, lt=64)]


class Empty(Look):
    """An extension of which its presence is all that matters."""


class BufferViewExtensions(Part):
    EXT_meshopt_compression: Empty | None = None
    KHR_meshopt_compression: Empty | None = None


class Buffer(Part):
    """Its length isn't looked at: what counts is how many bytes there are."""

    uri: str | None = None


class BufferView(Part):
    """Without a stride, or with one of zero, values follow one another without a gap."""

    buffer: Index
    byteOffset: Offset = 0
    byteLength: Offset = 0
    byteStride: Offset = 0
    extensions: BufferViewExtensions = BufferViewExtensions()


class SparseIndices(Part):
    bufferView: Index
    byteOffset: Offset = 0
    componentType: Annotated[int, one_of(5121, 5123, 5125)]  # unsigned byte, short and int


class SparseValues(Part):
    bufferView: Index
    byteOffset: Offset = 0


class Sparse(Part):
    count: Annotated[int, Field(ge=0, le=3 * VERTICES)]
    indices: SparseIndices
    values: SparseValues


class Accessor(Part):
    bufferView: Index | None = None
    byteOffset: Offset = 0
    componentType: Annotated[int, one_of(5120, 5121, 5122, 5123, 5125, 5126)]
    count: Count
    type: Literal["SCALAR", "VEC2", "VEC3", "VEC4", "MAT2", "MAT3", "MAT4"]
    normalized: bool = False
    sparse: Sparse | None = None


class Draco(Part):
    bufferView: Index
    attributes: dict[str, Index] = Field(max_length=64)


class PrimitiveExtensions(Part):
    KHR_draco_mesh_compression: Draco | None = None


class MorphTarget(Look):
    """Accessors of what is added to a vertex's values at a weight of one."""

    POSITION: Index | None = None
    NORMAL: Index | None = None


class Primitive(Part):
    """Its attributes, accessors, its material and its morph targets are looked at when they are
    used.
    """

    optional = ("targets",)
    attributes: dict[str, Any] = Field(max_length=64)
    indices: Index | None = None
    material: Any = None
    mode: Annotated[int, Field(ge=0, le=6)] = 4  # TRIANGLES
    targets: tuple[Any, ...] = Field((), max_length=1024)
    extensions: PrimitiveExtensions = PrimitiveExtensions()


class Mesh(Part):
    """Its primitives are looked at when they are used, as `Primitive`."""

    optional = ("weights",)
    primitives: tuple[Any, ...] = Field((), max_length=MANY)
    weights: tuple[Number, ...] = Field((), max_length=MANY)


class Instancing(Part):
    """EXT_mesh_gpu_instancing: accessors of the places of a node's mesh."""

    attributes: dict[str, Index] = Field({}, max_length=64)


class NodeExtensions(Part):
    EXT_mesh_gpu_instancing: Instancing | None = None


class Node(Part):
    """Its transform is its matrix, or else translation, rotation and scale."""

    optional = ("mesh", "skin", "weights", "extensions")
    children: tuple[Index, ...] = Field((), max_length=MANY)
    mesh: Index | None = None
    skin: Index | None = None
    weights: tuple[Number, ...] = Field((), max_length=MANY)
    matrix: tuple[Number, ...] | None = Field(None, min_length=16, max_length=16)
    translation: Vector3 = (0, 0, 0)
    rotation: Vector4 = (0, 0, 0, 1)
    scale: Vector3 = (1, 1, 1)
    extensions: NodeExtensions = NodeExtensions()


class Skin(Part):
    """Joints are nodes; without matrices, each joint was bound where the mesh is."""

    joints: tuple[Index, ...] = Field(min_length=1, max_length=MANY)
    inverseBindMatrices: Index | None = None


class Scene(Part):
    optional = ("nodes",)
    nodes: tuple[Index, ...] = Field((), max_length=MANY)


class TextureTransform(Look):
    offset: Vector2 = (0, 0)
    rotation: Number = 0
    scale: Vector2 = (1, 1)
    texCoord: CoordinateSet | None = None


class TextureInfoExtensions(Look):
    KHR_texture_transform: TextureTransform = TextureTransform()


class TextureInfo(Look):
    index: Index
    texCoord: CoordinateSet = 0
    scale: Number = 1
    strength: Unit = 1
    extensions: TextureInfoExtensions = TextureInfoExtensions()


class MetallicRoughness(Look):
    baseColorFactor: Color4 = (1, 1, 1, 1)
    baseColorTexture: TextureInfo | None = None
    metallicFactor: Unit = 1
    roughnessFactor: Unit = 1
    metallicRoughnessTexture: TextureInfo | None = None


class SpecularGlossiness(Look):
    diffuseFactor: Color4 = (1, 1, 1, 1)
    diffuseTexture: TextureInfo | None = None
    specularFactor: Color3 = (1, 1, 1)
    glossinessFactor: Unit = 1
    specularGlossinessTexture: TextureInfo | None = None


class EmissiveStrength(Look):
    emissiveStrength: Positive = 1


class MaterialExtensions(Look):
    KHR_materials_emissive_strength: EmissiveStrength = EmissiveStrength()
    KHR_materials_pbrSpecularGlossiness: SpecularGlossiness | None = None
    KHR_materials_unlit: Empty | None = None


class Material(Look):
    pbrMetallicRoughness: MetallicRoughness = MetallicRoughness()
    normalTexture: TextureInfo | None = None
    occlusionTexture: TextureInfo | None = None
    emissiveTexture: TextureInfo | None = None
    emissiveFactor: Color3 = (0, 0, 0)
    alphaMode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alphaCutoff: Positive = 0.5
    doubleSided: Flag = False
    extensions: MaterialExtensions = MaterialExtensions()


class Source(Look):
    source: Index | None = None


class TextureExtensions(Look):
    EXT_texture_avif: Source = Source()
    EXT_texture_webp: Source = Source()
    KHR_texture_basisu: Source = Source()
    MSFT_texture_dds: Source = Source()


class Texture(Look):
    sampler: Index | None = None
    source: Index | None = None
    extensions: TextureExtensions = TextureExtensions()


class Sampler(Look):
    # OpenGL's codes. glTF leaves the filters' defaults open: linear, with mipmaps that are blended.
    magFilter: Annotated[int, one_of(9728, 9729)] = 9729
    minFilter: Annotated[int, one_of(9728, 9729, 9984, 9985, 9986, 9987)] = 9987
    wrapS: Annotated[int, one_of(33071, 33648, 10497)] = 10497
    wrapT: Annotated[int, one_of(33071, 33648, 10497)] = 10497


class Image(Look):
    bufferView: Index | None = None
    uri: str | None = None


_Kind = TypeVar("_Kind", bound=Part)


class Parts(Sequence[_Kind], Generic[_Kind]):
    """A list of the glTF, by index; each of its parts is read when it is first used. Raises
    Unreadable.
    """

    def __init__(self, name: str, kind: type[_Kind], document: dict[str, Any], note: Note) -> None:
        entries = document.get(name) or []
        if not isinstance(entries, list):
            if not issubclass(kind, Look):
                raise Refused(f"the glTF's {name} is wrong: it isn't a list")
            note(f"{name} isn't a list and is ignored")
            entries = []
        self._name, self._kind, self._entries, self._note = name, kind, entries, note
        self._read: dict[int, _Kind] = {}
        if len(self._entries) > MANY:
            raise Refused(f"the glTF's {name} is wrong: it has more than {MANY:,} parts")

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[_Kind]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> _Kind: ...
    @overload
    def __getitem__(self, index: slice) -> list[_Kind]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if isinstance(index, float) and index.is_integer():
            index = int(index)
        if not isinstance(index, int) or not 0 <= index < len(self):
            one = (
                self._name.removesuffix("s")
                .replace("meshe", "mesh")
                .replace("bufferView", "buffer view")
            )
            raise Unreadable(f"{one} {quoted(index)} is referred to, and there is none")
        if index not in self._read:
            self._read[index] = read(
                self._kind, self._entries[index], f"{self._name}.{index}", self._note
            )
        return self._read[index]


def read(kind: type[_Kind], value: Any, place: str, note: Note) -> _Kind:
    """A part from its JSON; `place` says where in the file that is. Raises Unreadable."""
    try:
        return kind.model_validate(value, context=note)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join([place, *(quoted(step).strip("'") for step in first["loc"])])
        raise Unreadable(f"the glTF's {where} is wrong: {first['msg']}") from None


class Gltf:
    """The whole of a glTF's JSON. Raises Refused where what should be a list isn't one, or is too
    long.
    """

    def __init__(self, document: dict[str, Any], note: Note) -> None:
        self.accessors = Parts("accessors", Accessor, document, note)
        self.buffers = Parts("buffers", Buffer, document, note)
        self.bufferViews = Parts("bufferViews", BufferView, document, note)
        self.images = Parts("images", Image, document, note)
        self.materials = Parts("materials", Material, document, note)
        self.meshes = Parts("meshes", Mesh, document, note)
        self.nodes = Parts("nodes", Node, document, note)
        self.samplers = Parts("samplers", Sampler, document, note)
        self.scenes = Parts("scenes", Scene, document, note)
        self.skins = Parts("skins", Skin, document, note)
        self.textures = Parts("textures", Texture, document, note)
        self.scene = document.get("scene")
        required = document.get("extensionsRequired")
        names = required if isinstance(required, list) else []
        self.extensionsRequired = {name for name in names if isinstance(name, str)}
