"""Schedule: when the next round starts, and at which blocks."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.schedule import (
    Schedule,
    is_over,
    next_start,
    schedule_at,
    start_block,
)
from simulators.examples import config


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


PREVIOUS = Schedule(
    earliest_reveal_block=0, latest_reveal_block=10_000, generation_deadline_block=10_600
)
STARTED = at("2026-01-10 08:00")
"""When block 10,000, the previous round's start, was reached."""


def block_at(now: datetime) -> int:
    return 10_000 + int((now - STARTED).total_seconds()) // 12


@pytest.mark.parametrize(
    ("now", "changes", "start"),
    [
        ("2026-01-10 20:00", {}, "2026-01-11 08:00"),
        ("2026-01-11 07:00", {}, "2026-01-11 08:00"),  # exactly the buffer away
        ("2026-01-11 07:00:01", {}, "2026-01-12 08:00"),
        ("2026-01-11 09:00", {}, "2026-01-12 08:00"),
        ("2026-01-15 12:00", {}, "2026-01-16 08:00"),  # the round took days
        ("2026-01-11 05:30", {"finalization_buffer_hours": 2.5}, "2026-01-11 08:00"),
        ("2026-01-11 05:31", {"finalization_buffer_hours": 2.5}, "2026-01-12 08:00"),
        ("2026-01-10 20:00", {"finalization_buffer_hours": 30}, "2026-01-12 08:00"),
        ("2026-01-10 20:00", {"round_duration_days": 7}, "2026-01-17 08:00"),
        ("2026-01-18 20:00", {"round_duration_days": 7}, "2026-01-19 08:00"),
        ("2026-01-10 20:00", {"round_start_time": "21:30"}, "2026-01-11 21:30"),
        ("2026-01-10 20:00", {"first_evaluation_date": "2026-02-01"}, "2026-02-01 08:00"),
    ],
)
def test_the_next_round_starts_a_day_on_or_when_the_buffer_allows(
    now: str, changes: dict[str, object], start: str
) -> None:
    assert next_start(config(**changes), PREVIOUS, at(now), block_at(at(now))) == at(start)


@pytest.mark.parametrize(
    ("now", "start"),
    [("2025-12-01 00:00", "2026-01-05 08:00"), ("2026-01-05 07:30", "2026-01-06 08:00")],
)
def test_the_first_round_starts_on_the_first_evaluation_date(now: str, start: str) -> None:
    assert next_start(config(), None, at(now), 123) == at(start)


@settings(max_examples=100)
@given(
    duration=st.integers(1, 14),
    minutes=st.integers(0, 24 * 60 - 1),
    early=st.integers(61, 14 * 24 * 60),
    seconds=st.integers(0, 59),
)
@example(duration=7, minutes=0, early=6 * 24 * 60, seconds=7)
def test_rounds_that_end_in_time_follow_each_other_at_the_duration(
    duration: int, minutes: int, early: int, seconds: int
) -> None:
    """At the same time of day; a round is finalised `early` minutes, an hour or more, before the
    next is due.
    """
    clock = f"{minutes // 60:02}:{minutes % 60:02}"
    rules = config(
        round_duration_days=duration, round_start_time=clock, first_evaluation_date="2026-01-05"
    )
    first_block, genesis = 50_000, rules.start_on(date(2026, 1, 1))
    now = genesis + timedelta(seconds=first_block * 12 + seconds)
    start = next_start(rules, None, now, first_block)
    latest = start_block(start, now, first_block)
    later_block = latest + max(1, duration * 24 * 60 - early) * 5
    later = now + timedelta(seconds=(later_block - first_block) * 12)
    following = next_start(rules, schedule_at(rules, None, latest), later, later_block)
    assert following == start + timedelta(days=duration)


def test_the_start_block_is_whole_blocks_of_12_seconds_from_now() -> None:
    assert start_block(at("2026-01-10 08:00"), at("2026-01-10 07:00"), 1000) == 1300
    assert start_block(at("2026-01-10 08:00:11"), at("2026-01-10 08:00"), 1000) == 1000
    assert start_block(at("2026-01-10 08:00:23"), at("2026-01-10 08:00"), 1000) == 1001


def test_a_schedule_follows_the_one_before_without_a_gap() -> None:
    schedule = schedule_at(config(generation_stage_minutes=120), PREVIOUS, 17_200)
    assert schedule == Schedule(
        earliest_reveal_block=10_001,
        latest_reveal_block=17_200,
        generation_deadline_block=17_200 + 600,
    )
    assert schedule_at(config(), None, 500).earliest_reveal_block == 0


@pytest.mark.parametrize(
    ("start", "over"),
    [("2026-02-27 08:00", False), ("2026-02-28 23:59", False), ("2026-03-01 00:00", True)],
)
def test_no_round_starts_after_the_last_competition_date(start: str, over: bool) -> None:
    assert is_over(config(), at(start)) is over


@pytest.mark.parametrize("blocks", [(5, 4, 6), (4, 6, 5), (-1, 2, 3)])
def test_g17_a_schedule_out_of_order_is_refused(blocks: tuple[int, int, int]) -> None:
    raw = (
        '{{"earliest_reveal_block": {}, "latest_reveal_block": {}, '
        '"generation_deadline_block": {}}}'
    )
    with pytest.raises(MalformedFile):
        Schedule.parse(raw.format(*blocks).encode(), "schedule.json")


@pytest.mark.parametrize(
    "fault",
    [
        {"first_evaluation_date": "2026-02-30"},
        {"round_start_time": "25:00"},
        {"round_start_time": "08:00+02:00"},
        {"output_format": "obj"},
        {"prompts_per_round": 0},
        {"name": "a/b"},
        {"win_margin": "0.05"},
    ],
)
def test_g17_a_config_that_makes_no_sense_is_refused(fault: dict[str, object]) -> None:
    with pytest.raises(MalformedFile):
        config(**fault)


def test_the_configs_defaults_are_the_specifications() -> None:
    rules = config()
    assert rules.start_on(date(2026, 1, 5)) == at("2026-01-05 08:00")
    assert (rules.finalization_buffer_hours, rules.round_duration_days, rules.output_format) == (
        1.0,
        1,
        "glb",
    )
    assert rules.round_name(3) == "mesh-3"
