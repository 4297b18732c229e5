"""State: which stage may follow which, and what a pause remembers."""

from itertools import product

import pytest

from gen404_assets.competition.state import Stage, State, advance, resume, transition_fault
from simulators.examples import DOCUMENTS, text_of

STAGES = [*Stage]
LEGAL = {
    ("open", "miner_generation"),
    ("open", "finalizing"),
    ("miner_generation", "downloading"),
    ("downloading", "duels"),
    ("duels", "finalizing"),
    ("finalizing", "finished"),
    *((stage.value, "paused") for stage in Stage if stage is not Stage.FINISHED),
    *((stage.value, stage.value) for stage in Stage),
}
"""What may follow within a round; a stage may always be told again."""


def at(stage: str, number: int = 3, **more: object) -> State:
    return State.model_validate({"current_round": number, "stage": Stage(stage), **more})


@pytest.mark.parametrize(("before", "after"), [*product(STAGES, STAGES)])
def test_a_round_goes_through_its_stages_in_order(before: Stage, after: Stage) -> None:
    if before is Stage.PAUSED:
        return
    fault = transition_fault(at(before), at(after))
    assert (fault is None) == ((before.value, after.value) in LEGAL)


@pytest.mark.parametrize(("before", "after"), [*product(STAGES, STAGES)])
def test_the_next_round_opens_or_pauses_when_this_one_is_finalised_and_in_no_other_way(
    before: Stage, after: Stage
) -> None:
    if before is Stage.PAUSED:
        return
    fault = transition_fault(at(before), at(after, 4))
    assert (fault is None) == (before is Stage.FINALIZING and after in {Stage.OPEN, Stage.PAUSED})


@pytest.mark.parametrize("number", [2, 5])
def test_no_round_is_skipped_or_opened_again(number: int) -> None:
    assert transition_fault(at("finalizing"), at("open", number))


def test_the_first_state_of_all_may_be_any() -> None:
    assert all(transition_fault(None, at(stage, 7)) is None for stage in Stage)


def test_a_fault_names_both_states() -> None:
    assert transition_fault(at("duels"), at("open", 4)) == "round 3 duels can't become round 4 open"


ACTIVE = [stage for stage in Stage if stage not in {Stage.PAUSED, Stage.FINISHED}]


@pytest.mark.parametrize("stage", ACTIVE)
def test_g13_a_pause_goes_back_to_the_stage_it_interrupted(stage: Stage) -> None:
    paused = at("paused", interrupted_stage=stage)
    assert resume(paused).stage is stage
    assert transition_fault(paused, resume(paused)) is None
    assert "interrupted_stage" not in resume(paused).model_dump(exclude_unset=True)


@pytest.mark.parametrize(("interrupted", "after"), [*product(ACTIVE, STAGES)])
def test_g13_a_pause_leads_no_further_than_the_stage_it_interrupts(
    interrupted: Stage, after: Stage
) -> None:
    legal = (interrupted.value, after.value) in LEGAL | {("paused", "paused")}
    assert (
        transition_fault(at("paused", interrupted_stage=interrupted), at(after)) is None
    ) == legal
    assert (transition_fault(at("paused"), at(after), interrupted) is None) == legal


def test_g13_what_a_pause_remembers_counts_more_than_what_went_before_it() -> None:
    paused = at("paused", interrupted_stage=Stage.FINALIZING)
    assert transition_fault(paused, at("finalizing"), Stage.MINER_GENERATION) is None
    assert transition_fault(paused, at("downloading"), Stage.MINER_GENERATION)


def test_g13_there_is_no_going_back_where_nothing_was_remembered() -> None:
    for state in (at("paused"), at("duels"), at("duels", interrupted_stage=Stage.OPEN)):
        with pytest.raises(ValueError, match="pause"):
            resume(state)


def test_a_person_may_set_any_stage_by_hand_after_a_pause_that_remembers_none() -> None:
    assert all(transition_fault(at("paused"), at(stage)) is None for stage in Stage)


def test_a_stage_advances_with_its_estimate() -> None:
    after = advance(
        at("open", next_stage_eta="2026-01-05T08:00:00Z"),
        Stage.MINER_GENERATION,
        eta="later",
        pause=False,
    )
    assert after == at("miner_generation", next_stage_eta="later")


def test_the_next_round_opens_with_its_number() -> None:
    assert advance(at("finalizing", 3), Stage.OPEN, eta=None, pause=False) == at("open", 4)


@pytest.mark.parametrize(
    "to", [Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS, Stage.FINALIZING]
)
def test_g13_a_pause_between_two_stages_remembers_the_second(to: Stage) -> None:
    before = at(
        {
            after: first
            for first, after in LEGAL
            if first not in {"open", after} or after == "miner_generation"
        }[to]
    )
    paused = advance(before, to, eta="later", pause=True)
    assert (paused.stage, paused.interrupted_stage, paused.next_stage_eta) == (
        Stage.PAUSED,
        to,
        None,
    )
    assert transition_fault(before, paused) is None
    assert resume(paused).stage is to
    assert transition_fault(paused, resume(paused)) is None


def test_g13_a_pause_at_the_end_of_a_round_goes_on_with_the_next() -> None:
    finalising = at("finalizing", 3)
    paused = advance(finalising, Stage.OPEN, eta=None, pause=True)
    assert transition_fault(finalising, paused) is None
    resumed = resume(paused)
    assert (resumed.current_round, resumed.stage) == (4, Stage.OPEN)
    assert transition_fault(paused, resumed) is None


def test_g17_a_pause_and_its_end_keep_unknown_keys() -> None:
    raw = text_of(State, DOCUMENTS[State] | {"note": "a person's"})
    paused = advance(State.parse(raw, "state.json"), Stage.FINALIZING, eta=None, pause=True)
    assert (
        b'"note": "a person\'s"'
        in resume(State.parse(paused.to_bytes(replacing=raw), "state.json")).to_bytes()
    )
