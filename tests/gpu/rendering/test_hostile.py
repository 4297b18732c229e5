"""Whatever a miner sends, it costs its own picture and nobody else's, and ends: the limit is 5 s
of CPU, and by the clock that of every test.
"""

import re
from pathlib import Path

import pytest

from gpu.faults import Refused
from gpu.workers.pool import Pool
from simulators.files_3d import mesh
from simulators.hostile_files import all_cases

CASES = all_cases()
ENDED = re.compile("s to show the file|MiB of memory|breaks the renderer|no picture")
"""Reasons that no worker gives: it was ended, or died."""


def test_there_are_many() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
def test_g21_a_hostile_file_costs_its_own_picture_alone(
    name: str, pool: Pool, tmp_path: Path
) -> None:
    case = CASES[name]
    file = tmp_path / "file"
    file.write_bytes(case.content)
    refused = ""
    if case.reason is None:
        assert pool.render(file, case.kind).startswith(b"\x89PNG")
    else:
        with pytest.raises(Refused) as refusal:
            pool.render(file, case.kind)
        refused = str(refusal.value)
        assert re.search(case.reason, refused)
        assert re.fullmatch(r"[^\n]{10,300}", refused)
    if ENDED.search(refused):
        draw_a_good_file(pool, tmp_path)


def test_g21_after_all_of_them_the_next_file_is_drawn(pool: Pool, tmp_path: Path) -> None:
    draw_a_good_file(pool, tmp_path)


def draw_a_good_file(pool: Pool, folder: Path) -> None:
    good = folder / "good"
    good.write_bytes(mesh())
    assert pool.render(good, "glb-draft").startswith(b"\x89PNG")
