"""Files whose container, counts or references are wrong."""

import math
import struct
from collections.abc import Iterator
from typing import Any

from gpu.workers.warmup import glb, textured
from simulators.files_3d import PLACES, TRIANGLES, chunked, header, mesh, png_of
from simulators.hostile_files.case import Case
from simulators.hostile_files.pictures import rechunked


def containers() -> Iterator[Case]:
    good = mesh()
    text = b'{"asset":{"version":"2.0"}}'
    yield Case("nothing", "glb", b"", "isn't a GLB")
    yield Case("a byte", "glb", b"g", "isn't a GLB")
    yield Case("a magic word alone", "glb", good[:12], "isn't a GLB")
    yield Case("a picture", "glb", png_of(8, 8), "isn't a GLB")
    yield Case("an archive", "glb", b"PK\3\4" + bytes(100), "isn't a GLB")
    yield Case("version 1", "glb", good[:4] + struct.pack("<I", 1) + good[8:], "version 1")
    yield Case("cut short", "glb", good[:-40], "cut short")
    yield Case(
        "a length below the header's", "glb", good[:8] + struct.pack("<I", 3) + good[12:], None
    )
    yield Case(
        "a chunk longer than the file",
        "glb",
        good[:12] + b"\xff\xff\xff\x7f" + good[16:],
        "longer than the file",
    )
    yield Case(
        "binary first", "glb", chunked((b"BIN\0", bytes(8)), (b"JSON", text)), "begin with its JSON"
    )
    yield Case(
        "two JSON chunks", "glb", chunked((b"JSON", text), (b"JSON", text)), "two chunks JSON"
    )
    yield Case(
        "two binary chunks",
        "glb",
        chunked((b"JSON", text), (b"BIN\0", b""), (b"BIN\0", b"")),
        "two chunks BIN",
    )
    yield Case(
        "a million chunks",
        "glb",
        chunked((b"JSON", text), *[(b"NOPE", b"")] * 1_000_000),
        "exactly one mesh",
    )


def texts() -> Iterator[Case]:
    """Containers whose JSON is wrong."""
    yield Case("broken JSON", "glb", chunked((b"JSON", b'{"meshes":[')), "JSON is wrong")
    yield Case("a list for JSON", "glb", chunked((b"JSON", b"[]")), "JSON is wrong")
    yield Case("no text for JSON", "glb", chunked((b"JSON", b"\xff\xfe{}")), "JSON is wrong")
    yield Case(
        "a number without end",
        "glb",
        chunked((b"JSON", b'{"scene":' + b"9" * 100_000 + b"}")),
        "wrong",
    )
    yield Case(
        "a tower of lists",
        "glb",
        chunked((b"JSON", b'{"extras":' + b"[" * 10**6 + b"]" * 10**6 + b"}")),
        "recursion",
    )
    yield Case(
        "40 MB of JSON",
        "glb",
        chunked((b"JSON", b"{" + b" " * 40_000_000 + b"}")),
        "JSON has more than",
    )
    yield Case("NaN in JSON", "glb", mesh(node={"scale": [math.nan, 1, 1]}), "nodes.0.scale")
    yield Case(
        "infinity in JSON", "glb", mesh(node={"translation": [math.inf, 1, 1]}), "beyond ±0.6"
    )


def counts() -> Iterator[Case]:
    for name, count in {
        "negative": -1, "zero": 0, "10^15": 10**15, "10^30": 10**30, "a fraction": 1.5,
        "a text": "four", "none": None,
    }.items():  # fmt: skip
        yield Case(
            f"a count that is {name}", "glb", mesh(accessor={"count": count}), "accessors.0.count"
        )
    lone = header()
    lone["accessors"][0] = {"componentType": 5126, "count": 300_000_000, "type": "VEC3"}
    yield Case(
        "300 million zeros out of nothing", "glb", glb(lone, PLACES, TRIANGLES), "accessors.0.count"
    )
    lone["accessors"][0]["count"] = 4_000_000
    yield Case("zeros out of nothing", "glb", glb(lone, PLACES, TRIANGLES), None)
    yield Case("a count beyond the view", "glb", mesh(accessor={"count": 5}), "doesn't fit")
    yield Case("an offset before the view", "glb", mesh(accessor={"byteOffset": -4}), "byteOffset")
    yield Case(
        "an offset beyond the view", "glb", mesh(accessor={"byteOffset": 2**27}), "doesn't fit"
    )
    yield Case(
        "an offset within a number",
        "glb",
        mesh(accessor={"byteOffset": 3, "count": 3}),
        "an index points to",
    )
    yield Case("an unknown type", "glb", mesh(accessor={"type": "VEC9"}), "accessors.0.type")
    yield Case(
        "an unknown component", "glb", mesh(accessor={"componentType": 5124}), "componentType"
    )
    yield Case("positions of matrices", "glb", mesh(accessor={"type": "MAT4"}), "matrices")
    yield Case(
        "positions of single numbers", "glb", mesh(accessor={"type": "SCALAR"}), "POSITION has 1"
    )
    yield Case("a view that ends beyond the file", "glb", mesh(view={"byteLength": 2**20}), None)
    yield Case("a view beyond the file", "glb", mesh(view={"byteOffset": 2**20}), "beyond the file")
    yield Case("a view of negative length", "glb", mesh(view={"byteLength": -1}), "byteLength")
    yield Case("a view from 10^18", "glb", mesh(view={"byteOffset": 10**18}), "byteOffset")
    yield Case("values that overlap", "glb", mesh(view={"byteStride": 1}), "overlap")
    yield Case("a stride of zero", "glb", mesh(view={"byteStride": 0}), None)
    yield Case("a negative stride", "glb", mesh(view={"byteStride": -12}), "byteStride")


def sparse_values() -> Iterator[Case]:
    """Accessors that replace some of their values."""
    sparse = {
        "count": 1,
        "indices": {"bufferView": 1, "componentType": 5123},
        "values": {"bufferView": 0},
    }
    far = {**sparse, "indices": {"bufferView": 0, "byteOffset": 8, "componentType": 5125}}
    yield Case(
        "a sparse value beyond the accessor",
        "glb",
        mesh(accessor={"sparse": far}),
        "replaces values",
    )
    yield Case(
        "a billion sparse values",
        "glb",
        mesh(accessor={"sparse": {**sparse, "count": 10**9}}),
        "sparse.count",
    )
    yield Case(
        "more sparse values than there are",
        "glb",
        mesh(accessor={"sparse": {**sparse, "count": 99}}),
        "doesn't fit",
    )


def references() -> Iterator[Case]:
    for name, uri in {
        "the network": "http://127.0.0.1:1/x.bin", "a file": "file:///etc/passwd",
        "a way up": "../../etc/passwd",
    }.items():  # fmt: skip
        yield Case(
            f"a buffer from {name}",
            "glb",
            mesh(buffers=[{"byteLength": 100, "uri": uri}]),
            "outside itself",
        )
        outside = textured(png_of(4, 4)).replace(b'"bufferView": 3}', f'"uri": "{uri}"}}'.encode())
        yield Case(f"a texture from {name}", "glb", rechunked(outside), "outside its data")
    yield Case(
        "a second buffer",
        "glb",
        mesh(view={"buffer": 1}, buffers=[{"byteLength": 100}] * 2),
        "isn't in the file",
    )
    yield Case("a buffer that isn't there", "glb", mesh(view={"buffer": 7}), "buffer 7")
    yield Case(
        "a view that isn't there", "glb", mesh(accessor={"bufferView": 999}), "buffer view 999"
    )
    yield Case(
        "a view of a giant number", "glb", mesh(accessor={"bufferView": 10**12}), "bufferView"
    )
    yield Case(
        "an accessor that isn't there",
        "glb",
        mesh(primitive={"attributes": {"POSITION": 60_000}}),
        "accessor 60000",
    )
    yield Case("a material that isn't there", "glb", mesh(primitive={"material": 5}), None)
    yield Case(
        "an unknown extension that is required",
        "glb",
        mesh(extensionsRequired=["EVIL_boot"]),
        "EVIL_boot",
    )
    yield Case("a mesh that is a text", "glb", mesh(meshes="x"), "meshes")
    yield Case(
        "attributes that are a list", "glb", mesh(primitive={"attributes": [0]}), "attributes"
    )
    gloss: dict[str, Any] = {"extensions": {"KHR_materials_pbrSpecularGlossiness": {}}}
    yield Case("a glossy material", "glb", mesh(primitive={"material": 0}, materials=[gloss]), None)
    yield Case(
        "a factor of metal of 10^9",
        "glb",
        mesh(
            primitive={"material": 0},
            materials=[{"pbrMetallicRoughness": {"metallicFactor": 1e9}}],
        ),
        None,
    )
