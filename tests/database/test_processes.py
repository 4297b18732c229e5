"""Code server, daemon and webserver as three processes, each with a home of its own, against a real
PostgreSQL: what they do together, and what a read-only webserver refuses.

It takes half a minute of two cores, since each process imports Dagster and the definitions.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from resources.ports import free_ports
from simulators.histories import make_competition

pytestmark = pytest.mark.timeout(1500)

SECONDS = 600.0


@pytest.fixture
def ui(url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a read-only webserver, with the others beside it."""
    port, code = free_ports(2)
    repository = make_competition(tmp_path / "repo.git", rounds=2, miners=3, prompts=4)
    settings = {
        **os.environ,
        "DATABASE_URL": url.replace("postgresql+psycopg2", "postgres"),
        "COMPETITION_REPO": str(repository),
        "CODE_SERVER": f"127.0.0.1:{code}",
        "GEN404_OPERATE": "false",
        "SENSOR_SECONDS": "1",
    }
    processes = []
    for name, more in (
        ("code-server", []),
        ("daemon", []),
        ("webserver", ["--port", str(port), "--read-only"]),
    ):
        with (tmp_path / f"{name}.log").open("wb") as log:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "gen404_assets.commands.cli", "start", name, *more],
                    env={**settings, "GEN404_HOME": str(tmp_path / name)},
                    stdout=log,
                    stderr=log,
                )
            )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)
        for log_file in tmp_path.glob("*.log"):
            print(log_file.name, log_file.read_text()[-2000:])


def asked(ui: str, query: str) -> Any:
    return httpx2.post(f"{ui}/graphql", json={"query": query}, timeout=60).json()["data"]


def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while True:
        with suppress(httpx2.HTTPError):
            if so():
                return
        assert time.monotonic() < end
        time.sleep(0.5)


def test_three_processes_show_a_competition_and_the_public_changes_nothing(ui: str) -> None:
    rounds = '{ assetNodeOrError(assetKey: {path: ["schedule"]}) { ... on AssetNode { partitionKeys } } }'
    until(lambda: asked(ui, rounds)["assetNodeOrError"].get("partitionKeys") == ["0", "1"])
    allowed = asked(ui, "{ permissions { permission value } }")["permissions"]
    assert {each["permission"] for each in allowed} >= {"launch_pipeline_execution"}
    assert not any(each["value"] for each in allowed)
