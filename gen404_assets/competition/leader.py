"""`leader.json`: who leads from which block with which weight, and how a round's result continues
it.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from gen404_assets.competition.config import Config
from gen404_assets.competition.files import ListFile, Record
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.settings import Rules

if TYPE_CHECKING:
    from gen404_assets.competition.winner import Winner

FULL_WEIGHT = 1.0


class Transition(Record):
    """A leader from `effective_block` on: its code (`repo`, `commit`), image and weight."""

    hotkey: str
    repo: str
    commit: str
    docker: str | None
    weight: float = Field(ge=0, le=1, allow_inf_nan=False)
    effective_block: int = Field(ge=0)


class Leader(ListFile[Transition]):
    """The transitions, oldest first, their blocks strictly increasing."""

    wrapper: ClassVar[str | None] = "transitions"

    @model_validator(mode="after")
    def _in_order(self) -> "Leader":
        blocks = [transition.effective_block for transition in self.root]
        if any(later <= earlier for earlier, later in pairwise(blocks)):
            raise ValueError("effective_block must strictly increase")
        return self

    def at(self, block: int) -> Transition | None:
        """The leader at `block`: the last entry in effect."""
        return next(
            (entry for entry in reversed(self.root) if entry.effective_block <= block), None
        )


def continue_leader(
    leader: Leader, winner: "Winner", effective_block: int, config: Config, rules: Rules
) -> Leader:
    """`leader` after a round that `winner` won, from `effective_block` on (`rules.md`, FINALIZING).

    New code takes over with full weight; a defence decays the weight to the floor. Raises
    ValueError without a leader.
    """
    current = leader.at(effective_block - 1)
    if current is None:
        raise ValueError(f"nobody leads before block {effective_block}")
    same_code = (winner.repo, winner.commit) == (current.repo, current.commit)
    if winner.winner_hotkey != LEADER and not same_code:
        entry = Transition(
            hotkey=winner.winner_hotkey,
            repo=winner.repo,
            commit=winner.commit,
            docker=winner.docker_image,
            weight=FULL_WEIGHT,
            effective_block=effective_block,
        )
    elif current.weight > config.weight_floor:
        decayed = current.weight - config.weight_decay
        digits = rules.weight_digits
        weight = max(config.weight_floor, decayed if digits is None else round(decayed, digits))
        entry = current.model_copy(update={"weight": weight, "effective_block": effective_block})
    else:
        return leader
    return Leader([*leader.root, entry])
