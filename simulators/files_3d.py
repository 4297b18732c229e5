"""GLB and PLY files for the tests, and their parts."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu.workers.warmup import glb

PLACES = np.array([[0, 0, 0.3], [0.3, 0, -0.2], [-0.3, 0, -0.2], [0, 0.4, 0]], "<f4").tobytes()
TRIANGLES = np.array([0, 1, 3, 1, 2, 3, 2, 0, 3, 0, 2, 1], "<u2").tobytes()


def header(*, normals: bool = False) -> dict[str, Any]:
    """What a GLB's JSON says of a tetrahedron: positions in the first buffer view, indices in the
    second.
    """
    attributes = {"POSITION": 0} | ({"NORMAL": 2} if normals else {})
    vectors = {"componentType": 5126, "count": 4, "type": "VEC3"}
    return {
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, **vectors},
            {"bufferView": 1, "componentType": 5123, "count": 12, "type": "SCALAR"},
            *([{"bufferView": 2, **vectors}] if normals else []),
        ],
        "nodes": [{"mesh": 0}],
    }


def mesh(places: bytes = PLACES, indices: bytes = TRIANGLES, **change: Any) -> bytes:
    """A tetrahedron's GLB, with changes to its first accessor (`accessor`), its second (`index`, or
    its `width`), the first buffer view (`view`), `primitive` or `node`; others are keys of the
    JSON."""
    tree = header()
    tree["accessors"][0] |= change.pop("accessor", {})
    tree["accessors"][1] |= change.pop("index", {}) | {"componentType": change.pop("width", 5123)}
    tree["meshes"][0]["primitives"][0] |= change.pop("primitive", {})
    tree["nodes"][0] |= change.pop("node", {})
    view = {"buffer": 0, "byteOffset": 0, "byteLength": len(places)} | change.pop("view", {})
    tree["bufferViews"] = [
        view,
        {"buffer": 0, "byteOffset": len(places), "byteLength": len(indices)},
    ]
    return glb(tree | change, places, indices)


def chunked(*chunks: tuple[bytes, bytes]) -> bytes:
    """A GLB of these chunks, each a kind and a content."""
    body = b"".join(struct.pack("<I4s", len(content), kind) + content for kind, content in chunks)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def png_of(width: int, height: int) -> bytes:
    """A real PNG, of noise."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)).save(
        file, "PNG"
    )
    return file.getvalue()


def picture(width: int, height: int, comment: bytes = b"") -> bytes:
    """A PNG of a grey of its own, small however many pixels it says it has; `comment` is a
    compressed text.
    """
    squeezed = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(squeezed.compress(row * 512) for _ in range(height // 512))
    rows += squeezed.compress(row * (height % 512)) + squeezed.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))]
    chunks += [(b"zTXt", b"x\0\0" + comment)] if comment else []
    chunks += [(b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def gaussians(count: int) -> NDArray[np.float64]:
    """The properties of Gaussians on a ball (n, 14), in the order of `gpu.workers.warmup.ply`."""
    random = np.random.default_rng(count)
    values = random.normal(0, 1, (count, 14))
    values[:, :3] /= np.linalg.norm(values[:, :3], axis=1)[:, None]
    values[:, 7:10] = values[:, 7:10] * 0.5 - 5
    return values
