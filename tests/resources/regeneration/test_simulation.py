"""Hundreds of simulated regenerations, with `THOROUGH` thousands: whatever the pods do, the plan
keeps what it promises.
"""

import random

import pytest

from gen404_assets.competition.audits import AuditOutcome, is_mismatched, judge_audit
from gen404_assets.competition.due import ATTEMPTS
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.regeneration import Prompts
from gen404_assets.competition.settings import Rules
from simulators.examples import MINER, output
from simulators.regeneration import Image, Made, Simulation, Trace, an_image
from tests.sampling import many

PODS = PodRules()
RUNS = many(400, 2000)


def rules(count: int) -> Rules:
    """The rules for a round of `count` prompts, tolerances and trims as small as it is."""
    return Rules(max_mismatched_prompts=max(1, count // 8), generation_median_trim_count=count // 8)


@pytest.mark.parametrize("batch", range(10))
def test_whatever_pods_do_the_promises_are_kept(batch: int) -> None:
    for seed in range(batch * RUNS // 10, (batch + 1) * RUNS // 10):
        rng = random.Random(seed)
        stems = [f"p{number:02}" for number in range(rng.choice([1, 3, 8, 8, 16, 24]))]
        audited = rng.random() < 0.8
        prompts = Prompts(stems, rules(len(stems)), audited=audited)
        simulation = Simulation(prompts, PODS, an_image(seed, stems))
        trace = simulation.run()
        plan = simulation.plan
        _assert_budgets(simulation, trace)
        # Nothing is lost: what is not settled has no pod left that could take it, nor the budget
        # for one.
        assert not prompts.locks or prompts.decided
        settled = {
            stem
            for stem in stems
            if stem in prompts.best and not is_mismatched(prompts.best[stem], prompts.rules)
        }
        far = {
            stem for stem in set(prompts.best) - settled if prompts.best[stem].complete and audited
        }
        for stem in set(stems) - settled - far if not prompts.decided else ():
            takers = [
                pod for pod in plan.pods.values() if pod.ended is None and stem not in pod.tried
            ]
            places = sum(not pod.replaced and not pod.bad for pod in plan.pods.values())
            target = PODS.pods_per_miner if plan.deployed else PODS.initial_pod_count
            assert (
                prompts.attempts[stem] == ATTEMPTS
                or len(trace.starts) == PODS.max_pod_attempts
                or (places == target and not any(pod.takes_retries for pod in takers))
            ), seed
        # The verdict is certain where it came early, and closed where it is a baseline.
        if prompts.decided:
            audit = judge_audit(
                MINER,
                Outputs({stem: output() for stem in stems}),
                prompts.outputs(),
                [],
                prompts.rules,
            )
            assert audit is not None
            assert audit.outcome is AuditOutcome.REJECTED
        if not audited:
            closed = prompts.closed()
            assert closed.names == stems
            assert all(out.complete or out.attempts == ATTEMPTS for _, out in closed.items())
        # Pods that are not needed cost nothing: each had work or a chance of it to the end.
        stats = plan.stats()
        assert sum(pod.processed for _, pod in stats.items()) == sum(prompts.attempts.values())


def _assert_budgets(simulation: Simulation, trace: Trace) -> None:
    assert len(trace.starts) <= PODS.max_pod_attempts
    assert trace.most_alive <= PODS.pods_per_miner
    assert trace.most_alive_before_healthy <= PODS.initial_pod_count
    assert all(
        later - sooner >= 30 for sooner, later in zip(trace.starts, trace.starts[1:], strict=False)
    )
    assert all(attempts <= ATTEMPTS for attempts in simulation.plan.prompts.attempts.values())
    # No image is given up before it has had its hour.
    image = simulation.image
    for index, pod in enumerate(simulation.plan.pods.values()):
        if pod.ended == "never became healthy":
            assert image.placed(index) < 3600 <= image.warm_up(index)
        if pod.ended == "never placed":
            assert image.placed(index) >= 3600


@pytest.mark.parametrize("liars", [0, 5, 7, 8, 11, 12, 13, 40, 128])
def test_the_verdict_is_the_same_with_and_without_the_early_end(liars: int) -> None:
    stems = [f"p{number:03}" for number in range(128)]
    lying = set(random.Random(liars).sample(stems, liars))

    def make(pod: int, stem: str) -> Made:
        return Made(20.0 + pod, 5.0, 0.5 if stem in lying else 0.01)

    submitted = Outputs({stem: output() for stem in stems})
    outcomes = []
    for tolerated in (6, 1000):
        prompts = Prompts(stems, Rules(max_mismatched_prompts=tolerated), audited=True)
        trace = Simulation(prompts, PODS, Image(lambda _: 300.0, make)).run()
        audit = judge_audit(MINER, submitted, prompts.outputs(), [], Rules())
        assert audit is not None
        outcomes.append((audit.outcome, trace.pod_seconds))
    assert (
        outcomes[0][0]
        == outcomes[1][0]
        == (AuditOutcome.REJECTED if liars > 6 else AuditOutcome.PASSED)
    )
    assert (outcomes[0][1] < outcomes[1][1]) == (liars >= 12)
