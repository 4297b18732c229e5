"""The parsers of miners' 3D files and their textures, and what draws them."""

from collections.abc import Callable, Sequence
from random import Random

from bench import mutations
from bench.parsers.parser import Parser, Seed, case_files, named, shared_files


def _meshes() -> Callable[[str, bytes], object]:
    from gpu.meshes.mesh import read_mesh

    return lambda _, data: read_mesh(memoryview(data))


def _mesh_seeds() -> list[Seed]:
    from gpu.workers.warmup import textured
    from simulators.files_3d import mesh, picture, png_of
    from simulators.hostile_files.pictures import compression

    made = [
        mesh(),
        mesh(node={"scale": [0.5, 1, 1]}),
        textured(png_of(8, 8)),
        textured(picture(16, 16)),
    ]
    made += [case.content for case in compression()]
    made += [textured(content) for content in _picture_files()]
    return named([*made, *case_files("glb/*"), *shared_files("models/*.glb", 60_000)])


def _splats() -> Callable[[str, bytes], object]:
    from gpu.splats.ply import read_splats
    from gpu.workers import warmup

    for kind, content in warmup.files():
        if kind == "ply":
            read_splats(memoryview(content))  # numba compiles now, not in the time of an input
    return lambda _, data: read_splats(memoryview(data))


def _splat_seeds() -> list[Seed]:
    """In binary of both orders and as text, behind other elements, with each end of a line, of
    other types of numbers, and compressed as SuperSplat has it (which is refused by name)."""
    import numpy as np

    from gpu.workers import warmup
    from simulators.files_3d import gaussians

    plain = warmup.ply(gaussians(8))
    head, end, content = plain.partition(b"end_header\n")
    values = np.frombuffer(content, "<f4")
    big = head.replace(b"little", b"big") + end + values.astype(">f4").tobytes()
    double = head.replace(b"property float", b"property double") + end
    made = [plain, warmup.ply(gaussians(40)), big, double + values.astype("<f8").tobytes()]
    made += [content for kind, content in warmup.files() if kind == "ply"]
    text = head.replace(b"binary_little_endian", b"ascii") + end
    text += b"\n".join(
        b" ".join(repr(float(each)).encode() for each in row) for row in values.reshape(8, -1)
    )
    made += [text, text.replace(b"\n", b"\r\n"), text.replace(b"\n", b"\r"), _compressed()]
    return named([*made, *case_files("ply/*")])


def _compressed() -> bytes:
    bounds = [f"{end}_{axis}" for end in ("min", "max") for axis in "xyz"]
    packed = ["packed_position", "packed_rotation", "packed_scale", "packed_color"]
    lines = ["ply", "format binary_little_endian 1.0", "element chunk 1"]
    lines += [f"property float {name}" for name in bounds] + ["element vertex 8"]
    lines += [f"property uint {name}" for name in packed] + ["end_header", ""]
    return "\n".join(lines).encode() + bytes(4 * (len(bounds) + 8 * len(packed)))


def _drawn() -> Callable[[str, bytes], object]:
    from gpu.workers.rendering import Rendering

    rendering = Rendering()
    rendering.warm_up()
    return lambda kind, data: rendering.render(kind, memoryview(data))


def _drawn_seeds() -> list[Seed]:
    meshes = [("glb-draft", data) for _, data in _mesh_seeds()]
    return meshes + [("ply", data) for _, data in _splat_seeds()]


def _spoilt(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    mutate = mutations.glb_of if data.startswith(b"glTF") else mutations.lines_of
    return mutate(random, data, others)


def _textures() -> Callable[[str, bytes], object]:
    from gpu.meshes.textures import decode_all, pixels

    def parse(_: str, data: bytes) -> object:
        size = pixels(memoryview(data))
        if size > 4_000_000:
            return None  # as many as that are decoded in the tests; here they would only take time
        return decode_all({0: memoryview(data)})[0]

    return parse


def _texture_seeds() -> list[Seed]:
    return named(_picture_files())


def _picture_files() -> list[bytes]:
    """Small pictures in every format and colour that is read, and in KTX2, which is refused."""
    import io

    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (9, 7, 4), np.uint8)
    files = []
    kinds = [(mode, "PNG") for mode in ("RGBA", "RGB", "L", "P", "1", "LA", "I;16")]
    kinds += [("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "WEBP"), ("RGBA", "WEBP")]
    kinds += [("RGB", form) for form in ("AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "DDS", "PPM")]
    kinds += [("RGBA", "TGA")]
    for mode, form in kinds:
        file = io.BytesIO()
        picture = Image.fromarray(noise)
        sixteen = mode == "I;16"
        picture = (
            Image.fromarray(noise[..., 0].astype(np.uint16) * 250)
            if sixteen
            else picture.convert(mode)
        )
        picture.save(file, form)
        files.append(file.getvalue())
    return [*files, b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(80)]


_FILE = ("Refused", "MemoryError")  # what a worker answers with a reason

PARSERS = {
    "glb": Parser(_meshes, _mesh_seeds, mutations.glb_of, _FILE, memory=3072),
    "ply": Parser(_splats, _splat_seeds, mutations.lines_of, _FILE, memory=3072),
    "texture": Parser(_textures, _texture_seeds, mutations.png_of, _FILE, memory=3072),
    # A worker is ended after 5 s of CPU, and its file refused: more is no finding here.
    "drawn": Parser(_drawn, _drawn_seeds, _spoilt, _FILE, memory=3072, seconds=60.0),
}
