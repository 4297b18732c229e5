"""What only a GPU can show: that gsplat draws there what the CPU draws, in sandboxed workers that
compile nothing.

`bash bench/gpu_check.sh` has the kernels compiled and runs these.
"""

import io
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gpu.faults import Refused, RendererDown
from gpu.splats.cpu import draw_splats
from gpu.splats.cuda import CudaSplats, device
from gpu.splats.ply import Splats, read_splats
from gpu.workers.pool import Pool
from gpu.workers.warmup import ply
from simulators.files_3d import gaussians, mesh

MODELS = Path(__file__).parents[4] / "shared/models"


def _gpu() -> bool:
    try:
        return device() is not None
    except RendererDown:
        return False


pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not _gpu(), reason="no GPU that torch sees"),
    pytest.mark.filterwarnings("default"),  # theirs
]


@pytest.fixture(scope="module")
def drawing() -> CudaSplats:
    return CudaSplats(os.environ)


@pytest.fixture(scope="module")
def workers() -> Iterator[Pool]:
    """Two workers whose environment has no compiler in it."""
    without = {name: value for name, value in os.environ.items() if name not in ("CUDA_HOME", "CC")}
    pool = Pool(2, without | {"PATH": "/nowhere"})
    yield pool
    pool.close()


def splats(count: int = 5000, larger: float = 0) -> Splats:
    values = gaussians(count)
    values[:, 7:10] += 2 + larger
    return read_splats(memoryview(ply(values)))


def decibels(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    error = ((one.astype(np.float64) - other.astype(np.float64)) ** 2).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def test_a_gpu_draws_what_the_cpu_draws_and_the_same_bits_each_time(drawing: CudaSplats) -> None:
    some = splats()
    first = drawing.draw(some)
    for ours, theirs in zip(draw_splats(some), first, strict=True):
        assert decibels(ours, theirs) > 50
    assert all(np.array_equal(*pair) for pair in zip(first, drawing.draw(some), strict=True))


def test_what_is_too_much_is_refused_and_the_next_file_drawn(drawing: CudaSplats) -> None:
    with pytest.raises(Refused, match="can't be drawn"):
        drawing.draw(splats(1_000_000, larger=5))
    assert len(drawing.draw(splats())) == 4


def test_a_worker_only_loads(workers: Pool) -> None:
    began = time.monotonic()
    workers.start()
    assert time.monotonic() - began < 60
    health = workers.health()
    assert health["cuda"]
    assert health["splats_fault"] is None


def test_workers_draw_both_kinds_side_by_side(workers: Pool, tmp_path: Path) -> None:
    files = {"glb": tmp_path / "mesh.glb", "ply": tmp_path / "splats.ply"}
    files["glb"].write_bytes(mesh())
    files["ply"].write_bytes(ply(gaussians(20_000)))
    kinds = ["glb", "ply"] * 10
    with ThreadPoolExecutor(2) as callers:
        pictures = list(callers.map(lambda kind: (kind, workers.render(files[kind], kind)), kinds))
    assert len(set(pictures)) == 2  # each file's bytes are the same from every worker


@pytest.mark.parametrize("name", ["hamburger", "monkey"])
def test_a_picture_is_the_competitions(name: str, workers: Pool) -> None:
    if not MODELS.exists():
        pytest.skip("no models to compare with")
    picture = workers.render(MODELS / f"{name}.ply", "ply")
    drawn, expected = (
        np.asarray(Image.open(file).convert("RGB"))
        for file in (io.BytesIO(picture), MODELS / "expected" / f"{name}.png")
    )
    assert decibels(drawn, expected) > 80
