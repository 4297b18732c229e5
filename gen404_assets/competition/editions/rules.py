"""What an edition of the rules consists of, and the parts that several editions share."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gen404_assets.competition.editions.facts import RoundFacts, RoundFiles
from gen404_assets.competition.files import StateFile
from gen404_assets.competition.leader import FULL_WEIGHT, Transition

BLOCKS_PER_DAY = 7200  # of 12 s
START_TOLERANCE = 100
"""Blocks by which a start may miss whole days: the chain loses up to a dozen slots in three days,
and the block at a start was reckoned, not awaited."""
NO_VERSION = "none"


@dataclass(frozen=True)
class EditionFile:
    """One kind of file of an edition.

    `shown`: how it is written in a listing; `pattern`: what its path below `rounds/{n}/` is, or the
    path at the root where all rounds share it (`shared`). `kind`: how it is read, None for text
    that its derivation reads. `evidence`: why a replay takes it as recorded; empty where it is
    derived. `rule`: the rule whose versions are tried on it. `stage`: the group in the UI.
    """

    asset: str
    shown: str
    pattern: str
    kind: type[StateFile] | None
    stage: str
    evidence: str = ""
    rule: str | None = None
    shared: bool = False


@dataclass(frozen=True)
class EditionRules:
    """An edition as data.

    `marks`: files below `rounds/{n}/` that this edition alone writes. `platform`: the lines of
    commit messages that its platform wrote. `following`: stage -> those that the platform may make
    of it, within a round; the last of `stages` leads to the first of the next round.
    `facts`: how a round went by its files, for tables and reports. `versions`: rule ->
    the names of its versions, the latest first. `deps`: asset -> those that it is made from,
    `config` and `prompt_pool` among them.
    """

    name: str
    title: str
    files: Sequence[EditionFile]
    marks: re.Pattern[str]
    platform: re.Pattern[str]
    by_hand: tuple[str, ...]
    stages: Sequence[str]
    facts: Callable[[RoundFiles], RoundFacts]
    versions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    deps: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def by_person(self, message: str) -> bool:
        """Whether a person made the commit with this message."""
        lines = [line.strip() for line in re.split(r"[\n;]", message) if line.strip()]
        return not lines or any(self.platform.fullmatch(line) is None for line in lines)

    def kind_of(self, name: str) -> EditionFile | None:
        """The kind of the file with this name below `rounds/{n}/`; None for files of no kind."""
        return next(
            (
                each
                for each in self.files
                if not each.shared and re.fullmatch(each.pattern, name) is not None
            ),
            None,
        )


def carried_over(rng: random.Random, previous: Sequence[str], size: int) -> list[str]:
    """A share of the previous round's prompts; all of them where they aren't more."""
    return list(previous) if len(previous) <= size else rng.sample(previous, size)


def drawn_from(rng: random.Random, pool: Sequence[str], size: int) -> list[str]:
    """New prompts from the pool; all of it where it isn't longer."""
    return list(pool) if len(pool) <= size else rng.sample(pool, size)


def whole_days(blocks: int, least: int) -> bool:
    """Whether this many blocks are whole days, `least` or more, by the chain's pace."""
    days = round(blocks / BLOCKS_PER_DAY)
    return days >= least and abs(blocks - days * BLOCKS_PER_DAY) <= START_TOLERANCE * days


def successor(
    current: Transition, winner: Transition | None, decay: float, floor: float, block: int
) -> list[Transition]:
    """The entry that a round adds to `leader.json`: the `winner` (None: the leader) from `block`
    on. New code leads with full weight; else the weight decays, until it is at the floor.
    """
    if winner is not None and (winner.repo, winner.commit) != (current.repo, current.commit):
        return [winner.model_copy(update={"weight": FULL_WEIGHT, "effective_block": block})]
    if current.weight <= floor:
        return []
    weight = round(max(floor, current.weight - decay), 10)
    return [current.model_copy(update={"weight": weight, "effective_block": block})]
