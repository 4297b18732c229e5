"""Which weights a validator gives by the leader file, and when (`interfaces.md`, Weights)."""

from collections.abc import Mapping
from dataclasses import dataclass

from gen404_assets.competition.leader import Leader, Transition
from gen404_assets.competition.settings import BLOCK_SECONDS

SET_EVERY = 30 * 60 // BLOCK_SECONDS
"""Blocks after which the same weights are set again."""
HELD_BACK = 25 * 60 // BLOCK_SECONDS
"""Blocks before a change in which none are set: the chain's rate limit would delay the change."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What weights were set from: the repository's commit, the leader file's entry in effect (None
    where nobody led), and the finalised block.
    """

    commit: str
    entry: Transition | None
    block: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why no weights are set now; `text` is empty where they are. `held_back`: a change is near,
    which nobody should delay.
    """

    text: str = ""
    held_back: bool = False


class StaleLeaders(Exception):
    """The leader file is older than the one that weights were set from before."""


def shares(leader: Transition | None, uids: Mapping[str, int], owner: int) -> dict[int, float]:
    """Uid -> weight, summing to 1: the leader's weight, and the rest for the subnet's owner.

    The owner has all where nobody leads, or the leader isn't registered, is the owner, or has no
    weight.
    """
    uid = uids.get(leader.hotkey) if leader is not None else None
    if leader is None or uid is None or uid == owner:
        return {owner: 1.0}
    both = {uid: leader.weight, owner: 1.0 - leader.weight}
    return {each: weight for each, weight in both.items() if weight > 0}


def why_not(leaders: Leader, block: int, acted: Acted | None) -> Reason:
    """Why no weights are set at finalised `block`, if they aren't.

    They are set every 30 minutes and right after a change, and not in the 25 minutes before one.
    A change is another leader, or another weight of the same. Raises StaleLeaders.
    """
    current = leaders.at(block)
    check_newer(current, acted)
    change = _next_change(leaders, block)
    if change is not None and change.effective_block - block <= HELD_BACK:
        at = change.effective_block
        return Reason(
            f"the leader's entry changes at block {at}, and it is {block}", held_back=True
        )
    if acted is None or not _same(current, acted.entry) or block >= acted.block + SET_EVERY:
        return Reason()
    again = acted.block + SET_EVERY
    return Reason(f"set at block {acted.block}, again at {again}, and it is {block}")


def check_newer(current: Transition | None, acted: Acted | None) -> None:
    """Raise StaleLeaders where the entry in effect is of before the one that was acted on."""
    known = acted.entry if acted is not None else None
    if known is None:
        return
    if current is None or current.effective_block < known.effective_block:
        now = f"that of block {current.effective_block}" if current else "none"
        raise StaleLeaders(
            f"leader.json has lost the entry of block {known.effective_block}, from which weights "
            f"were set: the one in effect is {now}"
        )


def _next_change(leaders: Leader, block: int) -> Transition | None:
    current = leaders.at(block)
    for entry in leaders.root:
        if entry.effective_block > block:
            if not _same(entry, current):
                return entry
            current = entry
    return None


def _same(one: Transition | None, other: Transition | None) -> bool:
    """Whether both give the same weights."""
    if one is None or other is None:
        return one is other
    return (one.hotkey, one.weight) == (other.hotkey, other.weight)
