"""Replay of how a round of an edition ends: the leader's entry and the changes of stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from gen404_assets.competition.editions.rules import successor
from gen404_assets.competition.leader import Transition
from gen404_assets.competition.round import LEADERS, STATE, round_path
from gen404_assets.replay.compare import text
from gen404_assets.replay.editions.edition_round import EditionRound, StageOfRound
from gen404_assets.replay.leading import entries_at
from gen404_assets.replay.result import Difference, FileReplay, compared


@dataclass(frozen=True, slots=True)
class Ending:
    """How a round came to its end: who won it (None: the leader), the last block of its window, and
    the block from which the result is in effect.
    """

    winner: Transition | None
    began: int
    effective: int


def replay_leader(
    this_round: EditionRound,
    ending: Ending,
    *,
    decay: float,
    floor: float,
    may_stay: bool = False,
) -> FileReplay:
    """The entry that the round led to. `decay`, `floor`: of a defended leader's weight. `may_stay`:
    whether it may also keep its weight without an entry.
    """
    winner, effective = ending.winner, ending.effective
    entries = this_round.leaders.root
    before = [entry for entry in entries if entry.effective_block < effective]
    recorded = [entry for entry in entries if entry.effective_block == effective]
    late = [entry for entry in before if entry.effective_block > ending.began]
    if not before:
        return compared("leader", LEADERS, [Difference("leader", "nobody", "the first leader")])
    current = before[-1]
    derived = successor(current, winner, decay, floor, effective)
    known = [
        new.model_copy(update=old.model_extra or {})
        for old, new in zip(recorded, derived, strict=False)
    ] + derived[len(recorded) :]
    notes = [f"an entry from block {entry.effective_block}, within the round" for entry in late]
    if _same(recorded, known):
        return compared("leader", LEADERS, [], notes)
    defended = winner is None or (winner.repo, winner.commit) == (current.repo, current.commit)
    if may_stay and defended and not recorded:
        kept = f"the leader keeps the weight {current.weight}, as if it didn't decay"
        return compared("leader", LEADERS, [], [*notes, kept])
    version = this_round.history.written(LEADERS, partial(entries_at, effective))
    by = f"written by {this_round.who(version)} in {version}" if version is not None else ""
    then, now = (text([entry.model_dump() for entry in side]) for side in (recorded, known))
    place = f"from block {effective}"
    return compared("leader", LEADERS, [Difference(place, then, now, by)], notes)


def _same(recorded: list[Transition], derived: list[Transition]) -> bool:
    """Whether the entries are the same, weights being equal to ten digits: some versions of the
    platform rounded them, others didn't."""
    return [_rounded(entry) for entry in recorded] == [_rounded(entry) for entry in derived]


def _rounded(entry: Transition) -> dict[str, Any]:
    return entry.model_dump() | {"weight": round(entry.weight, 10)}


def replay_state(this_round: EditionRound, needed: Mapping[str, str]) -> FileReplay | None:
    """Whether every change of stage during the round was one that the platform may make; a person
    may make any. `needed`: stage -> the file of the round that it can't begin without.
    """
    changes = this_round.stage_changes
    if not changes:
        return None
    differences, notes = [], []
    for version, before, after in changes:
        fault, stage = _fault(this_round, before, after), after.stage
        if fault and this_round.who(version) == "a person":
            notes.append(f"a person set it from {before} to {after} in {version}")
        elif fault:
            differences.append(Difference(str(version), stage, f"not {stage}: {fault}"))
        path = round_path(after.round, needed.get(stage, ""))
        if stage in needed and not this_round.history.at(version.index).read(path):
            notes.append(f"{stage} without {path} in {version}")
    return compared("state", STATE, differences, notes)


def _fault(this_round: EditionRound, before: StageOfRound, after: StageOfRound) -> str:
    """Why the platform may not make that change; empty if it may."""
    stages = list(this_round.rules.stages)
    (number, stage), (then, now) = before, after
    if stage == "paused":
        return "only a person ends a pause"
    ends = stage == stages[-1] and (then == number + 1 or now == "finished")
    if now == "paused" and (then == number or ends):
        return ""
    if then == number and now in _next(stages, stage):
        return ""
    if ends and now in {stages[0], "finished"}:
        return ""
    return f"round {number} {stage} can't become round {then} {now}"


def _next(stages: list[str], stage: str) -> set[str]:
    """The stages that may follow in the same round. A round without submissions goes from its first
    to its last."""
    if stage not in stages[:-1]:
        return set()
    following = {stages[stages.index(stage) + 1]}
    return following | ({stages[-1]} if stage == stages[0] else set())
