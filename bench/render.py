"""What a picture costs, beside the present way of making it (pyrender: extra `bench`), and how many
a worker makes.

`python -m bench.render [--workers 1,2,4,8] [FILE ...]`

CPU time is what counts on a machine that has other things to do; wall time is shown beside it. Each
number is the best of a few runs on warm processes. Without FILEs: the models of `../shared/models`
where there are some, and made-up ones.
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gpu.views import grid, png
from gpu.workers.pool import Pool
from gpu.workers.warmup import glb, ply

RUNS = 3
MODELS = Path(__file__).parents[2] / "shared/models"
THROUGHPUT = 24  # pictures


class PresentWay:
    """The present way, in a process of its own that stays warm."""

    def __init__(self, folder: Path) -> None:
        self._out = folder / "present.png"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.pyrender_way"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def draw(self, file: Path) -> tuple[float, float, bytes]:
        """Seconds of CPU and of wall, and the picture."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{file} {self._out}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        while not self._out.exists():
            time.sleep(0.01)
        time.sleep(0.05)
        cpu, wall = map(float, line.split())
        return cpu, wall, self._out.read_bytes()

    def close(self) -> None:
        self._process.communicate()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument(
        "--workers", type=counts, default=worker_counts(), help="pools to compare, such as 1,2,4,8"
    )
    parser.add_argument(
        "--throughput", action="store_true", help="only the pools: nothing is drawn in this process"
    )
    options = parser.parse_args()
    os.environ.setdefault("LP_NUM_THREADS", "0")  # as the workers have it
    with tempfile.TemporaryDirectory() as folder:
        files = options.files or [*sorted(MODELS.glob("*.glb")), *made_up_meshes(Path(folder))]
        splats = [*sorted(MODELS.glob("*.ply")), *made_up_splats(Path(folder))]
        if not options.throughput:
            meshes(files, Path(folder))
            print()
            gaussians(splats)
            print()
        throughput(files[0], splats[0], options.workers)


def meshes(files: Sequence[Path], folder: Path) -> None:
    """A row a mesh: the present way, and ours, faithful and as a draft, with the decibels between
    the pictures.
    """
    from bench.pyrender_way import available  # noqa: PLC0415
    from gpu.workers.rendering import Rendering  # noqa: PLC0415

    rendering = Rendering()
    rendering.warm_up()
    present = PresentWay(folder) if available() else None
    print(
        f"meshes on {rendering.meshes.device}; seconds of CPU (wall) a grid; x: how much less CPU"
    )
    ours = f"{'x':>6}{'dB':>7}"
    print(
        f"{'':28}{'present way':>16}{'faithful':>16}{ours}{'draft':>16}{ours}  load/draw/encode, "
        "faithful"
    )
    ratios: dict[str, list[float]] = {"glb": [], "glb-draft": []}
    for file in files:
        row = f"{file.name[:27]:28}"
        before = (
            min((present.draw(file) for _ in range(RUNS)), key=lambda run: run[0])
            if present
            else None
        )
        row += cost(*before[:2]) if before else f"{'-':>16}"
        for kind, values in ratios.items():
            cpu, wall, picture = best(partial(rendering.render, kind, content(file)))
            row += cost(cpu, wall)
            if before:
                values.append(before[0] / cpu)
                row += f"{values[-1]:6.1f}{decibels(before[2], picture):7.1f}"
            else:
                row += f"{'-':>6}{'-':>7}"
        print(
            row
            + "  "
            + "/".join(f"{1000 * share:.0f}" for share in shares(rendering, file))
            + " ms"
        )
    if present:
        present.close()
        medians = {kind: statistics.median(values) for kind, values in ratios.items()}
        print(
            f"median: faithful {medians['glb']:.1f} times less CPU, as a draft "
            f"{medians['glb-draft']:.1f}"
        )


def gaussians(files: Sequence[Path]) -> None:
    """A row a file of Gaussians."""
    from gpu.workers.rendering import Rendering  # noqa: PLC0415

    rendering = Rendering()
    rendering.warm_up()
    print(
        f"splats on {rendering.cuda or 'the CPU, one thread'}; seconds of CPU (wall) a grid, "
        "read/draw/encode"
    )
    for file in files:
        cpu, wall, _ = best(partial(rendering.render, "ply", content(file)))
        parts = "/".join(f"{1000 * share:.0f}" for share in splat_shares(rendering, file))
        print(f"{file.name[:27]:28}{cost(cpu, wall)}  {parts} ms")


def splat_shares(rendering: Any, file: Path) -> tuple[float, float, float]:
    """Seconds of wall time for reading, drawing (with a GPU: sending there and reading back as
    well) and encoding.
    """
    from gpu.splats.ply import read_splats  # noqa: PLC0415

    data = content(file)
    times = [time.perf_counter()]
    splats = read_splats(data)
    times.append(time.perf_counter())
    views = rendering.draw_splats(splats)
    times.append(time.perf_counter())
    png(grid(views))
    times.append(time.perf_counter())
    return times[1] - times[0], times[2] - times[1], times[3] - times[2]


def throughput(mesh: Path, splats: Path, sizes: Sequence[int]) -> None:
    """A row a pool: seconds until the first of its workers served and until all had started, and
    pictures a second of wall time, files of both kinds in turn; x: how many times those of the
    first pool."""
    print("throughput of sandboxed workers, both kinds in turn")
    print(f"{'workers':>7}{'first s':>9}{'all s':>7}{'pictures/s':>12}{'x':>6}")
    alone = 0.0
    for workers in sizes:
        pool, began = Pool(workers), time.perf_counter()
        with ThreadPoolExecutor(workers + 1) as callers:
            starting = callers.submit(pool.start)
            pool.health()
            first = time.perf_counter() - began
            starting.result()
            started = time.perf_counter() - began
            count = THROUGHPUT * workers // 2
            began = time.perf_counter()
            pictures = list(
                callers.map(pool.render, [mesh, splats] * count, ["glb", "ply"] * count)
            )
        speed = len(pictures) / (time.perf_counter() - began)
        alone = alone or speed
        print(
            f"{workers:>7}{first:>9.1f}{started:>7.1f}{speed:>12.1f}{speed / alone:>6.1f}",
            flush=True,
        )
        pool.close()


def worker_counts() -> list[int]:
    """1, 2, 4 and so on, up to as many as a pool has here."""
    return [2**power for power in range(Pool().size.bit_length())]


def counts(text: str) -> list[int]:
    return [int(count) for count in text.split(",")]


def content(file: Path) -> memoryview:
    return memoryview(file.read_bytes())


def cost(cpu: float, wall: float) -> str:
    return f"{cpu:8.3f} ({wall:.2f})"


def best(draw: Callable[[], bytes]) -> tuple[float, float, bytes]:
    """Seconds of CPU and of wall of the cheapest of a few runs, after one to warm up, and the
    picture.
    """
    picture = draw()
    runs = []
    for _ in range(RUNS):
        cpu, wall = time.process_time(), time.perf_counter()
        draw()
        runs.append((time.process_time() - cpu, time.perf_counter() - wall))
    return *min(runs), picture


def shares(rendering: Any, file: Path) -> tuple[float, float, float]:
    """Seconds of CPU for reading, drawing and encoding a mesh faithfully."""
    from gpu.meshes.mesh import read_mesh  # noqa: PLC0415

    times = [time.process_time()]
    model = read_mesh(content(file))
    times.append(time.process_time())
    views = rendering.meshes.draw(model)
    times.append(time.process_time())
    png(grid(views))
    times.append(time.process_time())
    return times[1] - times[0], times[2] - times[1], times[3] - times[2]


def decibels(one: bytes, other: bytes) -> float:
    """PSNR of two PNGs."""
    first, second = (
        np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), np.float64) for file in (one, other)
    )
    error = ((first - second) ** 2).mean()
    return float(10 * np.log10(255**2 / error)) if error else 99.0


def made_up_meshes(folder: Path) -> list[Path]:
    """Balls with bumps: of few triangles, with five textures of 2048 pixels a side, of 200,000 and
    of a million.
    """
    random = np.random.default_rng(404)
    noise = Image.fromarray(random.integers(0, 255, (64, 64, 3), np.uint8))
    file = io.BytesIO()
    noise.resize((2048, 2048), Image.Resampling.BICUBIC).save(file, "JPEG")
    made = []
    for name, triangles, picture in (
        ("small", 2_000, None),
        ("textured", 20_000, file.getvalue()),
        ("dense", 200_000, None),
        ("million", 1_000_000, None),
    ):
        made.append(folder / f"{name}.glb")
        made[-1].write_bytes(ball(triangles, picture))
    return made


def ball(triangles: int, picture: bytes | None) -> bytes:
    """A GLB of a ball with bumps; `picture` is used for five textures, five times over."""
    around = round((triangles / 2) ** 0.5)
    u, v = np.meshgrid(np.linspace(0, 1, around + 1), np.linspace(0, 1, around + 1))
    radius = 0.45 + 0.04 * np.sin(18 * np.pi * u) * np.sin(7 * np.pi * v)
    ring, height = radius * np.sin(np.pi * v), radius * np.cos(np.pi * v)
    places = np.stack(
        [ring * np.cos(2 * np.pi * u), height, ring * np.sin(2 * np.pi * u)], axis=-1
    ).reshape(-1, 3)
    normals = places / np.linalg.norm(places, axis=1)[:, None]
    first = (np.arange(around)[:, None] * (around + 1) + np.arange(around)).ravel()
    below = first + around + 1
    indices = np.concatenate(
        [np.stack([first, first + 1, below], 1), np.stack([first + 1, below + 1, below], 1)]
    )
    vectors = {"componentType": 5126, "count": len(places), "type": "VEC3"}
    bounds = {"min": places.min(axis=0).tolist(), "max": places.max(axis=0).tolist()}
    slots = [{"index": number} for number in range(5)] if picture else []
    names = ("baseColor", "metallicRoughness", "normal", "occlusion", "emissive")
    textures = {f"{name}Texture": slot for name, slot in zip(names, slots, strict=False)}
    metal: dict[str, Any] = {name: textures.pop(name) for name in list(textures)[:2]} | {
        "metallicFactor": 0.1
    }
    attributes = {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}
    header: dict[str, Any] = {
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 3, "material": 0}]}],
        "accessors": [
            {"bufferView": 0, **vectors, **bounds},
            {"bufferView": 1, **vectors},
            {"bufferView": 2, **vectors, "type": "VEC2"},
            {"bufferView": 3, "componentType": 5125, "count": indices.size, "type": "SCALAR"},
        ],
        "materials": [{"pbrMetallicRoughness": metal, **textures}],
        "textures": [{"source": number} for number in range(len(slots))],
        "images": [
            {"bufferView": 4 + number, "mimeType": "image/jpeg"} for number in range(len(slots))
        ],
    }
    arrays = (
        places.astype("<f4"),
        normals.astype("<f4"),
        np.stack([u, v], -1).astype("<f4"),
        indices.astype("<u4"),
    )
    views = [part.tobytes() for part in arrays] + [picture or b""] * len(slots)
    return glb({name: part for name, part in header.items() if part}, *views)


def made_up_splats(folder: Path) -> list[Path]:
    """Shells of 100,000 and of 268,000 Gaussians."""
    made = []
    for count in (100_000, 268_000):
        random = np.random.default_rng(count)
        values = random.normal(0, 1, (count, 14))
        values[:, :3] *= (
            random.uniform(0.9, 1, (count, 1)) / np.linalg.norm(values[:, :3], axis=1)[:, None]
        )
        values[:, 6] = values[:, 6] * 2 + 1
        values[:, 7:10] = values[:, 7:10] * 0.5 + np.log(0.008)
        made.append(folder / f"shell-{count}.ply")
        made[-1].write_bytes(ply(values))
    return made


if __name__ == "__main__":
    main()
