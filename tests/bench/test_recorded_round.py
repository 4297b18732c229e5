"""The benchmarks that take a history run on the recorded one, as in a clone without anything
beside it.
"""

import subprocess
import sys

import pytest

from simulators.recording import RECORDED


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["bench.regenerate", "--history", str(RECORDED), "--miners", "6"], "after 3 recorded"),
        (["bench.replay", str(RECORDED)], "ratio"),
    ],
)
def test_a_benchmark_runs_on_the_recorded_rounds(command: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert len(done.stdout.splitlines()) >= 2
