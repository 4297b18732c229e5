"""A made-up competition, and a Dagster instance that knows nothing of it yet."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from simulators.histories import make_competition


@pytest.fixture
def competition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    path = make_competition(tmp_path / "repo.git", rounds=2, miners=5, prompts=8)
    monkeypatch.setenv("COMPETITION_REPO", str(path))
    return path


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
