"""Files that are wrong on purpose, each with what should come of it: a part of the reason, or None
where it's drawn.
"""

import io
import json
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import DracoPy  # type: ignore[import-not-found]
import numpy as np
from PIL import Image

from gpu.workers.warmup import glb, ply, textured
from simulators.files_3d import PLACES, TRIANGLES, chunked, gaussians, header, mesh, picture, png_of

Case = tuple[str, bytes, str | None]


def all_cases() -> dict[str, Case]:
    """By name: the kind, the file, and a part of the reason why it's refused, None where it's
    drawn.
    """
    groups: list[Callable[[], Iterator[tuple[str, Case]]]] = [
        containers, counts, references, geometry, nodes, pictures, compression, splats, floods,
    ]  # fmt: skip
    cases = [case for group in groups for case in group()]
    assert len({name for name, _ in cases}) == len(cases)
    return dict(cases)


def containers() -> Iterator[tuple[str, Case]]:
    good = mesh()
    text = b'{"asset":{"version":"2.0"}}'
    yield "nothing", ("glb", b"", "isn't a GLB")
    yield "a byte", ("glb", b"g", "isn't a GLB")
    yield "a magic word alone", ("glb", good[:12], "isn't a GLB")
    yield "a picture", ("glb", png_of(8, 8), "isn't a GLB")
    yield "an archive", ("glb", b"PK\3\4" + bytes(100), "isn't a GLB")
    yield "version 1", ("glb", good[:4] + struct.pack("<I", 1) + good[8:], "version 1")
    yield "cut short", ("glb", good[:-40], "cut short")
    yield "a length below the header's", ("glb", good[:8] + struct.pack("<I", 3) + good[12:], None)
    yield (
        "a chunk longer than the file",
        ("glb", good[:12] + b"\xff\xff\xff\x7f" + good[16:], "longer than the file"),
    )
    yield (
        "binary first",
        ("glb", chunked((b"BIN\0", bytes(8)), (b"JSON", text)), "begin with its JSON"),
    )
    yield "two JSON chunks", ("glb", chunked((b"JSON", text), (b"JSON", text)), "two chunks JSON")
    yield (
        "two binary chunks",
        ("glb", chunked((b"JSON", text), (b"BIN\0", b""), (b"BIN\0", b"")), "two chunks BIN"),
    )
    yield (
        "a million chunks",
        ("glb", chunked((b"JSON", text), *[(b"NOPE", b"")] * 1_000_000), "exactly one mesh"),
    )
    yield "broken JSON", ("glb", chunked((b"JSON", b'{"meshes":[')), "JSON is wrong")
    yield "a list for JSON", ("glb", chunked((b"JSON", b"[]")), "JSON is wrong")
    yield "no text for JSON", ("glb", chunked((b"JSON", b"\xff\xfe{}")), "JSON is wrong")
    yield (
        "a number without end",
        ("glb", chunked((b"JSON", b'{"scene":' + b"9" * 100_000 + b"}")), "wrong"),
    )
    yield (
        "a tower of lists",
        (
            "glb",
            chunked((b"JSON", b'{"extras":' + b"[" * 10**6 + b"]" * 10**6 + b"}")),
            "recursion",
        ),
    )
    yield (
        "40 MB of JSON",
        ("glb", chunked((b"JSON", b"{" + b" " * 40_000_000 + b"}")), "JSON has more than"),
    )
    yield "NaN in JSON", ("glb", mesh(node={"scale": [math.nan, 1, 1]}), "nodes.0.scale")
    yield "infinity in JSON", ("glb", mesh(node={"translation": [math.inf, 1, 1]}), "beyond ±0.6")


def counts() -> Iterator[tuple[str, Case]]:
    for name, count in {
        "negative": -1, "zero": 0, "10^15": 10**15, "10^30": 10**30, "a fraction": 1.5,
        "a text": "four", "none": None,
    }.items():  # fmt: skip
        yield (
            f"a count that is {name}",
            ("glb", mesh(accessor={"count": count}), "accessors.0.count"),
        )
    lone = header()
    lone["accessors"][0] = {"componentType": 5126, "count": 300_000_000, "type": "VEC3"}
    yield (
        "300 million zeros out of nothing",
        ("glb", glb(lone, PLACES, TRIANGLES), "accessors.0.count"),
    )
    lone["accessors"][0]["count"] = 4_000_000
    yield "zeros out of nothing", ("glb", glb(lone, PLACES, TRIANGLES), None)
    yield "a count beyond the view", ("glb", mesh(accessor={"count": 5}), "doesn't fit")
    yield "an offset before the view", ("glb", mesh(accessor={"byteOffset": -4}), "byteOffset")
    yield "an offset beyond the view", ("glb", mesh(accessor={"byteOffset": 2**27}), "doesn't fit")
    yield (
        "an offset within a number",
        ("glb", mesh(accessor={"byteOffset": 3, "count": 3}), "an index points to"),
    )
    yield "an unknown type", ("glb", mesh(accessor={"type": "VEC9"}), "accessors.0.type")
    yield "an unknown component", ("glb", mesh(accessor={"componentType": 5124}), "componentType")
    yield "positions of matrices", ("glb", mesh(accessor={"type": "MAT4"}), "matrices")
    yield (
        "positions of single numbers",
        ("glb", mesh(accessor={"type": "SCALAR"}), "POSITION has 1"),
    )
    yield "a view that ends beyond the file", ("glb", mesh(view={"byteLength": 2**20}), None)
    yield "a view beyond the file", ("glb", mesh(view={"byteOffset": 2**20}), "beyond the file")
    yield "a view of negative length", ("glb", mesh(view={"byteLength": -1}), "byteLength")
    yield "a view from 10^18", ("glb", mesh(view={"byteOffset": 10**18}), "byteOffset")
    yield "values that overlap", ("glb", mesh(view={"byteStride": 1}), "overlap")
    yield "a stride of zero", ("glb", mesh(view={"byteStride": 0}), None)
    yield "a negative stride", ("glb", mesh(view={"byteStride": -12}), "byteStride")
    sparse = {
        "count": 1,
        "indices": {"bufferView": 1, "componentType": 5123},
        "values": {"bufferView": 0},
    }
    far = {**sparse, "indices": {"bufferView": 0, "byteOffset": 8, "componentType": 5125}}
    yield (
        "a sparse value beyond the accessor",
        ("glb", mesh(accessor={"sparse": far}), "replaces values"),
    )
    yield (
        "a billion sparse values",
        ("glb", mesh(accessor={"sparse": {**sparse, "count": 10**9}}), "sparse.count"),
    )
    yield (
        "more sparse values than there are",
        ("glb", mesh(accessor={"sparse": {**sparse, "count": 99}}), "doesn't fit"),
    )


def references() -> Iterator[tuple[str, Case]]:
    for name, uri in {
        "the network": "http://127.0.0.1:1/x.bin", "a file": "file:///etc/passwd",
        "a way up": "../../etc/passwd",
    }.items():  # fmt: skip
        yield (
            f"a buffer from {name}",
            ("glb", mesh(buffers=[{"byteLength": 100, "uri": uri}]), "outside itself"),
        )
        outside = textured(png_of(4, 4)).replace(b'"bufferView": 3}', f'"uri": "{uri}"}}'.encode())
        yield f"a texture from {name}", ("glb", rechunked(outside), "outside its data")
    yield (
        "a second buffer",
        ("glb", mesh(view={"buffer": 1}, buffers=[{"byteLength": 100}] * 2), "isn't in the file"),
    )
    yield "a buffer that isn't there", ("glb", mesh(view={"buffer": 7}), "buffer 7")
    yield "a view that isn't there", ("glb", mesh(accessor={"bufferView": 999}), "buffer view 999")
    yield "a view of a giant number", ("glb", mesh(accessor={"bufferView": 10**12}), "bufferView")
    yield (
        "an accessor that isn't there",
        ("glb", mesh(primitive={"attributes": {"POSITION": 60_000}}), "accessor 60000"),
    )
    yield "a material that isn't there", ("glb", mesh(primitive={"material": 5}), None)
    yield (
        "an unknown extension that is required",
        ("glb", mesh(extensionsRequired=["EVIL_boot"]), "EVIL_boot"),
    )
    yield "a mesh that is a text", ("glb", mesh(meshes="x"), "meshes")
    yield "attributes that are a list", ("glb", mesh(primitive={"attributes": [0]}), "attributes")
    gloss: dict[str, Any] = {"extensions": {"KHR_materials_pbrSpecularGlossiness": {}}}
    yield "a glossy material", ("glb", mesh(primitive={"material": 0}, materials=[gloss]), None)
    yield (
        "a factor of metal of 10^9",
        (
            "glb",
            mesh(
                primitive={"material": 0},
                materials=[{"pbrMetallicRoughness": {"metallicFactor": 1e9}}],
            ),
            None,
        ),
    )


def geometry() -> Iterator[tuple[str, Case]]:
    places = np.frombuffer(PLACES, "<f4").reshape(-1, 3)
    for name, value in {"NaN": np.nan, "infinity": np.inf, "-infinity": -np.inf}.items():
        wrong = places.copy()
        wrong[2, 1] = value
        yield f"a vertex at {name}", ("glb", mesh(places=wrong.tobytes()), "finite")
    yield "a mesh too large", ("glb", mesh(places=(places * 3).tobytes()), "beyond ±0.6")
    yield (
        "a mesh larger than floats",
        ("glb", mesh(places=places.tobytes(), node={"scale": [1e9, 1, 1]}), "beyond ±0.6"),
    )
    huge = (places * np.float32(3e37)).tobytes()
    yield (
        "a mesh that overflows",
        ("glb", mesh(places=huge, node={"scale": [1e9, 1e9, 1e9]}), "finite"),
    )
    yield (
        "giant indices",
        (
            "glb",
            mesh(indices=np.full(12, 2**32 - 1, "<u4").tobytes(), width=5125),
            "an index points to",
        ),
    )
    yield (
        "an index just beyond",
        ("glb", mesh(indices=np.array([0, 1, 4] * 4, "<u2").tobytes()), "vertex 4"),
    )
    yield (
        "indices that are floats",
        ("glb", mesh(indices=np.zeros(12, "<f4").tobytes(), width=5126), "unsigned integers"),
    )
    yield (
        "indices that are vectors",
        ("glb", mesh(index={"type": "VEC3", "count": 4}), "single numbers"),
    )
    yield "two indices", ("glb", mesh(index={"count": 2}), "no triangles")
    yield "points", ("glb", mesh(primitive={"mode": 0}), "holds 0")
    yield "mode 99", ("glb", mesh(primitive={"mode": 99}), "mode")
    yield "triangles without area", ("glb", mesh(indices=np.zeros(12, "<u2").tobytes()), None)
    yield "all vertices in one place", ("glb", mesh(places=bytes(48)), None)
    wrong_normals = header(normals=True)
    yield "normals that are NaN", ("glb", glb(wrong_normals, PLACES, TRIANGLES, b"\xff" * 48), None)
    yield "normals that are zero", ("glb", glb(wrong_normals, PLACES, TRIANGLES, bytes(48)), None)
    wrong_normals["accessors"][2]["count"] = 3
    yield (
        "fewer normals than vertices",
        ("glb", glb(wrong_normals, PLACES, TRIANGLES, bytes(48)), None),
    )


def nodes() -> Iterator[tuple[str, Case]]:
    def tree(*nodes: Any, roots: tuple[int, ...] = (0,)) -> bytes:
        return mesh(nodes=list(nodes), scenes=[{"nodes": list(roots)}])

    yield (
        "nodes in a circle",
        ("glb", tree({"children": [1]}, {"children": [0], "mesh": 0}), "two parents"),
    )
    yield "a node that is its own child", ("glb", tree({"children": [0], "mesh": 0}), "two parents")
    chain = [{"children": [number + 1]} for number in range(10_000)] + [{"mesh": 0}]
    yield "nodes 10,000 deep", ("glb", tree(*chain), None)
    yield "a million nodes", ("glb", tree(*[{"mesh": 0}] * 1_000_000), "nodes is wrong")
    yield (
        "a mesh shown 100 times",
        ("glb", tree(*[{"mesh": 0}] * 100, roots=tuple(range(100))), None),
    )
    yield "the same root twice", ("glb", tree({"mesh": 0}, roots=(0, 0)), None)
    yield "a mesh shown nowhere", ("glb", tree({}), None)
    yield "a child that isn't there", ("glb", tree({"children": [5]}), "node 5")
    yield "a scene that isn't there", ("glb", mesh(scene=3), "scene 3")
    both: dict[str, Any] = {"nodes": [{"mesh": 0}, {"mesh": 1}], "scenes": [{"nodes": [0, 1]}]}
    yield "two meshes", ("glb", mesh(meshes=header()["meshes"] * 2, **both), "holds 2")
    yield (
        "a mesh of two parts",
        ("glb", mesh(meshes=[{"primitives": header()["meshes"][0]["primitives"] * 2}]), "holds 2"),
    )
    yield "no meshes", ("glb", mesh(meshes=[], nodes=[{}]), "holds 0")
    yield "a matrix of 3 numbers", ("glb", mesh(node={"matrix": [1, 0, 0]}), "matrix")
    yield "a rotation by nothing", ("glb", mesh(node={"rotation": [0, 0, 0, 0]}), None)
    yield "a mesh made flat", ("glb", mesh(node={"scale": [0, 0, 0]}), None)
    yield "a skin that isn't there", ("glb", mesh(node={"skin": 0}), None)
    yield (
        "a million joints",
        ("glb", mesh(node={"skin": 0}, skins=[{"joints": [0] * 1_000_000}]), None),
    )
    yield "weights of no morph targets", ("glb", mesh(node={"weights": [1.0]}), None)
    yield (
        "10,000 morph targets",
        ("glb", mesh(primitive={"targets": [{"POSITION": 0}] * 10_000}), None),
    )
    away = {"extensions": {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 2}}}}
    zeros = {"componentType": 5126, "count": 12_000_000, "type": "VEC3"}
    accessors = [*header()["accessors"], zeros]
    many = mesh(nodes=[{"mesh": 0, **away}], accessors=accessors)
    yield "a mesh in 12 million instances", ("glb", many, "shown 12,000,000 times")
    zeros["count"] = 1_200_000
    many = mesh(nodes=[{"mesh": 0, **away}], accessors=accessors)
    yield "a mesh in a million instances", ("glb", many, "4,800,000 vertices")


def pictures() -> Iterator[tuple[str, Case]]:
    def shown(content: bytes) -> bytes:
        return textured(content)

    good = png_of(64, 64)
    yield (
        "a bomb of 30,000 pixels a side",
        ("glb", shown(picture(30_000, 30_000)), "too many pixels"),
    )
    yield "a texture of 9,000 pixels a side", ("glb", shown(picture(9_000, 9_000)), "pixels")
    yield "a row of 60,000 pixels", ("glb", shown(picture(60_000, 1)), "more than 8192 a side")
    yield (
        "five pictures of 8192 pixels a side",
        ("glb", five_textures(picture(8192, 8192)), "335,544,320 pixels"),
    )
    yield "a picture without width", ("glb", shown(picture(0, 5)), None)
    yield "a picture cut short", ("glb", shown(good[: len(good) // 2]), None)
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)).save(
        noise, "JPEG"
    )
    yield "a JPEG cut short", ("glb", shown(noise.getvalue()[:800]), None)
    yield (
        "no picture at all",
        ("glb", shown(b"not a picture, but long enough to be taken for one"), None),
    )
    yield "KTX2", ("glb", shown(b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(80)), "KTX2")
    for form in (
        "GIF",
        "AVIF",
        "TIFF",
        "DDS",
        "JPEG2000",
        "TGA",
        "BMP",
    ):  # a worker opens no files, plugins neither
        other = io.BytesIO()
        Image.new("RGB", (4, 4)).save(other, form)
        yield f"a picture in {form}", ("glb", shown(other.getvalue()), None)
    strange = io.BytesIO()
    Image.new("RGB", (4, 4)).save(strange, "PCX")
    yield "a picture in PCX", ("glb", shown(strange.getvalue()), None)
    text = zlib.compress(bytes(200_000_000), 9)
    yield "a bomb in a comment", ("glb", shown(picture(4, 4, comment=text)), None)
    yield "a wrong checksum", ("glb", shown(good[:100] + bytes(8) + good[108:]), None)
    yield (
        "texture coordinates that are NaN",
        ("glb", textured(good, coordinates=b"\xff" * 32), None),
    )
    without = textured(good).replace(b"TEXCOORD_0", b"TEXCOORD_7")
    yield "texture coordinates that aren't there", ("glb", without, None)
    yield (
        "a texture that isn't there",
        ("glb", textured(good).replace(b'{"index": 0}', b'{"index": 9}'), None),
    )
    yield (
        "a picture that isn't there",
        ("glb", textured(good).replace(b'"source": 0', b'"source": 8'), None),
    )


def compression() -> Iterator[tuple[str, Case]]:
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

    yield "Draco that is noise", ("glb", packed(b"DRACO\2\2\1\1" + bytes(range(200))), "Draco")
    yield "Draco cut short", ("glb", packed(good[: len(good) // 2]), "Draco")
    yield "nothing for Draco", ("glb", packed(bytes(4)), "Draco")
    yield "a Draco attribute that isn't there", ("glb", packed(good, 9), "lacks the attribute")
    yield "Draco with a name of its own", ("glb", packed(good, EVIL=0), None)
    yield (
        "Draco of giant counts",
        ("glb", packed(good[:11] + b"\xff\xff\xff\xff\x0f" * 2 + good[13:]), "Draco"),
    )
    beside = packed(good).replace(
        b'"attributes": {"POSITION": 0}, "indices"',
        b'"attributes": {"COLOR_0": 1, "POSITION": 0}, "indices"',
    )
    yield "fewer colours beside Draco", ("glb", rechunked(beside), None)
    yield "a point cloud in Draco", ("glb", packed(DracoPy.encode(places)), "points")
    meshopt: dict[str, Any] = {
        "extensions": {"EXT_meshopt_compression": {"buffer": 0, "count": 10**9}}
    }
    yield "meshopt that the file can do without", ("glb", mesh(view=meshopt), None)
    meshopt |= {"buffer": 1}
    yield "meshopt", ("glb", mesh(view=meshopt, buffers=[{}, {}]), "EXT_meshopt_compression")


def splats() -> Iterator[tuple[str, Case]]:
    good = gaussians(100)
    file = ply(good)

    def changed(column: int, value: float, rows: slice = slice(0, 3)) -> bytes:
        wrong = good.copy()
        wrong[rows, column] = value
        return ply(wrong)

    def replaced(before: bytes, after: bytes) -> bytes:
        assert before in file
        return file.replace(before, after, 1)

    yield "a PLY of nothing", ("ply", b"", "isn't a PLY")
    yield "a GLB called a PLY", ("ply", mesh(), "isn't a PLY")
    yield (
        "a PLY that says it is text",
        ("ply", replaced(b"binary_little_endian", b"ascii"), "where a number should be|cut short"),
    )
    yield (
        "a PLY in an unknown format",
        ("ply", replaced(b"binary_little_endian", b"binary_pdp_endian"), "neither ascii nor"),
    )
    yield "a PLY cut short", ("ply", file[:-1], "cut short")
    for name, count in {
        "-1": b"-1",
        "10^15": b"1" + b"0" * 15,
        "no number": b"many",
        "hex": b"0x7",
        "0": b"0",
    }.items():
        yield (
            f"{name} Gaussians",
            (
                "ply",
                replaced(b"vertex 100", b"vertex " + count),
                "Gaussians" if count.isdigit() else "number",
            ),
        )
    yield "a header without end", ("ply", b"ply\n" + b"comment x\n" * 100_000, "doesn't end")
    yield (
        "a header in Chinese",
        ("ply", replaced(b"float x", "float 好".encode()), "no property 'x'"),
    )
    yield (
        "a list of numbers",
        ("ply", replaced(b"property float x", b"property list uchar int x"), "isn't a number"),
    )
    yield "a type that isn't one", ("ply", replaced(b"float x", b"quaternion x"), "isn't a number")
    yield "no opacity", ("ply", replaced(b"float opacity", b"float transparency"), "'opacity'")
    yield "x twice", ("ply", replaced(b"float y", b"float x"), "two properties")
    yield "no vertices", ("ply", replaced(b"element vertex", b"element face"), "no vertices")
    yield (
        "no elements",
        ("ply", b"ply\nformat binary_little_endian 1.0\nend_header\n", "no vertices"),
    )
    yield "a Gaussian at NaN", ("ply", changed(1, np.nan), None)
    yield "a Gaussian at infinity", ("ply", changed(0, np.inf), None)
    yield "all Gaussians at NaN", ("ply", changed(1, np.nan, slice(None)), "free of NaN")
    yield "a Gaussian at 10^38", ("ply", changed(0, 1e38), "too far apart")
    yield (
        "all Gaussians in one place",
        ("ply", ply(good * ([0] * 3 + [1] * 11)), "extent"),
    )
    yield "a single Gaussian", ("ply", ply(good[:1]), "extent")
    for name, column, value in (
        ("giant", 7, 60.0),
        ("infinite", 8, np.inf),
        ("flat", 9, -100.0),
        ("unturned", 10, 0.0),
        ("of NaN colour", 3, np.nan),
        ("of infinite opacity", 6, np.inf),
        ("of NaN opacity", 6, np.nan),
        ("of endless colour", 4, 3e38),
        ("of NaN turn", 11, np.nan),
    ):
        yield f"Gaussians {name}", ("ply", changed(column, value), None)
    still = good.copy()
    still[:, 10:] = 0
    yield "all Gaussians unturned", ("ply", ply(still), None)


def floods() -> Iterator[tuple[str, Case]]:
    """Files that are well-formed, and too much."""
    across = np.array([[-0.6, -0.6, 0], [0.6, -0.6, 0], [0, 0.6, 0]], "<f4")
    lone = header()
    lone["meshes"][0]["primitives"][0]["material"] = 0
    lone["materials"] = [{"doubleSided": True, "alphaMode": "BLEND"}]
    lone["accessors"][0]["count"] = 3
    layers = 1_000_000
    lone["accessors"][1] |= {"count": 3 * layers}
    layered = np.tile(np.arange(3, dtype="<u2"), layers).tobytes()
    yield "a million layers", ("glb", glb(lone, across.tobytes(), layered), "takes more than 5 s")
    lone["accessors"][1] |= {"count": 15_000_000}
    yield (
        "5 million triangles",
        ("glb", glb(lone, across.tobytes(), bytes(30_000_000)), "accessors.1.count"),
    )
    many = gaussians(1_000_000)
    many[:, 6:10] = -3, 2, 2, 2
    yield (
        "a million Gaussians, each before the whole",
        ("ply", ply(many), "can't be drawn|takes more than 5 s"),
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
