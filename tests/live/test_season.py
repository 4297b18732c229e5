"""A season over months: dates, weights, and what is kept, round after round.

The whole one, 100 rounds with 64 miners, is `python -m bench.season`.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gen404_assets.competition.settings import Rules
from gen404_assets.live.leftovers import forget_round
from gen404_assets.live.shared import shared_on_disk
from gen404_assets.replay.result import Finding
from gen404_assets.replay.rounds import replay_round
from simulators.reckoning import Ended, reckon
from simulators.season import GENESIS, Plan, Season, unlike_the_reckoning

WEEKLY = Plan(rounds=14, miners=3, late_every=4, late_days=9, days=7)
"""From December over the year's end and the leap day; three finalisations are nine days late."""


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Season]:
    with closing(Season(WEEKLY, tmp_path_factory.mktemp("season"))) as played:
        kept = []
        for _ in played.play():
            home = played.outside.home
            kept.append(sorted(path.name for path in home.rglob("*") if path.is_file()))
        assert kept == [[]] * WEEKLY.rounds
        yield played


def test_schedule_and_weights_of_a_season_are_what_the_rules_give_when_reckoned_by_hand(
    season: Season,
) -> None:
    assert unlike_the_reckoning(season) == []
    days = [season.outside.chain.block(start).time.date() for start in season.starts]
    assert {day.year for day in days} == {2027, 2028}
    assert days[-1] > datetime(2028, 2, 29, tzinfo=UTC).date()
    weights = [entry.weight for entry in season.leaders.root]
    assert weights.count(1.0) == 2
    assert weights.count(0.2) >= 1


def test_a_reckoning_that_is_one_day_off_is_noticed(season: Season) -> None:
    late = season.ends[3]
    season.ends[3] = replace(late, at=late.at - timedelta(days=9))
    try:
        assert unlike_the_reckoning(season)
    finally:
        season.ends[3] = late


def test_every_round_of_a_season_replays(season: Season) -> None:
    history = season.outside.repository.history()
    assert history.round_numbers == [*range(WEEKLY.rounds)]
    for number in history.round_numbers:
        reckoned = {file.finding for file in replay_round(history, number, Rules()).files}
        assert reckoned <= {Finding.IDENTICAL, Finding.NOT_DERIVABLE}


def test_starts_are_reckoned_day_by_day_over_a_leap_day_and_a_late_finalisation() -> None:
    config = {
        "first_evaluation_date": "2028-02-28",
        "round_start_time": "07:30:00",
        "round_duration_days": 1,
        "finalization_buffer_hours": 1.5,
        "weight_decay": 0.15,
        "weight_floor": 0.8,
        "hotkey": "founder",
        "code": ("founder/model", "f" * 40),
        "founder_weight": 1.0,
    }
    ends = [
        Ended(datetime(2028, 2, 28, 20, tzinfo=UTC)),
        Ended(datetime(2028, 2, 29, 20, tzinfo=UTC), ("a/model", "a" * 40), "a"),
        Ended(datetime(2028, 3, 4, 6, 0, 1, tzinfo=UTC)),  # 1.5 hours less a second are left
        Ended(datetime(2028, 3, 5, 20, tzinfo=UTC)),
    ]
    reckoned = reckon(config, GENESIS, datetime(2028, 1, 1, tzinfo=UTC), ends)
    starts = [GENESIS.timestamp() + 12 * block for block in reckoned.starts]
    days = [datetime.fromtimestamp(start + 12, UTC).strftime("%m-%d") for start in starts]
    assert days == ["02-28", "02-29", "03-01", "03-05", "03-06"]
    assert [(hotkey, float(weight)) for hotkey, weight, _ in reckoned.entries] == [
        ("founder", 1.0),
        ("founder", 0.85),
        ("a", 1.0),
        ("a", 0.85),
        ("a", 0.8),
    ]


def test_what_is_kept_of_rounds_that_are_past_goes_but_not_what_a_live_process_holds(
    tmp_path: Path,
) -> None:
    for name in (
        *("journals/miner-06-x.jsonl", "journals/miner-07-x.jsonl", "journals/miner-08-x.jsonl"),
        *("leases/miner-07-x.lock", "leases/miner-07-held.lock", "journals/miner-07-held.jsonl"),
        *("journals/miner-107-x.jsonl", "journals/notes"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with (tmp_path / "leases/miner-07-held.lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        forget_round(shared_on_disk(tmp_path), 7)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")) == [
        "journals/miner-07-held.jsonl",
        "journals/miner-08-x.jsonl",
        "journals/miner-107-x.jsonl",
        "leases/miner-07-held.lock",
    ]
    assert (tmp_path / "journals/notes").exists()


def test_temporary_folders_of_killed_processes_go_after_days_but_not_the_platforms_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket of the code server lies in the platform's, for as many months as it runs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = {"gen404-collect-b": 1, "others": 30, "gen404-platform-a": 30}
    for name, days in {"gen404-collect-a": 3, "gen404-prompt-a": 3, **kept}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        then = time.time() - days * 24 * 3600
        os.utime(tmp_path / name, (then, then))
    forget_round(shared_on_disk(tmp_path / "home"), 0)
    assert {path.name for path in tmp_path.iterdir()} == kept.keys()
