"""Our own render service when more is asked of it than it has workers: whoever is turned away waits
for room, over real HTTP.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gpu.faults import RendererDown
from gpu.picture_size import SIDE
from gpu.services.connections import SERVED
from gpu.services.render import create_app
from gpu.views import grid, png
from resources.renderer import RenderService, RenderServices
from resources.replicas import Busy, Replicas
from simulators.files_3d import mesh

PICTURE = png(grid([np.zeros((SIDE, SIDE, 3), np.uint8)] * 4))


class TwoWorkers:
    """What the service draws with, as `gpu.workers.pool.Pool`: two files at a time, `seconds` each;
    further ones wait. With `down`, it can't draw."""

    size = 2

    def __init__(self, seconds: float, *, down: bool = False) -> None:
        self.seconds, self.down, self.begun, self.drawn = seconds, down, 0, 0
        self.batches: list[str | None] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self._free = threading.BoundedSemaphore(self.size)

    def render(self, _file: Any, _kind: str, batch: str | None) -> bytes:
        self.batches.append(batch)
        if self.down:
            raise RendererDown("no OpenGL")
        self.begun += 1
        with self._free:
            time.sleep(self.seconds)
            assert self.go_on.wait(120)
            self.drawn += 1
            return PICTURE


@contextmanager
def serving(pool: TwoWorkers) -> Iterator[str]:
    """The URL of the real service around it."""
    app = create_app(pool)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", **SERVED))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        host, port = server.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "model.glb"
    file.write_bytes(mesh())
    return file


def test_ten_downloads_at_once_wait_for_a_service_of_two_workers(file: Path) -> None:
    """120 files: it once took 20 runs of the collection and two hours of back-off."""
    pool = TwoWorkers(0.05)
    with serving(pool) as url, ThreadPoolExecutor(10) as downloads:
        service = RenderService(url)
        pictures = list(downloads.map(lambda _: service.render(file, "glb"), range(120)))
        service.close()
    assert pictures == [PICTURE] * 120
    assert pool.drawn == 120


def test_g21_the_service_is_told_which_files_are_one_miners(tmp_path: Path) -> None:
    pool = TwoWorkers(0)
    names = ["a/5Miner-one.glb", "a/5Miner-two.glb", "a/5Other-one.glb", "b/5Miner-one.glb"]
    with serving(pool) as url, closing(RenderService(url)) as service:
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(mesh())
            service.render(tmp_path / name, "glb")
    first, second, other, elsewhere = pool.batches
    assert first == second
    assert len({first, other, elsewhere, None}) == 4


def test_a_service_that_stays_busy_is_given_up_in_time(file: Path) -> None:
    pool = TwoWorkers(0)
    pool.go_on.clear()
    with (
        serving(pool) as url,
        closing(RenderService(url)) as busy,
        closing(RenderService(url, patience=0)) as impatient,
        ThreadPoolExecutor(7) as others,
    ):
        under_way = [others.submit(busy.render, file, "glb") for _ in range(6)]
        while pool.begun < 6:
            time.sleep(0.01)
        with pytest.raises(InfrastructureFault, match="has been busy for 0 s"):
            impatient.render(file, "glb")
        pool.go_on.set()
        assert all(each.result() == PICTURE for each in under_way)


def test_a_renderer_out_of_order_is_not_waited_for(file: Path) -> None:
    began = time.monotonic()
    with (
        serving(TwoWorkers(0, down=True)) as url,
        closing(RenderService(url)) as service,
        pytest.raises(InfrastructureFault, match="answers 503"),
    ):
        service.render(file, "glb")
    assert time.monotonic() - began < 10


def test_files_go_to_whichever_replica_has_room(file: Path) -> None:
    """A fast and a slow service, each of two workers, and ten downloads."""
    fast, slow = TwoWorkers(0.01), TwoWorkers(0.2)
    with (
        serving(fast) as first,
        serving(slow) as second,
        closing(replicas(first, second)) as renderer,
        ThreadPoolExecutor(10) as downloads,
    ):
        pictures = list(downloads.map(lambda _: renderer.render(file, "glb"), range(40)))
    assert pictures == [PICTURE] * 40
    assert fast.drawn + slow.drawn == 40
    assert fast.drawn > 0
    assert slow.drawn > 0


def test_a_replica_that_is_out_of_order_costs_no_file(file: Path) -> None:
    well, broken = TwoWorkers(0.01), TwoWorkers(0.01, down=True)
    with (
        serving(broken) as first,
        serving(well) as second,
        closing(replicas(first, "http://127.0.0.1:9", second)) as renderer,
    ):
        assert [renderer.render(file, "glb") for _ in range(6)] == [PICTURE] * 6
    assert well.drawn == 6


def test_where_every_replica_fails_each_is_named(file: Path) -> None:
    broken = TwoWorkers(0.01, down=True)
    with (
        serving(broken) as url,
        closing(replicas(url, "http://127.0.0.1:9")) as renderer,
        pytest.raises(InfrastructureFault, match=r"127\.0\.0\.1:9: no picture") as fault,
    ):
        renderer.render(file, "glb")
    assert f"{url}: no picture: the render service answers" in str(fault.value)


def test_a_bad_file_is_bad_whichever_replica_says_so(file: Path) -> None:
    file.write_bytes(b"no model")
    asked = []

    class Judging:
        address = "a"

        def render(self, path: Path, output_format: str) -> bytes:
            asked.append(path)
            raise MinerFault(f"not a {output_format}")

        def close(self) -> None: ...

    with pytest.raises(MinerFault, match="not a glb"):
        Replicas([Judging(), Judging()]).ask(lambda service: service.render(file, "glb"))
    assert len(asked) == 1


def test_replicas_that_stay_busy_are_given_up_after_a_time(file: Path) -> None:
    class Full:
        address = "a"

        def render(self, path: Path, output_format: str) -> bytes:
            raise Busy(f"{path} {output_format}", 60.0)

        def close(self) -> None: ...

    with pytest.raises(InfrastructureFault, match="all of a have been busy for 30 s"):
        Replicas([Full()], patience=30.0).ask(lambda service: service.render(file, "glb"))


def replicas(*urls: str) -> RenderServices:
    return RenderServices([RenderService(url, patience=0) for url in urls])
