"""The parsers of miners' 3D files and their textures."""

from collections.abc import Callable

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
    return named([*made, *case_files("glb/*"), *shared_files("models/*.glb", 60_000)])


def _splats() -> Callable[[str, bytes], object]:
    from gpu.splats.ply import read_splats

    return lambda _, data: read_splats(memoryview(data))


def _splat_seeds() -> list[Seed]:
    from gpu.workers.warmup import ply
    from simulators.files_3d import gaussians

    return named([ply(gaussians(8)), ply(gaussians(40)), *case_files("ply/*")])


def _textures() -> Callable[[str, bytes], object]:
    from gpu.meshes.textures import decode, pixels

    def parse(_: str, data: bytes) -> object:
        size = pixels(memoryview(data))
        if size > 4_000_000:
            return None  # as many as that are decoded in the tests; here they would only take time
        return decode(memoryview(data))

    return parse


def _texture_seeds() -> list[Seed]:
    import io

    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (9, 7, 4), np.uint8)
    files = []
    kinds = [(mode, "PNG") for mode in ("RGBA", "RGB", "L", "P", "1", "LA", "I;16")]
    kinds += [("RGB", "JPEG"), ("L", "JPEG"), ("RGB", "WEBP"), ("RGBA", "WEBP")]
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
    return named(files)


_FILE = ("Refused", "MemoryError")  # what a worker answers with a reason

PARSERS = {
    "glb": Parser(_meshes, _mesh_seeds, mutations.glb_of, _FILE, memory=3072),
    "ply": Parser(_splats, _splat_seeds, mutations.lines_of, _FILE, memory=3072),
    "texture": Parser(_textures, _texture_seeds, mutations.png_of, _FILE, memory=3072),
}
