"""Code server, daemon, a webserver for the public and the monitor as four processes that share
nothing but a real PostgreSQL: what they do together, that the public can change nothing, and what
the monitor knows of the others.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from resources.ports import free_ports
from simulators.histories import make_competition

SECONDS = 1500.0
"""All import Dagster and the definitions: half a minute on two idle cores."""

pytestmark = pytest.mark.timeout(2 * SECONDS)

TICKS = """{ sensorOrError(sensorSelector: {
    repositoryName: "__repository__",
    repositoryLocationName: "gen404_assets.definitions",
    sensorName: "mirror"
}) { ... on Sensor { sensorState { ticks { status } } } } }"""
STOP = '{ stopSensor(id: "mirror") { __typename } }'


@dataclass(frozen=True)
class Apart:
    """The URLs of the public's webserver and of the monitor."""

    public: str
    monitor: str


@pytest.fixture
def apart(url: str, tmp_path: Path) -> Iterator[Apart]:
    """The processes, which end with the test."""
    port, code, watched = free_ports(3)
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
        ("monitor", "--port", str(watched)),
    ):
        command = [sys.executable, "-m", "gen404_assets.commands.cli", "start", name, *options]
        environment = {**settings, "GEN404_HOME": str(tmp_path / name)}
        with (tmp_path / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        processes.append(process)
    try:
        yield Apart(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{watched}")
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


def test_processes_apart_look_at_a_competition_that_the_public_can_t_change(apart: Apart) -> None:
    public = apart.public
    end = time.monotonic() + SECONDS
    # The daemon has asked the code server for them; skipped is one that waits for git.
    while not ticks(public) & {"SUCCESS", "SKIPPED"}:
        assert time.monotonic() < end
        time.sleep(2)
    refused = answer(public, f"mutation {STOP}")
    assert "not configured to execute mutation" in str(refused["errors"])
    assert not refused.get("data")
    while (health := health_of(apart.monitor))["status"] != "ok":
        assert time.monotonic() < end, health
        time.sleep(2)
    assert {each["name"]: each["state"] for each in health["processes"]} == {
        "code server": "up",
        "daemon": "up",
    }
    assert "mirror" in {sensor["name"] for sensor in health["sensors"]}
    assert "repository" in health, "seen by the code server, with a home of its own"
    figures = httpx2.get(f"{apart.monitor}/metrics", timeout=60).text
    assert 'gen404_process_up{process="daemon"} 1.0' in figures
    assert "gen404_round 2.0" in figures


def health_of(monitor: str) -> dict[str, Any]:
    """What the monitor says; nothing while it starts."""
    with suppress(httpx2.HTTPError):
        return dict(httpx2.get(f"{monitor}/healthz", timeout=60).json())
    return {"status": "no answer"}
