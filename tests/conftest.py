"""Made-up competitions that several tests look at."""

import shutil
from pathlib import Path

import pytest

from tests.made_up import make_competition
from tests.tampering import Tampered


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_competition(tmp_path_factory.mktemp("honest") / "repository")


@pytest.fixture
def tampered(honest: Path, tmp_path: Path) -> Tampered:
    return Tampered(Path(shutil.copytree(honest, tmp_path / "repository")))
