"""How many pictures render services make together: a service of one worker, and then several behind
the client that the platform draws with (`RENDER_URL`, commas between).

    python -m bench.replicas [--replicas 1,2] [--pictures 24] [--rounds 3] [MESH SPLATS]

The numbers of replicas are measured in turn, round after round, so that what else the machine does
falls on all of them. Seconds of CPU are those of the services and all their processes. On a machine
that has other things to do they are what counts: a service of one worker makes a picture in so many
seconds of a core of its own. The baseline is one replica.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bench.render import MODELS, made_up_meshes, made_up_splats
from resources.ports import free_ports
from resources.renderer import Renderer, open_renderer

ROUND = 256 * 128
"""Files of a round of 256 miners with 128 prompts each."""
_READY_SECONDS = 1200.0


@dataclass(frozen=True)
class Drawn:
    """What so many pictures took: seconds by the clock, and of all services' processors."""

    pictures: int
    wall: float
    cpu: float


def main() -> None:
    """Print a row for each number of replicas, and what a whole round would take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="a mesh and splats")
    parser.add_argument("--replicas", default="1,2", help="numbers of replicas, such as 1,2,4")
    parser.add_argument("--pictures", type=int, default=24, help="by each replica, in each round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    numbers = [int(number) for number in options.replicas.split(",")]
    with tempfile.TemporaryDirectory() as folder, services(max(numbers)) as running:
        files = options.files or a_mesh_and_splats(Path(folder))
        drawn: dict[int, list[Drawn]] = {number: [] for number in numbers}
        for _ in range(options.rounds):
            for number in numbers:
                drawn[number].append(measured(running[:number], files, options.pictures * number))
    report(drawn)


def a_mesh_and_splats(folder: Path) -> list[Path]:
    """Of the models that lie beside the repository, or made up."""
    meshes, splats = sorted(MODELS.glob("*.glb")), sorted(MODELS.glob("*.ply"))
    return [(meshes or made_up_meshes(folder))[0], (splats or made_up_splats(folder))[0]]


@contextmanager
def services(number: int) -> Iterator[list["Service"]]:
    """So many render services of one worker each."""
    running = [Service(port) for port in free_ports(number)]
    try:
        for service in running:
            service.wait_until_ready()
        yield running
    finally:
        for service in running:
            service.process.terminate()
        for service in running:
            service.process.wait()


class Service:
    """A render service of one worker in a process of its own."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        command = [*(sys.executable, "-m", "gpu.services.render"), "--workers", "1"]
        self.process = subprocess.Popen([*command, "--port", str(port)])

    def wait_until_ready(self) -> None:
        until = time.monotonic() + _READY_SECONDS
        while time.monotonic() < until:
            try:
                if httpx2.get(f"{self.url}/health", timeout=60).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            time.sleep(0.2)
        raise TimeoutError(f"{self.url} is not ready after {_READY_SECONDS:g} s")

    def cpu(self) -> float:
        """Seconds of processors that it and all its processes, also those of before, have had."""
        return sum(_cpu(process) for process in _tree(self.process.pid))


def measured(running: Sequence[Service], files: Sequence[Path], pictures: int) -> Drawn:
    """So many pictures, of the files in turn, by the platform's own client."""
    renderer = open_renderer({"RENDER_URL": ",".join(service.url for service in running)})
    try:
        with ThreadPoolExecutor(2 * len(running)) as callers:
            list(callers.map(lambda file: _draw(renderer, file), files))
            cpu, began = sum(service.cpu() for service in running), time.perf_counter()
            wanted = [files[number % len(files)] for number in range(pictures)]
            list(callers.map(lambda file: _draw(renderer, file), wanted))
            wall = time.perf_counter() - began
            return Drawn(pictures, wall, sum(service.cpu() for service in running) - cpu)
    finally:
        renderer.close()


def _draw(renderer: Renderer, file: Path) -> bytes:
    return renderer.render(file, file.suffix.removeprefix("."))


def report(drawn: dict[int, list[Drawn]]) -> None:
    print(f"{'replicas':>8}{'pictures/s':>12}{'x':>6}{'CPU s a picture':>17}{'hours a round':>15}")
    alone = 0.0
    for number, runs in drawn.items():
        speed = statistics.median(run.pictures / run.wall for run in runs)
        cost = statistics.median(run.cpu / run.pictures for run in runs)
        alone = alone or speed
        row = f"{number:>8}{speed:>12.2f}{speed / alone:>6.2f}{cost:>17.2f}"
        print(f"{row}{ROUND / speed / 3600:>15.1f}", flush=True)
    cost = statistics.median(run.cpu / run.pictures for runs in drawn.values() for run in runs)
    print(f"by CPU: {ROUND * cost / 3600:.1f} core-hours for 256 miners with 128 prompts")


def _tree(process: int) -> list[int]:
    """A process and all that it has started that live."""
    tree = [process]
    for each in tree:
        for thread in Path(f"/proc/{each}/task").glob("*/children"):
            tree += map(int, _read(thread).split())
    return tree


def _cpu(process: int) -> float:
    """Seconds of CPU of a process and of its children that have ended."""
    fields = _read(Path(f"/proc/{process}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


if __name__ == "__main__":
    main()
