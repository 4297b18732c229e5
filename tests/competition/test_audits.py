"""Audits: which prompts are critical, and what the regenerated outputs prove."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.audits import (
    NO_IMAGE,
    NO_POD,
    AuditOutcome,
    AuditRequest,
    AuditRequests,
    GenerationAudit,
    GenerationAudits,
    SourceAudit,
    SourceAudits,
    SourceVerdict,
    critical_prompts,
    judge_audit,
    reject_unmeasured,
    trimmed_median,
    verdicts,
)
from gen404_assets.competition.duels import Decision, Duel, MatchReport, Outcome, duel_entry
from gen404_assets.competition.outputs import NO_URLS, Output, Outputs
from gen404_assets.competition.settings import Rules
from simulators.examples import MINER, MINERS, RULES, output


def report(outcomes: str, margin: float) -> MatchReport:
    """A report with a duel for each letter: r(ight), l(eft), d(raw); names d00, d01, ..."""
    winners = {"r": Outcome.RIGHT, "l": Outcome.LEFT, "d": Outcome.DRAW}
    entries = [
        duel_entry(
            f"https://pool.example/d{number:02}.jpg",
            NO_URLS,
            NO_URLS,
            Decision(winners[letter], ""),
            "glb",
        )
        for number, letter in enumerate(outcomes)
    ]
    duels = [Duel.model_validate(entry) for entry in entries]
    return MatchReport(left="leader", right=MINER, score=0, margin=margin, duels=duels)


@pytest.mark.parametrize("margin", [0.1, 0.11, 1.0, 100.0])
def test_a_clear_win_has_no_critical_prompts(margin: float) -> None:
    assert critical_prompts(report("rrrl", margin), 1, 0.05, RULES) == []


def test_a_close_wins_critical_prompts_are_those_won_in_report_order() -> None:
    # 40 duels at 5 % make two critical prompts: both that were won.
    assert critical_prompts(report("drl" + "d" * 36 + "r", 0.05), 1, 0.05, RULES) == ["d01", "d39"]
    assert critical_prompts(report("lrd", 0.09), 1, 0.05, RULES) == ["d01"]


@pytest.mark.parametrize(
    ("duels", "margin", "size"),
    [(40, 0.05, 2), (41, 0.05, 3), (10, 0.05, 1), (30, 0.3, 9), (8, 0, 1)],
)
def test_of_many_prompts_won_the_seed_draws_as_many_as_the_margin_needs(
    duels: int, margin: float, size: int
) -> None:
    won = [f"d{number:02}" for number in range(1, duels)]
    sampled = critical_prompts(report("l" + "r" * (duels - 1), margin), 77, margin, RULES)
    assert sampled == random.Random(77).sample(won, size)


def test_how_close_is_close_is_a_setting() -> None:
    assert critical_prompts(report("r", 0.1), 1, 0.05, Rules(max_mismatched_margin=0.06)) == ["d00"]
    assert critical_prompts(report("l", 0.05), 1, 0.05, RULES) == []


@pytest.mark.parametrize(
    ("times", "median"),
    [
        ([], None),
        ([5.0], 5.0),
        ([9.0, 1.0], 5.0),
        ([1.0] * 6 + [50.0] * 6, 25.5),  # twelve: none is cut
        ([1.0] * 6 + [7.0] + [50.0] * 6, 7.0),  # thirteen: one is left
        ([50.0] * 6 + [7.0, 8.0] + [1.0] * 6, 7.5),
        ([0.0] * 7 + [10.0] * 8, 10.0),  # without 6 from each end: 0, 10, 10
    ],
)
def test_six_times_are_cut_from_each_end_if_there_are_more_than_twelve(
    times: list[float], median: float
) -> None:
    shuffled = random.Random(3).sample(times, len(times))
    assert trimmed_median(shuffled, 6) == median


def judged(
    generated: dict[str, Output], submitted: int = 40, critical: int = 0
) -> GenerationAudit | None:
    """The audit of `submitted` prompts p00, p01, ..., of which the first `critical` are critical;
    what `generated` lacks was regenerated well."""
    names = [f"p{number:02}" for number in range(submitted)]
    well = {name: output(20.0, 0.01) for name in names}
    return judge_audit(MINER, Outputs(well), Outputs(well | generated), names[:critical], RULES)


def spoilt(first: int, count: int, by: Output) -> dict[str, Output]:
    return {f"p{number:02}": by for number in range(first, first + count)}


def test_an_audit_passes_when_all_is_regenerated_well() -> None:
    assert judged({}) == GenerationAudit(
        hotkey=MINER,
        outcome=AuditOutcome.PASSED,
        checked_prompts=40,
        failed_prompts=0,
        failed_critical=0,
        generation_time=20.0,
        reason="",
    )


MISMATCHED = {
    "failed": output(20.0, 0.0, glb=False),
    "without preview": output(20.0, 0.0, png=False),
    "too slow": output(180.1, 0.01),
    "too far": output(20.0, 0.1001),
    "opposite": output(20.0, 2.0),
    "failed and unmeasured": output(20.0, None, png=False),
    "too slow and unmeasured": output(180.1, None),
}
MATCHED = {
    "at the limit of time": output(180.0, 0.01),
    "at the limit of distance": output(20.0, 0.1),
}


@pytest.mark.parametrize("by", MISMATCHED.values(), ids=MISMATCHED)
def test_a_prompt_failed_too_slow_or_too_far_is_mismatched(by: Output) -> None:
    six, seven = judged(spoilt(5, 6, by)), judged(spoilt(5, 7, by))
    assert six is not None
    assert seven is not None
    assert (six.outcome.value, six.failed_prompts, six.reason) == ("passed", 6, "")
    assert (seven.outcome.value, seven.failed_prompts) == ("rejected", 7)
    assert seven.reason == "Non-critical mismatches (7) exceed tolerance (6)"


@pytest.mark.parametrize("by", MATCHED.values(), ids=MATCHED)
def test_a_prompt_at_its_limit_is_matched(by: Output) -> None:
    audit = judged(spoilt(0, 10, by))
    assert audit is not None
    assert (audit.outcome.value, audit.failed_prompts) == ("passed", 0)


def test_a_prompt_that_was_not_regenerated_is_mismatched() -> None:
    names = [f"p{number:02}" for number in range(10)]
    submitted = Outputs({name: output() for name in names})
    audit = judge_audit(MINER, submitted, Outputs({names[0]: output(30.0, 0.0)}), names[8:], RULES)
    assert audit is not None
    assert (audit.checked_prompts, audit.failed_prompts, audit.failed_critical) == (10, 7, 2)
    assert audit.generation_time == 30.0
    assert audit.reason == (
        "Non-critical mismatches (7) exceed tolerance (6); Critical mismatches (2) exceed "
        "tolerance (1)"
    )


def test_all_three_reasons_are_joined() -> None:
    audit = judged(
        spoilt(0, 2, output(92.335, 0.5))
        | spoilt(2, 38, output(92.344, 0.2))
        | spoilt(20, 5, output(1, 0.2)),
        critical=2,
    )
    assert audit is not None
    assert audit.outcome is AuditOutcome.REJECTED
    assert (audit.failed_prompts, audit.failed_critical, audit.generation_time) == (38, 2, 92.344)
    assert audit.reason == (
        "Trimmed median generation time (92.34s) exceeds limit (90.00s); "
        "Non-critical mismatches (38) exceed tolerance (6); "
        "Critical mismatches (2) exceed tolerance (1)"
    )


def test_one_critical_mismatch_is_tolerated_and_counted_apart() -> None:
    audit = judged(spoilt(2, 7, MISMATCHED["too far"]), critical=3)
    assert audit is not None
    assert (audit.outcome.value, audit.failed_critical, audit.failed_prompts) == ("passed", 1, 6)


@pytest.mark.parametrize(("time", "outcome"), [(90.0, "passed"), (90.01, "rejected")])
def test_the_median_time_may_reach_its_limit(time: float, outcome: str) -> None:
    audit = judged(spoilt(0, 40, output(time, 0.0)))
    assert audit is not None
    assert audit.outcome.value == outcome


def test_the_times_of_what_failed_do_not_count() -> None:
    audit = judged(spoilt(0, 6, output(1000.0, 0.0, png=False)), submitted=13)
    assert audit is not None
    assert (audit.generation_time, audit.outcome.value) == (20.0, "passed")


def test_g01_an_unmeasured_distance_is_neither_match_nor_mismatch_and_the_audit_waits() -> None:
    assert judged(spoilt(3, 1, output(20.0, None))) is None
    assert judged(spoilt(3, 1, output(20.0, None)) | spoilt(10, 20, MISMATCHED["too far"])) is None


def test_prompts_without_a_complete_submission_are_not_checked() -> None:
    submitted = Outputs(
        {"a": output(), "b": output(png=False), "c": output(glb=False), "d": output()}
    )
    audit = judge_audit(
        MINER,
        submitted,
        Outputs({"a": output(9.0), "b": output(1.0), "d": output(9.0)}),
        ["b"],
        RULES,
    )
    assert audit is not None
    assert (
        audit.checked_prompts,
        audit.failed_prompts,
        audit.failed_critical,
        audit.generation_time,
    ) == (2, 0, 0, 9.0)


def test_the_limits_are_settings() -> None:
    rules = Rules(
        generation_timeout=5,
        acceptable_distance=0.5,
        generation_median_limit=4,
        max_mismatched_prompts=0,
    )
    submitted = Outputs({name: output() for name in "abc"})
    generated = Outputs({"a": output(4.5, 0.4), "b": output(4.5, 0.6), "c": output(5.5, 0.4)})
    audit = judge_audit(MINER, submitted, generated, [], rules)
    assert audit is not None
    assert audit.reason == (
        "Trimmed median generation time (4.50s) exceeds limit (4.00s); Non-critical mismatches "
        "(2) exceed tolerance (0)"
    )


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["missing", "no png", "there"]),
            st.floats(0, 400),
            st.none() | st.floats(0, 2),
            st.booleans(),
        ),
        max_size=20,
    )
)
def test_an_audit_counts_like_a_person_with_a_list(
    prompts: list[tuple[str, float, float | None, bool]],
) -> None:
    generated, waits, wrong, wrong_critical, times = {}, False, 0, 0, []
    for number, (kind, time, distance, critical) in enumerate(prompts):
        name = str(number)
        if kind != "missing":
            generated[name] = output(time, distance, png=kind == "there")
        matched = kind == "there" and time <= 180 and (distance is None or distance <= 0.1)
        waits |= matched and distance is None
        wrong += not matched and not critical
        wrong_critical += not matched and critical
        if kind == "there":
            times.append(time)
    submitted = Outputs({str(number): output() for number in range(len(prompts))})
    chosen = [str(number) for number, prompt in enumerate(prompts) if prompt[3]]
    audit = judge_audit(MINER, submitted, Outputs(generated), chosen, RULES)
    if waits:
        assert audit is None
        return
    assert audit is not None
    assert (audit.failed_prompts, audit.failed_critical) == (wrong, wrong_critical)
    if times:
        for _ in range(6 if len(times) > 12 else 0):
            times.remove(max(times))
            times.remove(min(times))
        assert audit.generation_time is not None
        assert sum(time <= audit.generation_time for time in times) * 2 >= len(times)
        assert sum(time >= audit.generation_time for time in times) * 2 >= len(times)
    slow = audit.generation_time is not None and audit.generation_time > 90
    assert (audit.outcome is AuditOutcome.REJECTED) == (slow or wrong > 6 or wrong_critical > 1)
    assert (audit.generation_time is None) == (not any(prompt[0] == "there" for prompt in prompts))


@pytest.mark.parametrize(
    ("reason", "text"),
    [(NO_IMAGE, "Failed to build a docker image"), (NO_POD, "Failed to deploy a docker image")],
)
def test_a_miner_without_image_or_pod_is_rejected_with_zero_counts(reason: str, text: str) -> None:
    audit = reject_unmeasured(MINER, reason)
    assert (audit.outcome.value, audit.reason, audit.generation_time) == ("rejected", text, None)
    assert (audit.checked_prompts, audit.failed_prompts, audit.failed_critical) == (0, 0, 0)


@pytest.mark.parametrize(
    ("generation", "sources", "verdict"),
    [
        ("passed", ["passed"], "approved"),
        ("passed", [], "unknown"),
        ("passed", ["failed"], "rejected"),
        ("passed", ["failed", "passed"], "approved"),  # a hotkey's last verdict counts
        ("passed", ["passed", "failed"], "rejected"),
        ("pending", ["passed"], "unknown"),
        ("pending", ["failed"], "rejected"),
        ("rejected", ["passed"], "rejected"),
        ("rejected", [], "rejected"),
        (None, ["passed"], "unknown"),
        (None, ["failed"], "rejected"),
        (None, [], "unknown"),
    ],
)
def test_approved_is_who_passed_both_audits_and_rejected_who_failed_either(
    generation: str | None, sources: list[str], verdict: str
) -> None:
    others = reject_unmeasured(MINERS[1], NO_POD)
    audits = {MINERS[1]: others}
    if generation:
        audits[MINER] = others.model_copy(
            update={"hotkey": MINER, "outcome": AuditOutcome(generation)}
        )
    source = [SourceAudit(hotkey=MINER, verdict=SourceVerdict(text), reason="") for text in sources]
    given_ = verdicts(GenerationAudits(audits), SourceAudits(source))
    assert given_.approved == ({MINER} if verdict == "approved" else set())
    assert given_.rejected == {MINERS[1]} | ({MINER} if verdict == "rejected" else set())


def test_a_hotkeys_first_request_stands() -> None:
    requests = AuditRequests(
        [
            AuditRequest(hotkey=MINER, critical_prompts=["a"]),
            AuditRequest(hotkey=MINER, critical_prompts=[]),
        ]
    )
    first = requests.for_hotkey(MINER)
    assert first is not None
    assert first.critical_prompts == ["a"]
    assert requests.for_hotkey(MINERS[1]) is None
