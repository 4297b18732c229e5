"""`gen404 up` ends when it is told to, whatever it is doing, and leaves no process behind."""

import os
import signal
import time
from pathlib import Path

import pytest

from simulators.local_competition import LocalCompetition

SECONDS = 300.0


def commands(competition: LocalCompetition) -> list[bytes]:
    found = []
    for process in competition.left():
        try:
            found.append(Path(f"/proc/{process}/cmdline").read_bytes())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.mark.parametrize(
    ("during", "how"), [(b"weed", signal.SIGINT), (b"local_network.miner", signal.SIGTERM)]
)
def test_a_local_network_that_is_told_to_end_while_it_starts_leaves_nothing(
    tmp_path: Path, during: bytes, how: signal.Signals
) -> None:
    competition = LocalCompetition(tmp_path / "home", settings={"LOCAL_POOL": "24"})
    competition.start()
    assert competition.process is not None
    try:
        end = time.monotonic() + SECONDS
        while not any(during in command for command in commands(competition)):
            assert competition.process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(competition.process.pid, how)
        assert competition.process.wait(SECONDS) in {0, 2}  # 0: the platform had begun
        end_said = (competition.home / "up.log").read_text().splitlines()[-1]
        assert end_said in {"stopping", "gen404: stopped"}
        while left := commands(competition):
            assert time.monotonic() < end, left
            time.sleep(0.1)
    finally:
        competition.kill()
