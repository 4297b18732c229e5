"""What a lane's past runs say of the next: one at a time, back-off after failures, and no end to
trying.
"""

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.lane_runs import LaneRun, LaneRuns

STATUS = dg.DagsterRunStatus
UNDER_WAY = [STATUS.QUEUED, STATUS.NOT_STARTED, STATUS.STARTING, STATUS.STARTED, STATUS.CANCELING]


def runs(*statuses: dg.DagsterRunStatus, head: str = "head", changed: float = 1000.0) -> LaneRuns:
    """Runs with these statuses, the newest first."""
    return LaneRuns(
        [LaneRun(f"run-{number}", status, head, changed) for number, status in enumerate(statuses)]
    )


def test_a_lane_that_never_ran_may_begin_at_once() -> None:
    assert not runs().busy(lane_is_free=True)
    assert not runs().back_off("head", 0.0)


@pytest.mark.parametrize("status", UNDER_WAY)
def test_a_lane_with_a_run_under_way_is_left_alone(status: dg.DagsterRunStatus) -> None:
    assert status.value.lower() in runs(status, STATUS.FAILURE).busy(lane_is_free=True)


def test_a_lane_that_a_run_of_another_origin_works_on_is_left_alone() -> None:
    assert runs(STATUS.SUCCESS).busy(lane_is_free=False)


def test_failures_wait_ever_longer_and_never_give_up() -> None:
    waits = []
    for failures in range(1, 40):
        failed = runs(*[STATUS.FAILURE] * failures)
        seconds = next(
            second for second in range(10_000) if not failed.back_off("other", 1000.0 + second)
        )
        waits.append(seconds)
    assert waits[0] == 5
    assert waits == sorted(waits)
    assert waits[-1] == 600


def test_a_success_ends_the_count_of_failures() -> None:
    assert runs(STATUS.FAILURE, STATUS.CANCELED, STATUS.SUCCESS, STATUS.FAILURE).failures == 2
    assert runs(STATUS.STARTED, STATUS.FAILURE, STATUS.SUCCESS).failures == 1


def test_a_run_that_changed_nothing_is_not_repeated_at_once() -> None:
    assert runs(STATUS.SUCCESS).back_off("head", 1000.5)
    assert not runs(STATUS.SUCCESS).back_off("head", 1001.5)
    assert not runs(STATUS.SUCCESS).back_off("another head", 1000.5), "somebody has published since"


def test_g14_each_request_has_a_name_of_its_own_however_many_there_have_been() -> None:
    names = set()
    for newest in range(50, 200):
        known = [LaneRun(f"run-{newest - each}", STATUS.FAILURE, "head", 0.0) for each in range(50)]
        names.add(LaneRuns(known).last)
    assert len(names) == 150


@pytest.mark.parametrize("status", [STATUS.QUEUED, STATUS.NOT_STARTED])
def test_a_run_that_waits_in_the_queue_is_not_lost(status: dg.DagsterRunStatus) -> None:
    assert not runs(status, changed=0.0).lost(lane_is_free=True, now=100_000.0)


def test_a_run_that_nobody_has_heard_of_is_lost_unless_its_lane_is_held() -> None:
    started = runs(STATUS.STARTED, changed=0.0)
    assert started.lost(lane_is_free=True, now=1000.0)
    assert not started.lost(lane_is_free=False, now=1000.0), "its process is alive"
    assert not started.lost(lane_is_free=True, now=10.0)


@given(
    st.lists(st.sampled_from([STATUS.SUCCESS, STATUS.FAILURE, STATUS.CANCELED]), max_size=60),
    st.booleans(),
)
def test_g14_whatever_has_happened_the_work_is_taken_up_within_ten_minutes(
    statuses: list[dg.DagsterRunStatus], same_head: bool
) -> None:
    lane_runs = runs(*statuses)
    assert not lane_runs.busy(lane_is_free=True)
    assert not lane_runs.back_off("head" if same_head else "other", 1000.0 + 600.0)
