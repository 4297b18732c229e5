"""Code server, daemon and a webserver for the public as three processes that share nothing but a
real PostgreSQL: what they do together, and that the public can change nothing.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from resources.ports import free_ports
from simulators.histories import make_competition

SECONDS = 1500.0
"""All three import Dagster and the definitions: half a minute on two idle cores."""

pytestmark = pytest.mark.timeout(2 * SECONDS)

TICKS = """{ sensorOrError(sensorSelector: {
    repositoryName: "__repository__",
    repositoryLocationName: "gen404_assets.definitions",
    sensorName: "mirror"
}) { ... on Sensor { sensorState { ticks { status } } } } }"""
STOP = '{ stopSensor(id: "mirror") { __typename } }'


@pytest.fixture
def public(url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of the public's webserver."""
    port, code = free_ports(2)
    repository = make_competition(tmp_path / "repo.git", rounds=2, miners=3, prompts=4)
    settings = {
        **os.environ,
        "DATABASE_URL": url,
        "COMPETITION_REPO": str(repository),
        "CODE_SERVER": f"127.0.0.1:{code}",
        "GEN404_OPERATE": "false",
    }
    processes = []
    for name, *options in (
        ("code-server",),
        ("daemon",),
        ("webserver", "--port", str(port), "--read-only"),
    ):
        command = [sys.executable, "-m", "gen404_assets.commands.cli", "start", name, *options]
        environment = {**settings, "GEN404_HOME": str(tmp_path / name)}
        with (tmp_path / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        processes.append(process)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        for log_file in tmp_path.glob("*.log"):
            print(log_file.name, log_file.read_text()[-2000:])


def answer(ui: str, query: str) -> Any:
    return httpx2.post(f"{ui}/graphql", json={"query": query}, timeout=60).json()


def ticks(ui: str) -> set[str]:
    """How the ticks of the sensor `mirror` ended, as the UI shows them; none while the processes
    start.
    """
    with suppress(httpx2.HTTPError):
        sensor = (answer(ui, TICKS).get("data") or {}).get("sensorOrError") or {}
        return {tick["status"] for tick in (sensor.get("sensorState") or {}).get("ticks", [])}
    return set()


def test_three_processes_look_at_a_competition_that_the_public_can_t_change(public: str) -> None:
    end = time.monotonic() + SECONDS
    # The daemon has asked the code server for them; skipped is one that waits for git.
    while not ticks(public) & {"SUCCESS", "SKIPPED"}:
        assert time.monotonic() < end
        time.sleep(2)
    refused = answer(public, f"mutation {STOP}")
    assert "not configured to execute mutation" in str(refused["errors"])
    assert not refused.get("data")
