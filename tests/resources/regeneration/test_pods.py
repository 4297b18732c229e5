"""The plan's rules for pods: how many, when bad, when needed, when not."""

import pytest

from gen404_assets.competition.outputs import Output
from gen404_assets.competition.pods import PodAtWork, PodRules
from gen404_assets.competition.regeneration import Prompts, Regeneration
from resources.settings import BadSetting, read_settings
from simulators.examples import RULES
from simulators.regeneration_plans import FAILED, PODS, handed, made, plan


def worked(*outputs: tuple[Output, Output | None]) -> PodAtWork:
    pod = PodAtWork("0", 0.0)
    for output, before in outputs:
        pod.record(output, before, RULES)
    return pod


@pytest.mark.parametrize("spoilt", [FAILED, made(181)])
def test_a_pod_is_bad_after_eight_failures_or_overruns(spoilt: Output) -> None:
    retried = [(spoilt, FAILED)]  # so that the fresh times don't speak
    assert not worked(*retried * 7, *[(made(10), None)] * 20).bad
    assert worked(*retried * 7, *[(made(10), None)] * 20, *retried).bad


@pytest.mark.parametrize(
    ("times", "bad"),
    [
        ([121] * 8, True),
        ([121] * 7, False),
        ([120] * 8, False),  # not over 120
        ([150] * 4 + [140] * 4, False),  # getting faster
        ([140] * 4 + [150] * 4, True),
        ([150] + [140] * 7, True),  # the halves are the same
        ([10] * 20 + [130] * 8, True),  # the last eight count
        ([130] * 5 + [10] * 3, False),
    ],
)
def test_a_pod_is_bad_when_its_last_eight_fresh_times_are_slow_and_not_getting_faster(
    times: list[float], bad: bool
) -> None:
    assert worked(*[(made(seconds), None) for seconds in times]).bad is bad
    assert not worked(
        *[(made(seconds), made(100)) for seconds in times]
    ).bad  # retries are not fresh


@pytest.mark.parametrize(
    ("deltas", "takes"),
    [
        ([], True),
        ([50, 50], True),
        ([50, 50, 50], False),
        ([0, 0, 0], False),
        ([10, 10, -21], True),
        ([-1, 1, 0], False),
    ],
)
def test_a_pod_takes_retries_until_three_were_no_faster_than_the_originals(
    deltas: list[float], takes: bool
) -> None:
    assert worked(*[(made(100 + delta), made(100)) for delta in deltas]).takes_retries is takes


def test_a_pods_stats_are_what_it_did() -> None:
    pod = worked(
        *[(made(seconds), None) for seconds in (10.0, 20.0, 180.0)],
        *[(made(190), None), (FAILED, None), (made(60), made(100)), (made(70), FAILED)],
    )
    pod.ended = "done"
    assert pod.stats().model_dump() == {
        "pod_id": "0",
        "processed": 7,
        "successful": 5,
        "hard_failed": 1,
        "hard_overtime": 1,
        "time_min": 10.0,
        "time_max": 190.0,
        "time_avg": 530 / 6,
        "time_median": 65.0,
        "marked_bad": False,
        "retry_cumulative_delta": -40.0,
        "retry_delta_count": 1,
        "termination_reason": "done",
    }


def test_a_pod_that_is_not_healthy_or_has_ended_is_given_nothing() -> None:
    regeneration = plan(None)
    regeneration.pods["0"].healthy = False
    assert regeneration.hand_out("0", 0.0) is None
    regeneration.healthy("0")
    regeneration.ended("0", "lost", replaced=True)
    assert regeneration.hand_out("0", 0.0) is None


def test_a_pod_that_takes_no_retries_still_takes_fresh_prompts() -> None:
    regeneration = plan(FAILED, None)
    regeneration.pods["0"].retry_deltas = [1.0, 1.0, 1.0]
    assert handed(regeneration) == "b"


def test_a_bad_pod_is_given_nothing_and_is_replaced() -> None:
    regeneration = plan(None, made(10))
    regeneration.pods["0"].bad = True
    assert regeneration.hand_out("0", 0.0) is None
    assert regeneration.to_end(0.0) == [("0", "bad", True)]
    assert not regeneration.over
    regeneration.ended("0", "bad", replaced=True)
    assert regeneration.start_due(60.0)


def test_two_pods_first_then_four_once_one_is_healthy_thirty_seconds_apart() -> None:
    regeneration = Regeneration(
        Prompts([f"p{number}" for number in range(20)], RULES, audited=True), PODS
    )
    now = 0.0
    started: list[float] = []
    while now < 600:
        if now == 300:
            regeneration.healthy("0")
        if regeneration.start_due(now):
            regeneration.started(str(len(started)), now)
            started.append(now)
        now += 10
    assert started == [0, 30, 300, 330]


def test_a_pod_that_never_gets_healthy_is_given_up_and_replaced_while_the_budget_lasts() -> None:
    regeneration = Regeneration(Prompts(["a", "b"], RULES, audited=True), PODS)
    for number in range(6):
        now = number * 4000.0
        assert regeneration.start_due(now)
        regeneration.started(str(number), now)
        regeneration.placed(str(number), now)
        assert regeneration.to_end(now + 3599) == []
        assert regeneration.to_end(now + 3600) == [(str(number), "never became healthy", True)]
        regeneration.ended(str(number), "never became healthy", replaced=True)
    assert not regeneration.start_due(1e6)
    assert regeneration.over
    assert not regeneration.deployed


def test_a_pod_warms_up_from_when_its_provider_runs_it() -> None:
    """Placed after 45 minutes, it is healthy 25 minutes later: within its hour."""
    planned = plan(None, healthy=False)
    planned.placed("0", 2700.0)
    planned.placed("0", 3000.0)  # it was before
    assert planned.to_end(2700.0 + 3599) == []
    assert planned.to_end(2700.0 + 3600) == [("0", "never became healthy", True)]
    planned.unseen("0", 100.0)
    assert planned.to_end(2700.0 + 3699) == []
    planned.healthy("0")
    assert planned.to_end(1e6) == []


def test_a_pod_that_is_not_placed_is_given_up_for_that_and_not_for_its_health() -> None:
    planned = plan(None, healthy=False)
    planned.unseen("0", 100.0)
    assert planned.to_end(3599.0) == []
    assert planned.to_end(3600.0) == [("0", "never placed", True)]


def test_an_attempt_that_is_given_back_never_was() -> None:
    planned = plan(None)
    for _ in range(10):
        assert planned.hand_out("0", 0.0) == "a"
        planned.given_back("0", "a")
    assert planned.prompts.attempts["a"] == 0
    planned.given_back("0", "a")  # nothing is given back twice, or by others
    assert planned.hand_out("0", 0.0) == "a"
    planned.given_back("1", "a")
    assert planned.hand_out("0", 0.0) is None


def test_pods_are_not_started_for_prompts_that_others_can_take() -> None:
    regeneration = plan(None)
    assert not regeneration.start_due(100.0)
    assert plan(None, None).start_due(100.0)
    assert not plan(made(10), made(10)).start_due(100.0)


def test_pods_without_a_chance_of_work_are_ended_and_not_replaced() -> None:
    regeneration = plan(made(10), None, pods=4)
    assert regeneration.hand_out("0", 0.0) == "b"
    # Two attempts may yet come to others, should the first one fail.
    assert regeneration.to_end(100.0) == [("3", "nothing left to do", False)]
    regeneration.ended("3", "nothing left to do", replaced=False)
    regeneration.finished("0", "b", FAILED)
    assert not regeneration.start_due(1000.0)
    assert [name for name, _, _ in regeneration.to_end(100.0)] == ["0"]
    assert regeneration.hand_out("1", 0.0) == "b"


def test_a_pod_is_started_for_a_prompt_that_no_other_can_take() -> None:
    regeneration = plan(None)
    regeneration.hand_out("0", 0.0)
    regeneration.finished("0", "a", FAILED)
    assert regeneration.start_due(100.0)
    assert not regeneration.over


def test_a_pod_that_warms_up_is_ended_before_one_that_is_healthy() -> None:
    regeneration = plan(None, made(10), pods=4)
    regeneration.pods["1"].healthy = False
    assert regeneration.hand_out("0", 0.0) == "a"
    assert regeneration.to_end(100.0) == [("1", "nothing left to do", False)]


@pytest.mark.parametrize("name", ["INITIAL_POD_COUNT", "PODS_PER_MINER", "MAX_POD_ATTEMPTS"])
def test_g12_counts_of_pods_are_settings_of_at_least_one(name: str) -> None:
    assert getattr(read_settings(PodRules, {name: "3"}), name.lower()) == 3
    assert getattr(read_settings(PodRules, {name: "1"}), name.lower()) == 1
    with pytest.raises(BadSetting, match=f"{name} must be from 1 to 1000, not '0'"):
        read_settings(PodRules, {name: "0"})


def test_no_free_gpu_is_waited_for_a_day_and_a_pod_for_an_hour() -> None:
    assert (PODS.pod_capacity_timeout, PODS.pod_warmup_timeout) == (24 * 3600, 3600)
