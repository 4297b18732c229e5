"""`state.json`: which round, which stage, and which stage may follow which."""

from enum import StrEnum

from pydantic import Field

from gen404_assets.competition.files import ObjectFile


class Stage(StrEnum):
    """The stages of a round, in order, and the two in which nothing moves."""

    OPEN = "open"
    MINER_GENERATION = "miner_generation"
    DOWNLOADING = "downloading"
    DUELS = "duels"
    FINALIZING = "finalizing"
    FINISHED = "finished"
    PAUSED = "paused"


WITH_IMAGES = frozenset({Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS})
"""The stages in which miners' images are built and run, and what comes of it is published."""


class State(ObjectFile):
    """`next_stage_eta` is an estimate, ISO-8601 UTC. `interrupted_stage` is ours: where a pause
    goes back to.
    """

    current_round: int = Field(ge=0)
    stage: Stage
    next_stage_eta: str | None = None
    interrupted_stage: Stage | None = None


_NEXT = {
    # The latter without any submission (`rules.md`, OPEN).
    Stage.OPEN: {Stage.MINER_GENERATION, Stage.FINALIZING},
    Stage.MINER_GENERATION: {Stage.DOWNLOADING},
    Stage.DOWNLOADING: {Stage.DUELS},
    Stage.DUELS: {Stage.FINALIZING},
    Stage.FINALIZING: {Stage.FINISHED},
    Stage.FINISHED: set(),
}


def transition_fault(
    before: State | None, after: State, interrupted: Stage | None = None
) -> str | None:
    """Why the platform may not turn `before` into `after`, or None if it may.

    `interrupted` is the stage that a pause, if `before` is one, holds up. The first state of all
    may be any.
    """
    if before is None:
        return None
    same_round = before.current_round == after.current_round
    if same_round and before.stage == after.stage:
        return None
    next_round = (
        before.stage is Stage.FINALIZING and after.current_round == before.current_round + 1
    )
    if after.stage is Stage.PAUSED:
        under_way = before.stage is not Stage.FINISHED if same_round else next_round
        return None if under_way else "a pause belongs to a round under way"
    stage = (
        before.interrupted_stage or interrupted if before.stage is Stage.PAUSED else before.stage
    )
    if stage is None:
        return None
    if same_round and (after.stage in _NEXT.get(stage, set()) or after.stage is stage):
        return None
    if (
        stage is Stage.FINALIZING
        and after.stage is Stage.OPEN
        and after.current_round == before.current_round + 1
    ):
        return None
    was, is_now = (f"round {state.current_round} {state.stage}" for state in (before, after))
    return f"{was} can't become {is_now}"


def advance(state: State, to: Stage, *, eta: str | None, pause: bool) -> State:
    """`state` with the stage `to`, of the next round if that is OPEN, or held before it when
    `pause` (`PAUSE_ON_STAGE_END`) is set. The pause remembers `to`, so that resuming goes there.
    """
    if to is Stage.OPEN:
        state = state.model_copy(update={"current_round": state.current_round + 1})
    if pause:
        return state.model_copy(
            update={"stage": Stage.PAUSED, "next_stage_eta": None, "interrupted_stage": to}
        )
    return _without_pause(state.model_copy(update={"stage": to, "next_stage_eta": eta}))


def resume(state: State) -> State:
    """The state that a pause interrupted. Raises ValueError where there is none to go back to."""
    if state.stage is not Stage.PAUSED or state.interrupted_stage is None:
        raise ValueError("no pause that remembers its stage")
    return _without_pause(state.model_copy(update={"stage": state.interrupted_stage}))


def _without_pause(state: State) -> State:
    return State(**state.model_dump(exclude={"interrupted_stage"}, exclude_unset=True))
