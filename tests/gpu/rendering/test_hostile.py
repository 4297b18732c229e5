"""Whatever a miner sends, it costs its own picture and nobody else's."""

import re
import time
from pathlib import Path

import pytest

from gpu.faults import Refused
from gpu.workers.pool import Pool
from simulators.files_3d import mesh
from simulators.hostile_files import all_cases

CASES = all_cases()


def test_there_are_many() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
def test_g21_a_hostile_file_costs_its_own_picture_alone(
    name: str, pool: Pool, tmp_path: Path
) -> None:
    case = CASES[name]
    file, good = tmp_path / "file", tmp_path / "good"
    file.write_bytes(case.content)
    good.write_bytes(mesh())
    began = time.monotonic()
    if case.reason is None:
        assert pool.render(file, case.kind).startswith(b"\x89PNG")
    else:
        with pytest.raises(Refused) as refusal:
            pool.render(file, case.kind)
        assert re.search(case.reason, str(refusal.value))
        assert re.fullmatch(r"[^\n]{10,300}", str(refusal.value))
    assert (
        time.monotonic() - began < 60
    )  # the limit is 5 s of CPU; the machine may have other things to do
    assert pool.render(good, "glb-draft").startswith(b"\x89PNG")
