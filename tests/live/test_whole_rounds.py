"""Rounds from OPEN to the competition's end, whatever miners, judge, pods and people do: each stage
has an exit.
"""

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gen404_assets.competition.audits import SourceVerdict
from gen404_assets.competition.settings import BLOCK_SECONDS, Rules
from gen404_assets.competition.state import Stage
from gen404_assets.replay.opening import replay_schedule
from gen404_assets.replay.result import Finding
from gen404_assets.replay.rounds import replay_round
from simulators.rounds import now
from simulators.whole_rounds import MinerDoes, World, play, simulate
from tests.sampling import many

ORDER = [*Stage]
BUILDS = ["success", "failure", "cancelled", None]
NOBODY = World(miners=(), leader_works=True, leader_penalty=0)
UNHEALTHY = MinerDoes("success", True, 0, False, False, SourceVerdict.PASSED)
NO_POD = World(miners=(UNHEALTHY,), leader_works=True, leader_penalty=9)
NO_PICTURES = World(
    miners=(UNHEALTHY,), leader_works=True, leader_penalty=9, gone=frozenset("abcdefghijkl")
)

miners = st.builds(
    MinerDoes,
    build=st.sampled_from(BUILDS),
    serves=st.booleans(),
    penalty=st.integers(0, 10),
    honest=st.booleans(),
    deploys=st.booleans(),
    reviewed=st.sampled_from(SourceVerdict),
)
worlds = st.builds(
    World,
    miners=st.lists(miners, max_size=5).map(tuple),
    leader_works=st.booleans(),
    leader_penalty=st.integers(0, 10),
    loops=st.sampled_from([0, 0, 3, 7, 10]),
    gone=st.sets(st.sampled_from("abcdefghijkl")).map(frozenset),
)


@settings(max_examples=many(12, 40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds, st.sampled_from([100, 1000, 20_000]))
@example(NOBODY, 100)
@example(NO_POD, 100)
@example(NO_PICTURES, 100)
def test_g11_every_round_ends_in_order_whatever_happens_outside_also_after_days_off_and_replays_clean(  # noqa: E501
    world: World, blocks: int
) -> None:
    outside = simulate(world)
    stages = play(outside, blocks)
    assert stages == sorted(stages, key=lambda entry: (entry[0], ORDER.index(entry[1])))
    assert stages[-1][1] is Stage.FINISHED
    history = outside.repository.history()
    for number in range(now(outside).number + 1):
        replayed = replay_round(history, number, Rules())
        wrong = {
            file.path: [str(difference) for difference in file.differences]
            for file in replayed.files
            if file.finding not in {Finding.IDENTICAL, Finding.NOT_DERIVABLE}
        }
        assert not wrong


@settings(max_examples=many(2, 5), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds, st.sampled_from([None, "best_of_3"]))
def test_clinched_matches_change_neither_who_is_audited_on_what_nor_who_wins(
    world: World, close: str | None
) -> None:
    decided = []
    config = {
        "prompts_per_round": 12,
        "carryover_prompts": 6,
        "last_competition_date": "2026-01-06",
    }
    for rules in (Rules(), Rules(clinch_matches=True)):
        outside = simulate(world, **config, close_matches=close)
        outside.rules = rules
        play(outside, 100)
        decided.append(
            {
                path: content
                for path, content in outside.repository.head.files.items()
                if path.endswith(("require_audit.json", "winner.json")) or path == "leader.json"
            }
        )
        replayed = replay_round(outside.repository.history(), 0, Rules())
        assert all(
            file.finding in {Finding.IDENTICAL, Finding.NOT_DERIVABLE} for file in replayed.files
        )
    assert decided[0] == decided[1]


def test_a_round_that_is_opened_most_of_a_day_late_replays_clean() -> None:
    outside = simulate(NOBODY)
    outside.chain.number += 15 * 3600 // BLOCK_SECONDS
    play(outside, 100)
    history = outside.repository.history()
    schedules = [replay_schedule(history, number) for number in range(1, now(outside).number + 1)]
    assert schedules
    assert all(schedule and schedule.finding is Finding.IDENTICAL for schedule in schedules)
