"""What a lane's past runs say of the next: one at a time, back-off after failures, and no end to
trying.
"""

from dataclasses import dataclass

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors import lane_runs
from sensors.lane_runs import LaneRun, LaneRuns, Quiet

STATUS = dg.DagsterRunStatus
UNDER_WAY = [STATUS.QUEUED, STATUS.NOT_STARTED, STATUS.STARTING, STATUS.STARTED, STATUS.CANCELING]


def runs(*statuses: dg.DagsterRunStatus, head: str = "head", quiet: float = 0.0) -> LaneRuns:
    """Runs with these statuses, the newest first, heard of `quiet` seconds ago."""
    return LaneRuns(
        [LaneRun(f"run-{number}", status, head, quiet) for number, status in enumerate(statuses)]
    )


def test_a_lane_that_never_ran_may_begin_at_once() -> None:
    assert not runs().busy(lane_is_free=True)
    assert not runs().back_off("head")


@pytest.mark.parametrize("status", UNDER_WAY)
def test_a_lane_with_a_run_under_way_is_left_alone(status: dg.DagsterRunStatus) -> None:
    assert status.value.lower() in runs(status, STATUS.FAILURE).busy(lane_is_free=True)


def test_a_lane_that_a_run_of_another_origin_works_on_is_left_alone() -> None:
    assert runs(STATUS.SUCCESS).busy(lane_is_free=False)


def test_failures_wait_ever_longer_and_never_give_up() -> None:
    waits = []
    for failures in range(1, 40):
        seconds = next(
            second
            for second in range(10_000)
            if not runs(*[STATUS.FAILURE] * failures, quiet=second).back_off("other")
        )
        waits.append(seconds)
    assert waits[0] == 5
    assert waits == sorted(waits)
    assert waits[-1] == 600


def test_a_success_ends_the_count_of_failures() -> None:
    assert runs(STATUS.FAILURE, STATUS.CANCELED, STATUS.SUCCESS, STATUS.FAILURE).failures == 2
    assert runs(STATUS.STARTED, STATUS.FAILURE, STATUS.SUCCESS).failures == 1


def test_a_run_that_changed_nothing_is_not_repeated_at_once() -> None:
    assert runs(STATUS.SUCCESS, quiet=0.5).back_off("head")
    assert not runs(STATUS.SUCCESS, quiet=1.5).back_off("head")
    assert not runs(STATUS.SUCCESS).back_off("another head"), "somebody has published since"


def test_g14_each_request_has_a_name_of_its_own_however_many_there_have_been() -> None:
    names = set()
    for newest in range(50, 200):
        known = [LaneRun(f"run-{newest - each}", STATUS.FAILURE, "head", 0.0) for each in range(50)]
        names.add(LaneRuns(known).last)
    assert len(names) == 150


@pytest.mark.parametrize("status", [STATUS.QUEUED, STATUS.NOT_STARTED])
def test_a_run_that_waits_in_the_queue_is_not_lost(status: dg.DagsterRunStatus) -> None:
    assert not runs(status, quiet=100_000.0).lost(lane_is_free=True)


def test_a_run_that_nobody_has_heard_of_is_lost_unless_its_lane_is_held() -> None:
    started = runs(STATUS.STARTED, quiet=1000.0)
    assert started.lost(lane_is_free=True)
    assert not started.lost(lane_is_free=False), "its process is alive"
    assert not runs(STATUS.STARTED, quiet=10.0).lost(lane_is_free=True)


@given(
    st.lists(st.sampled_from([STATUS.SUCCESS, STATUS.FAILURE, STATUS.CANCELED]), max_size=60),
    st.booleans(),
)
def test_g14_whatever_has_happened_the_work_is_taken_up_within_ten_minutes(
    statuses: list[dg.DagsterRunStatus], same_head: bool
) -> None:
    lane = runs(*statuses, quiet=600.0)
    assert not lane.busy(lane_is_free=True)
    assert not lane.back_off("head" if same_head else "other")


@dataclass
class Clocks:
    """The machine's clock, which can be set, and the monotonic one, which can't."""

    wall: float = 1_800_000_000.0
    steady: float = 500.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def pass_by(self, seconds: float) -> None:
        self.wall, self.steady = self.wall + seconds, self.steady + seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    lane = Clocks()
    monkeypatch.setattr(lane_runs, "time", lane)
    return lane


def test_a_clock_set_back_two_hours_makes_no_lane_wait_for_two_hours(clocks: Clocks) -> None:
    quiet, ended = Quiet(), clocks.wall
    assert quiet.seconds("run", ended) == 0
    clocks.wall -= 7200
    clocks.pass_by(30)
    assert quiet.seconds("run", ended) == 30
    assert Quiet().seconds("run", ended) == 0, "a platform started after the step waits anew"


def test_a_clock_set_forward_takes_no_run_for_lost(clocks: Clocks) -> None:
    quiet, heard = Quiet(), clocks.wall
    assert quiet.seconds("run", heard) == 0
    clocks.wall += 7200
    clocks.pass_by(10)
    assert quiet.seconds("run", heard) == 10


def test_how_long_a_run_is_quiet_is_taken_from_dagster_when_the_platform_starts(
    clocks: Clocks,
) -> None:
    quiet = Quiet()
    assert quiet.seconds("run", clocks.wall - 400) == 400
    clocks.pass_by(5)
    assert quiet.seconds("run", clocks.wall) == 0, "it was heard of again"
