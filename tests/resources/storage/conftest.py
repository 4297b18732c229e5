"""Where a file of these tests is downloaded to."""

from pathlib import Path

import pytest


@pytest.fixture
def to(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files" / "chair.glb"
