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

from gpu import pool as pools
from gpu.faults import Refused, RendererDown
from gpu.pool import Pool
from gpu.warmup import ply
from tests.rendering.files import gaussians, mesh


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
    """The worker processes of this one."""
    tasks = Path("/proc/self/task").iterdir()
    children = {int(child) for task in tasks for child in (task / "children").read_text().split()}
    found = set()
    for child in children:
        with suppress(OSError):  # it has just ended
            if b"gpu.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(child)
    return found


def test_the_same_file_has_the_same_bytes_whatever_came_before(pool: Pool, good: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.ply"
    other.write_bytes(ply(gaussians(500)))
    first, second = pool.render(good, "glb"), pool.render(other, "ply")
    for kind, file, picture in (("ply", other, second), ("glb", good, first), ("glb", good, first)):
        assert pool.render(file, kind) == picture
    assert pool.render(good, "glb-draft") != first


def test_a_worker_draws_many_files(pool: Pool, good: Path) -> None:
    pool.render(good, "glb")
    before = workers()
    pool.render(good, "glb")
    assert workers() == before


def test_g1_a_worker_ended_from_outside_costs_no_picture(own_pool: Pool, good: Path) -> None:
    others = workers()
    picture = own_pool.render(good, "glb")
    (process,) = workers() - others
    os.kill(process, signal.SIGKILL)
    assert own_pool.render(good, "glb") == picture
    assert process not in workers()


def test_g1_workers_ended_each_time_are_the_operators_trouble(own_pool: Pool, good: Path) -> None:
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


def test_g1_a_worker_that_cannot_start_is_no_verdict_on_a_file(good: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "empty"
    nowhere.mkdir()
    pool = Pool(1, {"LD_LIBRARY_PATH": str(nowhere), "__EGL_VENDOR_LIBRARY_DIRS": str(nowhere)})
    with pytest.raises(RendererDown, match="can't start"):
        pool.render(good, "glb")


def test_g1_a_missing_file_is_no_verdict(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(RendererDown, match="can't be opened"):
        pool.render(tmp_path / "gone.glb", "glb")


def test_g21_a_pipe_for_a_file_is_not_waited_for(pool: Pool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.glb")
    with pytest.raises(RendererDown, match="isn't a file"):
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
from gpu.pool import Pool
pool = Pool(1)
pool.render({str(good)!r}, "glb")
(task,) = [task for task in os.listdir("/proc/self/task") if task == str(os.getpid())]
print(open(f"/proc/self/task/{{task}}/children").read(), flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    (worker,) = done.stdout.split()
    for _ in range(200):
        if not Path(f"/proc/{worker}/cmdline").exists() or not Path(f"/proc/{worker}/cmdline").read_bytes():
            return
        time.sleep(0.05)
    raise AssertionError("the worker goes on")
