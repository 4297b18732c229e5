"""`leader.json`: who leads from which block with which weight."""

from itertools import pairwise
from typing import ClassVar

from pydantic import Field, model_validator

from gen404_assets.competition.files import ListFile, Record

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
