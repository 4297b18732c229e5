"""Small files of our own that together use all code that a miner's file can use."""

import io
import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

# Of a tetrahedron.
_CORNERS = np.array([[0, 0, 0.3], [0.3, 0, -0.2], [-0.3, 0, -0.2], [0, 0.4, 0]], "<f4")
_FACES = np.array([0, 1, 3, 1, 2, 3, 2, 0, 3, 0, 2, 1], "<u2")
_PLY = ("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2")
_PLY_TURN = ("rot_0", "rot_1", "rot_2", "rot_3")


def files() -> Iterator[tuple[str, bytes]]:
    """The files, each with the name of its format."""
    for form in ("PNG", "JPEG", "WEBP"):
        yield "glb", textured(_picture(form))
    yield "glb", glb({**_header(), "materials": [{"doubleSided": True}]}, *_geometry())
    yield "glb", _draco()
    yield from (("ply", content) for content in _splats())


def ply(values: Any) -> bytes:
    """A PLY file of Gaussians from their properties (n, 14), in the order in which 3DGS writes
    them.
    """
    names = (*_PLY, *_PLY_TURN)
    header = "\n".join(
        ["ply", "format binary_little_endian 1.0", f"element vertex {len(values)}"]
        + [f"property float {name}" for name in names]
        + ["end_header", ""]
    )
    return header.encode() + np.asarray(values, "<f4").tobytes()


def _splats() -> Iterator[bytes]:
    """Gaussians in each way in which a PLY can hold them."""
    values = np.random.default_rng(404).normal(-1, 0.5, (200, 14)).astype("<f4")
    plain = ply(values)
    header, end, content = plain.partition(b"end_header\n")
    yield plain
    lists = b"element face 1\nproperty list uchar int vertex_indices\nelement vertex"
    yield header.replace(b"element vertex", lists) + end + b"\x01" + bytes(4) + content
    text = "\n".join(" ".join(map(str, row)) for row in values)
    yield header.replace(b"binary_little_endian", b"ascii") + end + text.encode()


def glb(header: dict[str, Any], *views: bytes) -> bytes:
    """A GLB file whose buffer views are these; `header` says the rest."""
    binary = b""
    places = []
    for view in views:
        places.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(view)})
        binary += view + bytes(-len(view) % 4)
    whole = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": places,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
    } | header
    text = json.dumps(whole).encode()
    text += b" " * (-len(text) % 4)
    chunks = (
        struct.pack("<I4s", len(text), b"JSON")
        + text
        + struct.pack("<I4s", len(binary), b"BIN\0")
        + binary
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def textured(picture: bytes, coordinates: bytes = _CORNERS[:, :2].tobytes()) -> bytes:
    """A tetrahedron with one picture for all its textures."""
    header = _header()
    header["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = 2
    header["accessors"].append({"bufferView": 2, "componentType": 5126, "count": 4, "type": "VEC2"})
    whole = {"index": 0}
    material = {
        "pbrMetallicRoughness": {"baseColorTexture": whole, "metallicRoughnessTexture": whole},
        "normalTexture": whole,
        "occlusionTexture": whole,
        "emissiveTexture": whole,
    }
    header |= {"materials": [material], "textures": [{"source": 0}], "images": [{"bufferView": 3}]}
    return glb(header, *_geometry(), coordinates, picture)


def _header() -> dict[str, Any]:
    return {
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 12, "type": "SCALAR"},
        ],
    }


def _geometry() -> tuple[bytes, bytes]:
    return _CORNERS.tobytes(), _FACES.tobytes()


def _draco() -> bytes:
    import DracoPy  # type: ignore[import-not-found]  # noqa: PLC0415 - loaded here, before files can't be opened any more

    header = _header()
    primitive = header["meshes"][0]["primitives"][0]
    del primitive["material"]
    primitive["extensions"] = {
        "KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}
    }
    for accessor in header["accessors"]:
        del accessor["bufferView"]
    return glb(header, DracoPy.encode(_CORNERS, faces=_FACES.reshape(-1, 3)))


def _picture(form: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2, 2), (200, 100, 50)).save(file, form)
    return file.getvalue()
