"""`gen404 render`: a picture, or a sentence and an exit code that tell whose fault it is."""

from pathlib import Path

import pytest

from gpu.command import render
from gpu.workers.pool import Pool
from simulators.files_3d import mesh


def test_a_file_becomes_its_picture(pool: Pool, tmp_path: Path) -> None:
    file, out = tmp_path / "model.GLB", tmp_path / "out.png"
    file.write_bytes(mesh())
    assert render(file, out) == 0
    assert out.read_bytes() == pool.render(file, "glb")
    assert render(file, out, draft=True) == 0
    assert out.read_bytes() == pool.render(file, "glb-draft")


def test_a_bad_file_is_1_and_the_rest_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, out = tmp_path / "bad.ply", tmp_path / "out.png"
    bad.write_bytes(b"no splats")
    assert render(bad, out) == 1
    assert "isn't a PLY" in capsys.readouterr().err
    assert render(tmp_path / "model.obj", out) == 1
    assert "one of .glb, .ply" in capsys.readouterr().err
    assert render(tmp_path / "gone.glb", out) == 2
    assert "can't be opened" in capsys.readouterr().err
    assert not out.exists()
