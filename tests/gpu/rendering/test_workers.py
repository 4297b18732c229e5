"""Who is to blame when a worker ends: the file that broke it, or whoever ended it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from gpu.faults import Refused, RendererDown
from gpu.workers import pool as pools
from gpu.workers.pool import Pool
from gpu.workers.warmup import ply
from simulators.files_3d import gaussians, mesh


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "good.glb"
    file.write_bytes(mesh())
    return file


@pytest.fixture
def own_pool() -> Iterator[Pool]:
    pool = Pool(1)
    yield pool
    pool.close()


def workers() -> set[int]:
    """The processes of pools of this one: templates, what keeps their namespaces, and workers."""
    found: set[int] = set()
    new = {os.getpid()}
    while new:
        new = {child for process in new for child in _children(process)} - found
        found |= new
    return {process for process in found if b"gpu.workers.template" in _command(process)}


def _children(process: int) -> Iterator[int]:
    with suppress(OSError):  # it has just ended
        for task in Path(f"/proc/{process}/task").iterdir():
            yield from map(int, (task / "children").read_text().split())


def _command(process: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def test_the_same_file_has_the_same_bytes_whatever_came_before(
    pool: Pool, good: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.ply"
    other.write_bytes(ply(gaussians(500)))
    first, second = pool.render(good, "glb"), pool.render(other, "ply")
    for kind, file, picture in (("ply", other, second), ("glb", good, first), ("glb", good, first)):
        assert pool.render(file, kind) == picture
    assert pool.render(good, "glb-draft") != first


def test_no_worker_is_left_after_its_file(pool: Pool, good: Path) -> None:
    pool.render(good, "glb")
    before = workers()
    pool.render(good, "glb")
    assert workers() == before


def test_g01_a_template_ended_from_outside_costs_no_picture(own_pool: Pool, good: Path) -> None:
    others = workers()
    picture = own_pool.render(good, "glb")
    processes = workers() - others
    os.kill(max(processes), signal.SIGKILL)
    assert own_pool.render(good, "glb") == picture
    assert not processes & workers()


def test_g01_workers_ended_each_time_are_the_operators_trouble(own_pool: Pool, good: Path) -> None:
    ending, others = threading.Event(), workers()

    def end_them() -> None:
        while not ending.is_set():
            for process in workers() - others:
                os.kill(process, signal.SIGKILL)
            time.sleep(0.005)

    killer = threading.Thread(target=end_them)
    killer.start()
    try:
        with pytest.raises(RendererDown):
            own_pool.render(good, "glb")
    finally:
        ending.set()
        killer.join()
    assert own_pool.render(good, "glb").startswith(b"\x89PNG")


def test_g01_a_worker_that_cannot_start_is_no_verdict_on_a_file(good: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "empty"
    nowhere.mkdir()
    pool = Pool(1, {"LD_LIBRARY_PATH": str(nowhere), "__EGL_VENDOR_LIBRARY_DIRS": str(nowhere)})
    with pytest.raises(RendererDown, match="can't start"):
        pool.render(good, "glb")


def test_g01_a_machine_that_starts_no_process_is_no_verdict_and_nothing_waits_for_it(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    pool = Pool(1)
    try:
        for _ in range(2):
            with pytest.raises(RendererDown, match="a worker can't be started"):
                pool.render(good, "glb")
    finally:
        pool.close()


def test_g01_a_missing_file_is_no_verdict(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(RendererDown, match="can't be opened"):
        pool.render(tmp_path / "gone.glb", "glb")


def test_g21_a_pipe_for_a_file_is_not_waited_for(pool: Pool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.glb")
    with pytest.raises(RendererDown, match="isn't a regular file"):
        pool.render(tmp_path / "pipe.glb", "glb")


def test_a_file_over_the_limit_is_not_read(pool: Pool, tmp_path: Path) -> None:
    with (tmp_path / "large.glb").open("wb") as file:
        file.truncate(200 * 2**20 + 1)
    with pytest.raises(Refused, match="more than"):
        pool.render(tmp_path / "large.glb", "glb")


def test_g12_all_workers_busy_is_said_in_time(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "WAIT_SECONDS", 0.01)
    pool = Pool(1)
    with ThreadPoolExecutor(1) as others:
        slow = others.submit(pool.render, good, "glb")
        time.sleep(0.3)  # while its worker starts
        with pytest.raises(RendererDown, match="busy"):
            pool.render(good, "glb")
        assert slow.result().startswith(b"\x89PNG")
    pool.close()
    with pytest.raises(RendererDown, match="closed"):
        pool.render(good, "glb")


def test_workers_end_with_the_process_that_has_them(good: Path) -> None:
    code = f"""
import os
from gpu.workers.pool import Pool
pool = Pool(1)
pool.render({str(good)!r}, "glb")
(task,) = [task for task in os.listdir("/proc/self/task") if task == str(os.getpid())]
print(open(f"/proc/self/task/{{task}}/children").read(), flush=True)
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    )
    (worker,) = done.stdout.split()
    for _ in range(1200):
        if (
            not Path(f"/proc/{worker}/cmdline").exists()
            or not Path(f"/proc/{worker}/cmdline").read_bytes()
        ):
            return
        time.sleep(0.05)
    raise AssertionError("the worker goes on")


def test_a_gpu_that_cannot_draw_splats_keeps_no_mesh_from_being_drawn(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where torch sees a GPU and gsplat's kernels were never compiled: health says so, and what to
    run.
    """
    packages = tmp_path / "packages"
    for name, content in {
        "torch/__init__.py": "class cuda:\n    is_available = staticmethod(lambda: True)\n"
        "    get_device_name = staticmethod(lambda: 'NVIDIA H200')\n",
        "gsplat/__init__.py": "",
        "torch-2.13.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\n",
        "gsplat-1.5.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: gsplat\nVersion: 1.5.3\n",
    }.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(content)
    python = tmp_path / "python"
    start = "import runpy, sys; sys.path.insert(0, sys.argv[1]); del sys.argv[1:4]; "
    start += "runpy.run_module('gpu.workers.template', run_name='__main__')"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{start}" {packages} "$@"\n')
    python.chmod(0o755)
    splats = tmp_path / "splats.ply"
    splats.write_bytes(ply(gaussians(50)))
    monkeypatch.setattr(sys, "executable", str(python))
    pool = Pool(1, {**os.environ, "TORCH_EXTENSIONS_DIR": str(tmp_path)})
    try:
        health = pool.health()
        assert health["cuda"] == "NVIDIA H200"
        assert "gen404 warm-up" in health["splats_fault"]
        assert pool.render(good, "glb", "a miner").startswith(b"\x89PNG")
        with pytest.raises(RendererDown, match="gen404 warm-up"):
            pool.render(splats, "ply", "a miner")
        assert pool.render(good, "glb", "a miner").startswith(b"\x89PNG")
    finally:
        pool.close()


def test_the_first_request_is_served_while_the_pool_starts(good: Path) -> None:
    others = workers()
    pool = Pool(2)
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(pool.start)
        while not workers() - others:
            time.sleep(0.01)
        assert pool.render(good, "glb").startswith(b"\x89PNG")
        starting.result()
    pool.close()
    assert not workers() - others


def test_a_pool_that_is_closed_waits_for_no_template_that_is_starting() -> None:
    pool = Pool(1)
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(pool.start)
        while not pool._supply._starting:
            time.sleep(0.01)
        pool.close()
        with pytest.raises(RendererDown, match="can't start"):
            starting.result(5)
