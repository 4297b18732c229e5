"""Files whose textures or compressed meshes are wrong."""

import io
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import DracoPy  # type: ignore[import-not-found]
import numpy as np
from PIL import Image

from gpu.workers.warmup import glb, ply, textured
from simulators.files_3d import PLACES, TRIANGLES, chunked, gaussians, header, mesh, picture, png_of
from simulators.hostile_files.case import Case


def pictures() -> Iterator[Case]:
    def shown(content: bytes) -> bytes:
        return textured(content)

    good = png_of(64, 64)
    yield Case(
        "a bomb of 30,000 pixels a side", "glb", shown(picture(30_000, 30_000)), "too many pixels"
    )
    yield Case("a texture of 9,000 pixels a side", "glb", shown(picture(9_000, 9_000)), "pixels")
    yield Case("a row of 60,000 pixels", "glb", shown(picture(60_000, 1)), "more than 8192 a side")
    yield Case(
        "five pictures of 8192 pixels a side",
        "glb",
        five_textures(picture(8192, 8192)),
        "335,544,320 pixels",
    )
    yield Case("a picture without width", "glb", shown(picture(0, 5)), None)
    yield Case("a picture cut short", "glb", shown(good[: len(good) // 2]), None)
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)).save(
        noise, "JPEG"
    )
    yield Case("a JPEG cut short", "glb", shown(noise.getvalue()[:800]), None)
    yield Case(
        "no picture at all",
        "glb",
        shown(b"not a picture, but long enough to be taken for one"),
        None,
    )
    text = zlib.compress(bytes(200_000_000), 9)
    yield Case("a bomb in a comment", "glb", shown(picture(4, 4, comment=text)), None)
    yield Case("a wrong checksum", "glb", shown(good[:100] + bytes(8) + good[108:]), None)
    yield Case(
        "texture coordinates that are NaN", "glb", textured(good, coordinates=b"\xff" * 32), None
    )
    without = textured(good).replace(b"TEXCOORD_0", b"TEXCOORD_7")
    yield Case("texture coordinates that aren't there", "glb", without, None)
    yield Case(
        "a texture that isn't there",
        "glb",
        textured(good).replace(b'{"index": 0}', b'{"index": 9}'),
        None,
    )
    yield Case(
        "a picture that isn't there",
        "glb",
        textured(good).replace(b'"source": 0', b'"source": 8'),
        None,
    )


def picture_formats() -> Iterator[Case]:
    """Textures in other formats than PNG and JPEG: a worker opens no files, plugins neither."""
    yield Case("KTX2", "glb", textured(b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(80)), "KTX2")
    for form in ("GIF", "AVIF", "TIFF", "DDS", "JPEG2000", "TGA", "BMP"):
        other = io.BytesIO()
        Image.new("RGB", (4, 4)).save(other, form)
        yield Case(f"a picture in {form}", "glb", textured(other.getvalue()), None)
    strange = io.BytesIO()
    Image.new("RGB", (4, 4)).save(strange, "PCX")
    yield Case("a picture in PCX", "glb", textured(strange.getvalue()), None)


def compression() -> Iterator[Case]:
    places, faces = (
        np.frombuffer(PLACES, "<f4").reshape(-1, 3),
        np.frombuffer(TRIANGLES, "<u2").reshape(-1, 3),
    )
    good = DracoPy.encode(places, faces=faces)

    def packed(content: bytes, unique: int = 0, **extra: Any) -> bytes:
        draco = {
            "KHR_draco_mesh_compression": {
                "bufferView": 0,
                "attributes": {"POSITION": unique, **extra},
            }
        }
        lone = header()
        lone["meshes"][0]["primitives"][0]["extensions"] = draco
        for accessor in lone["accessors"]:
            del accessor["bufferView"]
        return glb(lone, content)

    yield Case("Draco that is noise", "glb", packed(b"DRACO\2\2\1\1" + bytes(range(200))), "Draco")
    yield Case("Draco cut short", "glb", packed(good[: len(good) // 2]), "Draco")
    yield Case("nothing for Draco", "glb", packed(bytes(4)), "Draco")
    yield Case("a Draco attribute that isn't there", "glb", packed(good, 9), "lacks the attribute")
    yield Case("Draco with a name of its own", "glb", packed(good, EVIL=0), None)
    yield Case(
        "Draco of giant counts",
        "glb",
        packed(good[:11] + b"\xff\xff\xff\xff\x0f" * 2 + good[13:]),
        "Draco",
    )
    beside = packed(good).replace(
        b'"attributes": {"POSITION": 0}, "indices"',
        b'"attributes": {"COLOR_0": 1, "POSITION": 0}, "indices"',
    )
    yield Case("fewer colours beside Draco", "glb", rechunked(beside), None)
    yield Case("a point cloud in Draco", "glb", packed(DracoPy.encode(places)), "points")
    meshopt: dict[str, Any] = {
        "extensions": {"EXT_meshopt_compression": {"buffer": 0, "count": 10**9}}
    }
    yield Case("meshopt that the file can do without", "glb", mesh(view=meshopt), None)
    meshopt |= {"buffer": 1}
    yield Case("meshopt", "glb", mesh(view=meshopt, buffers=[{}, {}]), "EXT_meshopt_compression")


def floods() -> Iterator[Case]:
    """Files that are well-formed, and too much."""
    across = np.array([[-0.6, -0.6, 0], [0.6, -0.6, 0], [0, 0.6, 0]], "<f4")
    lone = header()
    lone["meshes"][0]["primitives"][0]["material"] = 0
    lone["materials"] = [{"doubleSided": True, "alphaMode": "BLEND"}]
    lone["accessors"][0]["count"] = 3
    layers = 1_000_000
    lone["accessors"][1] |= {"count": 3 * layers}
    layered = np.tile(np.arange(3, dtype="<u2"), layers).tobytes()
    yield Case(
        "a million layers", "glb", glb(lone, across.tobytes(), layered), "takes more than 5 s"
    )
    lone["accessors"][1] |= {"count": 15_000_000}
    yield Case(
        "5 million triangles",
        "glb",
        glb(lone, across.tobytes(), bytes(30_000_000)),
        "accessors.1.count",
    )
    many = gaussians(1_000_000)
    many[:, 6:10] = -3, 2, 2, 2
    yield Case(
        "a million Gaussians, each before the whole",
        "ply",
        ply(many),
        "can't be drawn|takes more than 5 s",
    )


def five_textures(content: bytes) -> bytes:
    """A mesh with five textures, each with a picture of its own."""
    whole = textured(content)
    size = struct.unpack_from("<I", whole, 12)[0]
    tree = json.loads(whole[20 : 20 + size])
    tree["textures"] = [{"source": number} for number in range(5)]
    tree["images"] *= 5
    material = tree["materials"][0]
    tree["bufferViews"] += [dict(tree["bufferViews"][3]) for _ in range(4)]
    tree["images"] = [{"bufferView": 3 + number} for number in range(5)]
    metal = material["pbrMetallicRoughness"]
    metal["baseColorTexture"], metal["metallicRoughnessTexture"] = {"index": 0}, {"index": 1}
    for number, name in enumerate(("normalTexture", "occlusionTexture", "emissiveTexture"), 2):
        material[name] = {"index": number}
    return chunked((b"JSON", json.dumps(tree).encode()), (b"BIN\0", whole[28 + size :]))


def rechunked(file: bytes) -> bytes:
    """A GLB whose JSON was changed in place, with the lengths made right again."""
    start = file.index(b"BIN\0") - 4
    return chunked((b"JSON", file[20:start].rstrip()), (b"BIN\0", file[start + 8 :]))
