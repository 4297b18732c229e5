from pathlib import Path

import pytest

from gen404_assets.commands.cli import main


@pytest.fixture(scope="session")
def written(honest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a made-up competition, written without a host."""
    folder = tmp_path_factory.mktemp("report")
    assert main(["report", str(honest), "-o", str(folder)]) == 0
    return folder
