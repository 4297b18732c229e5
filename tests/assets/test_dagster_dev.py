"""What a Dagster user types first in a clone, `dagster dev`, works and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from resources.ports import free_ports

ROOT = Path(__file__).parents[2]
CLONED = ("gen404_assets", "gpu", "resources", "sensors")
CONFIGURATION = (".gitignore", "dagster.yaml", "pyproject.toml", "workspace.yaml")
SECONDS = 600
"""A busy machine takes minutes for what takes ten seconds otherwise."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The repository as a fresh clone has it."""
    clone = tmp_path / "clone"
    for folder in CLONED:
        shutil.copytree(ROOT / folder, clone / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in CONFIGURATION:
        shutil.copyfile(ROOT / file, clone / file)
    git(clone, "init", "-q")
    git(clone, "add", "-A")
    git(clone, "-c", "user.name=x", "-c", "user.email=x@example.invalid", "commit", "-qm", "clone")
    return clone


@dataclass(frozen=True)
class Dev:
    """A `dagster dev` that runs in the clone; its log is `dev.log` beside it."""

    port: int
    process: "subprocess.Popen[bytes]"

    def asked(self, query: str) -> Any:
        """What the UI's server answers, once it is there."""
        until = time.monotonic() + SECONDS
        url = f"http://127.0.0.1:{self.port}"
        while not _answers(url):
            assert self.process.poll() is None, "dagster dev has ended: its log says why"
            assert time.monotonic() < until
            time.sleep(0.5)
        answer = httpx2.post(f"{url}/graphql", json={"query": query}, timeout=SECONDS)
        return answer.json()["data"]


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/server_info", timeout=SECONDS).is_success
    except httpx2.TransportError:
        return False


@pytest.fixture
def dev(clone: Path) -> Iterator[Dev]:
    (port,) = free_ports(1)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"COMPETITION_REPO", "DAGSTER_HOME", "GEN404_HOME"}
    }
    with (clone.parent / "dev.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-p", str(port)],
            cwd=clone,
            env=environment | {"PYTHONPATH": str(clone), "HOME": str(clone.parent)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        yield Dev(port, process)
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS)
    assert not git(clone, "status", "--porcelain")
    assert not [path.name for path in clone.iterdir() if path.name.startswith(".tmp_dagster_home")]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.timeout(3 * SECONDS)
def test_a_plain_dagster_dev_uses_the_projects_settings_and_says_how_to_operate(
    clone: Path, dev: Dev
) -> None:
    instance = dev.asked("{ instance { info } }")["instance"]
    assert "telemetry:\n  enabled: false" in instance["info"]
    assets = dev.asked("{ assetNodes { assetKey { path } } }")["assetNodes"]
    assert {"path": ["matches_matrix"]} in [asset["assetKey"] for asset in assets]
    log = (clone.parent / "dev.log").read_text()
    assert "`gen404 up` runs a competition on this machine" in log
    assert "`gen404 browse REPO` looks at another" in log
    assert git(clone, "status", "--porcelain") == "", "nor while it runs"
