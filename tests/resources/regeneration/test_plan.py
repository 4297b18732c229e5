"""The plan's rules for prompts: hand-out order, locks, attempts, the best result, the end."""

from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.outputs import Output
from gen404_assets.competition.regeneration import Prompts
from gen404_assets.competition.settings import Rules
from simulators.examples import RULES
from simulators.regeneration_plans import FAILED, handed, made, plan


def test_fresh_prompts_come_first_then_failed_then_over_the_hard_limit_then_the_slowest() -> None:
    assert handed(plan(made(100), made(170), made(181), FAILED, None, made(190), None)) == "egdcfba"


def test_slow_prompts_are_given_again_only_while_the_trimmed_median_is_over_its_limit() -> None:
    assert handed(plan(made(95), made(100), made(80))) == "ba"
    assert handed(plan(made(95), made(80), made(80))) == ""
    assert (
        handed(plan(made(95), made(80), made(80), FAILED, FAILED)) == "dea"
    )  # failed count as 180


def test_failed_and_over_time_are_given_again_whatever_the_median() -> None:
    assert handed(plan(FAILED, made(181), *[made(10)] * 20)) == "ab"


def test_limits_are_kept_by_what_stands_at_them() -> None:
    assert handed(plan(made(90), made(90), made(90))) == ""
    assert (
        handed(plan(made(180), made(90), made(90))) == ""
    )  # neither over the hard limit, nor is the median over its
    assert handed(plan(made(90), made(91), made(180))) == "cb"
    assert handed(plan(made(200, 0.1))) == "a"


def test_of_two_equal_results_the_first_is_kept() -> None:
    regeneration = plan(made(10))
    regeneration.prompts.keep("a", made(10).model_copy(update={"size": 2}))
    assert regeneration.prompts.best["a"].size == 1


def test_a_failed_attempt_is_recorded_with_nothing() -> None:
    nothing = {
        "glb": None,
        "png": None,
        "generation_time": 0.0,
        "size": 0,
        "attempts": 1,
        "distance": 0.0,
    }
    assert FAILED.model_dump(exclude_unset=True) == nothing


def test_what_is_mismatched_in_distance_or_not_measured_is_not_given_again() -> None:
    assert handed(plan(made(200, 0.2), made(170, 0.2), made(200, None), made(200))) == "d"


def test_a_baseline_has_no_distances() -> None:
    assert handed(plan(made(200, 0.5), made(100, 0.5), audited=False)) == "ab"


def test_a_prompt_is_locked_while_a_pod_has_it_and_never_comes_back_to_it() -> None:
    regeneration = plan(None, pods=2)
    assert regeneration.hand_out("0", 0.0) == "a"
    assert regeneration.hand_out("1", 0.0) is None
    regeneration.finished("0", "a", FAILED)
    assert regeneration.hand_out("0", 0.0) is None
    assert regeneration.hand_out("1", 0.0) == "a"


def test_a_lock_expires_after_ten_minutes_and_counts_as_a_failed_attempt() -> None:
    regeneration = plan(None, pods=2)
    regeneration.hand_out("0", 0.0)
    regeneration.expire(599.9, lambda _: FAILED)
    assert regeneration.hand_out("1", 599.9) is None
    regeneration.expire(600, lambda _: FAILED)
    assert regeneration.hand_out("1", 600) == "a"
    assert regeneration.is_late("0", "a")
    assert not regeneration.is_late("1", "a")
    regeneration.finished("0", "a", made(20))  # late, and yet the best there is
    regeneration.finished("1", "a", FAILED)
    assert (regeneration.prompts.best["a"].complete, regeneration.prompts.attempts["a"]) == (
        True,
        2,
    )


def test_a_lock_does_not_expire_while_the_rest_is_ours_to_do_nor_with_the_pod() -> None:
    regeneration = plan(None, pods=2)
    regeneration.hand_out("0", 0.0)
    regeneration.made("0", "a")
    regeneration.expire(10_000, lambda _: FAILED)
    regeneration.ended("0", "bad", replaced=True)
    assert regeneration.hand_out("1", 10_000) is None
    regeneration.finished("0", "a", made(20))
    assert regeneration.over


def test_what_an_ended_pod_worked_on_is_fresh_again() -> None:
    regeneration = plan(None, pods=2)
    regeneration.hand_out("0", 0.0)
    regeneration.ended("0", "lost", replaced=True)
    regeneration.finished("0", "a", FAILED)
    assert regeneration.prompts.attempts["a"] == 0
    assert regeneration.prompts.open() == ["a"]
    assert regeneration.hand_out("1", 0.0) == "a"


def test_a_prompt_has_three_attempts() -> None:
    regeneration = plan(None, pods=4)
    for pod in "012":
        assert regeneration.hand_out(pod, 0.0) == "a"
        regeneration.finished(pod, "a", FAILED)
    assert regeneration.hand_out("3", 0.0) is None
    assert regeneration.over
    assert regeneration.prompts.outputs()["a"].attempts == 3


results = st.builds(
    made, st.sampled_from([10.0, 89.0, 91.0, 150.0, 190.0]), st.sampled_from([0.0, 0.1, 0.11, 1.0])
)


@given(st.lists(results | st.just(FAILED), min_size=1, max_size=6))
def test_g07_the_best_result_is_the_matching_one_first_then_the_faster(
    attempts: list[Output],
) -> None:
    prompts = Prompts(["a"], RULES, audited=True)
    for attempt in attempts:
        prompts.keep("a", attempt)
    kinds = [
        [output for output in attempts if output.complete and (output.distance or 0) <= 0.1],
        [output for output in attempts if output.complete],
        attempts,
    ]
    best = next(kind for kind in kinds if kind)
    assert prompts.best["a"] in best
    assert prompts.best["a"].generation_time == min(output.generation_time for output in best)


def test_g07_a_file_that_could_not_be_rendered_is_better_than_none() -> None:
    prompts = Prompts(["a"], RULES, audited=True)
    unrendered = prompts.output("u.glb", None, generation_time=50.0)
    for attempt in (FAILED, unrendered, FAILED):
        prompts.keep("a", attempt)
    assert prompts.best["a"] == unrendered


@settings(max_examples=300)
@given(
    st.lists(st.none() | st.just(FAILED) | results, min_size=1, max_size=12),
    st.integers(0, 3),
    st.booleans(),
)
def test_the_next_prompt_is_that_of_a_plain_reading_of_the_rule(
    made_so_far: list[Output | None], trim: int, audited: bool
) -> None:
    rules = Rules(generation_median_trim_count=trim, max_mismatched_prompts=100)
    regeneration = plan(*made_so_far, rules=rules, audited=audited)
    stems = regeneration.prompts.stems
    times = sorted(
        output.generation_time if output and output.complete else 180.0 for output in made_so_far
    )
    kept = times[trim:-trim] if trim and len(times) > 2 * trim else times
    fresh, failed, over, slow = [], [], [], []
    for stem, output in zip(stems, made_so_far, strict=True):
        if output is None:
            fresh.append(stem)
        elif not output.complete:
            failed.append(stem)
        elif not (audited and output.distance is not None and output.distance > 0.1):
            if output.generation_time > 180:
                over.append(stem)
            elif output.generation_time > 90 and median(kept) > 90:
                slow.append((-output.generation_time, stem))
    expected = fresh + failed + over + [stem for _, stem in sorted(slow)]
    assert regeneration.prompts.open() == expected


# The end.


def test_a_regeneration_is_over_when_no_pod_can_take_what_is_left_and_none_may_be_started() -> None:
    regeneration = plan(FAILED, pods=4)
    for pod in "0123":
        assert not regeneration.over
        regeneration.pods[pod].tried.add("a")
    assert regeneration.over


@pytest.mark.parametrize(("far", "decided"), [(11, False), (12, True), (20, True)])
def test_the_rest_is_not_generated_once_twice_the_tolerated_mismatches_are_found(
    far: int, decided: bool
) -> None:
    regeneration = plan(*[made(10, 0.5)] * far, *[None] * 3, rules=RULES)
    assert regeneration.over is decided
    assert (regeneration.hand_out("0", 0.0) is None) is decided


@pytest.mark.parametrize(
    ("tolerated", "critical", "needed"), [(0, 1, 2), (1, 1, 3), (1, 0, 2), (0, 0, 1), (3, 5, 9)]
)
def test_an_early_end_is_certain_whichever_prompts_are_critical(
    tolerated: int, critical: int, needed: int
) -> None:
    rules = Rules(max_mismatched_prompts=tolerated, max_mismatched_critical_prompts=critical)
    for far in range(20):
        assert plan(*[made(10, 0.5)] * far, None, rules=rules).prompts.decided is (far >= needed)


def test_what_may_still_be_generated_well_is_no_mismatch_yet() -> None:
    regeneration = plan(*[FAILED] * 40, rules=RULES)
    assert not regeneration.over
    for stem in regeneration.prompts.stems[:12]:
        regeneration.prompts.attempts[stem] = 3
    assert regeneration.over


def test_what_stays_too_slow_after_its_last_attempt_is_a_mismatch() -> None:
    regeneration = plan(*[made(200)] * 12, None, rules=RULES)
    regeneration.prompts.attempts |= dict.fromkeys(regeneration.prompts.stems[:11], 3)
    assert not regeneration.prompts.decided
    regeneration.prompts.attempts["l"] = 3
    assert regeneration.prompts.decided


def test_what_is_not_measured_is_no_mismatch_whatever_its_attempts() -> None:
    regeneration = plan(*[made(200, None)] * 20, rules=RULES)
    regeneration.prompts.attempts |= dict.fromkeys(regeneration.prompts.stems, 3)
    assert not regeneration.prompts.decided


def test_a_baseline_has_no_early_end_and_is_closed_in_the_end() -> None:
    regeneration = plan(*[made(10, 0.5)] * 12, FAILED, None, rules=RULES, audited=False)
    assert not regeneration.over
    closed = regeneration.prompts.closed()
    assert closed.names == regeneration.prompts.stems
    assert [closed[name].attempts for name in ("a", "m", "n")] == [1, 3, 3]
    assert [key for key, _ in closed["n"].model_dump(exclude_unset=True).items()][:2] == [
        "glb",
        "png",
    ]


def test_a_regeneration_is_not_over_while_a_result_waits_for_its_distance() -> None:
    regeneration = plan(made(10, None))
    assert not regeneration.over
    assert regeneration.prompts.unmeasured == ["a"]
    assert plan(made(10)).over
