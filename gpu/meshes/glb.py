"""A GLB file as a whole: its JSON, its buffers, and the mesh that it shows."""

import re

from gpu.faults import Refused
from gpu.meshes.buffers import Buffers
from gpu.meshes.chunks import read_glb
from gpu.meshes.gltf import Gltf
from gpu.meshes.scene import Scenes
from gpu.meshes.tolerance import Note, quoted

# Extensions that a file may require. Those of these words' families change looks alone, or nothing
# of a picture.
_DRAWN = {
    "EXT_mesh_gpu_instancing",
    "EXT_meshopt_compression",
    "KHR_draco_mesh_compression",
    "KHR_mesh_quantization",
    "KHR_meshopt_compression",
}
_INESSENTIAL = re.compile(
    r"materials?|lights?|textures?|techniques|animation|xmp|audio|physics|shapes|metadata|features?|lod|"
    r"interactivity|visibility|hoverability|selectability|outline|manifold|variants|VRMC?|bim|articulations|hubs|spring"
)


class Glb:
    """One file's parts; whatever can't be drawn of it raises Refused. `note` is told of what was
    tolerated.
    """

    def __init__(self, data: memoryview, note: Note) -> None:
        document, binary = read_glb(data, note)
        self.note = note
        self.parts = Gltf(document, note)
        self.buffers = Buffers(self.parts, binary, note)
        self.scenes = Scenes(self.parts, self.buffers, note)
        unknown = sorted(
            name for name in self.parts.extensionsRequired - _DRAWN if not _is_inessential(name)
        )
        if unknown:
            raise Refused(
                f"the glTF extension {quoted(unknown[0])} isn't supported, and the file requires it"
            )


def _is_inessential(name: str) -> bool:
    return any(_INESSENTIAL.fullmatch(word) for word in name.split("_")[1:]) or name in (
        "VRM",
        "VRMC",
    )
