"""A wait that a crashed run has left behind hides nothing: what a person is told depends on how
long ago it was renewed, by a clock that nobody sets.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gen404_assets.competition.catalogue import Lane
from gen404_assets.live import waiting as module
from gen404_assets.live.sightings import CHAIN, REPOSITORY, Sightings
from gen404_assets.live.waiting import FORGOTTEN_AFTER, Waiting
from resources import elapsed
from resources.notes import FileNotes

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, in its one element."""
    now = [1000.0]
    monkeypatch.setattr("resources.elapsed.time.monotonic", lambda: now[0])
    return now


def test_an_outage_is_one_while_runs_renew_it(tmp_path: Path, steady: list[float]) -> None:
    waiting = Waiting(FileNotes(tmp_path))
    assert waiting.begin(Lane.JUDGING, "503", NOW)
    for _ in range(100):
        steady[0] += FORGOTTEN_AFTER - 1
        assert not waiting.begin(Lane.JUDGING, "503", NOW)
    assert waiting.for_lane(Lane.JUDGING)


def test_a_wait_left_by_a_crash_does_not_hide_the_next_outage(
    tmp_path: Path, steady: list[float]
) -> None:
    Waiting(FileNotes(tmp_path)).begin(Lane.JUDGING, "503", NOW)
    steady[0] += FORGOTTEN_AFTER + 1
    later = Waiting(FileNotes(tmp_path))
    assert later.for_lane(Lane.JUDGING) is None
    assert later.all() == []
    assert later.begin(Lane.JUDGING, "503", NOW), "a person is told"


def test_a_wait_of_before_the_machine_started_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Waiting(FileNotes(tmp_path)).begin(Lane.JUDGING, "503", NOW)
    monkeypatch.setattr(elapsed, "_boot", lambda: "another start")
    assert Waiting(FileNotes(tmp_path)).for_lane(Lane.JUDGING) is None


def test_a_file_of_an_older_platform_or_a_torn_one_is_no_wait(tmp_path: Path) -> None:
    path = tmp_path / "waiting" / f"{Lane.JUDGING}.json"
    path.parent.mkdir()
    for content in ('{"for": "503", "since": "2026-01-05"}', "{", '["x"]', '{"renewed": "x y"}'):
        path.write_text(content)
        assert Waiting(FileNotes(tmp_path)).for_lane(Lane.JUDGING) is None
        assert Waiting(FileNotes(tmp_path)).begin(Lane.JUDGING, "502", NOW)
        path.unlink()


def test_what_can_not_be_seen_is_known_to_other_processes_with_its_age(
    tmp_path: Path, steady: list[float]
) -> None:
    sightings = Sightings(FileNotes(tmp_path))
    sightings.saw(REPOSITORY, "abc")
    sightings.saw(CHAIN, "7")
    steady[0] += 90
    sightings.failed(CHAIN, "no answer yet")
    sightings.failed(CHAIN, "connection refused")
    read = Sightings(FileNotes(tmp_path))
    assert read.latest() == {
        "repository": {"seen": "abc", "age": 90.0},
        "chain": {"seen": "7", "age": 90.0},
    }
    (wait,) = read.waits()
    assert wait.startswith("chain: connection refused, since 20")
    assert wait.endswith("(2 times)")
    sightings.saw(CHAIN, "8")
    assert read.waits() == []
    assert json.loads((tmp_path / "sightings" / "chain.json").read_text())["seen"] == "8"
    assert module.FORGOTTEN_AFTER > 600, "longer than the longest wait between two runs"
