"""Replay of `leader.json`: every entry follows from a round's winner and the rules, or from a
commit that is named.

Each round answers for the entries in effect after its start, up to the start of the next; the first
round also for those before it, and the last for all that come.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import zip_longest

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.leader import Leader, Transition
from gen404_assets.competition.round import LEADERS
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.competition.succession import continue_leader, entries_made
from gen404_assets.competition.versions import Version
from gen404_assets.replay.compare import keeping, text
from gen404_assets.replay.result import Difference, FileReplay, compared


def replay_leader(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The entry of `leader.json` that the round led to, and that there is no other. The block from
    which it is in effect is taken as recorded.
    """
    ended = history.end(number)
    current = history.round(number)
    if current.schedule is None or history.last(LEADERS) is None:
        return None
    entries = current.leaders.root
    block = None if ended is None else _effective_block(history, number, ended)
    if ended is None or block is None or current.winner is None:
        # Where the round was set back after its end, the entry that it made is its own.
        made = entries_made(history, number)
        others = list(_others(history, number, [e for e in entries if e not in made], block))
        return compared(Asset.LEADER, LEADERS, others) if others else None
    # What an earlier end of the round made is its entry, unless another winner replaced it later.
    made = [entry for entry in entries_made(history, number, ended) if entry in entries]
    if made and not any(entry.effective_block == block for entry in entries):
        block, made = made[0].effective_block, []
    before = Leader([entry for entry in entries if entry.effective_block < block])
    recorded = [entry for entry in entries if entry.effective_block == block]
    config = history.round(number, ended).config
    try:
        continued = continue_leader(before, current.winner, block, config, rules, made)
    except ValueError as error:  # nobody leads
        continued = before
        nobody = [Difference(f"from block {block}", "no leader before it", str(error))]
        return compared(Asset.LEADER, LEADERS, nobody)
    derived = continued.root[len(before) :]
    derived = [keeping(old, new) for old, new in zip_longest(recorded, derived) if new is not None]
    differences = list(_others(history, number, [e for e in entries if e not in made], block))
    if recorded != derived:
        sides = [text([entry.model_dump() for entry in side]) for side in (recorded, derived)]
        origin = _by(_brought(history, block), history.last(LEADERS))
        if changed := _winner_since(history, number, block):
            origin = f"the winner was typed by a person in {changed} since; {origin}"
        differences.append(Difference(f"from block {block}", sides[0], sides[1], origin))
    return compared(Asset.LEADER, LEADERS, differences)


def _others(
    history: History, number: int, entries: Sequence[Transition], block: int | None
) -> Iterator[Difference]:
    """The entries of the round's time that nothing calls for: neither the round's end, which is in
    effect from `block` on (None: it has not come), nor what people prepared before the first round.
    """
    schedule = history.round(number).schedule
    if schedule is None:
        return
    start = schedule.latest_reveal_block
    opened = history.opened(number)
    is_first, is_last = _is_first(history, number), _is_last(history, number)
    for entry in entries:
        at = entry.effective_block
        if at == block or (at <= start and not is_first) or (at > (block or at) and not is_last):
            continue
        version = _brought(history, at)
        prepared = version is not None and (opened is None or version.index < opened.index)
        if at <= start and prepared and version is not None and version.by_person:
            continue
        yield Difference(
            f"from block {at}",
            text([entry.model_dump()]),
            "no entry: no round's end leads to it",
            _by(version, history.last(LEADERS)),
        )


def _is_first(history: History, number: int) -> bool:
    return number == min(history.rounds_under_way, default=number)


def _is_last(history: History, number: int) -> bool:
    """Whether no later round is over, so that later entries are this one's to answer for."""
    return not history.is_past(number + 1) and (
        not history.is_past(number) or history.round(number + 1).schedule is None
    )


def _brought(history: History, block: int) -> Version | None:
    return history.written(LEADERS, partial(entries_at, block))


def _winner_since(history: History, number: int, block: int) -> Version | None:
    """The commit by which a person changed the winner after the entry was written; None where none
    did.
    """
    entry = _brought(history, block)
    winner = history.last(Asset.WINNER.path(number))
    if entry is None or winner is None or not winner.by_person:
        return None
    return winner if winner.index > entry.index else None


def _by(version: Version | None, last: Version | None) -> str:
    """The origin of an entry, or of its absence."""
    version = version or last
    if version is None:
        return ""
    return f"{'typed by a person' if version.by_person else 'written'} in {version}"


def _effective_block(history: History, number: int, ended: int) -> int:
    """The block at which the round's result takes effect (`rules.md`, FINALIZING): that of the next
    round's start, as it was set when this round ended.

    After the last round there is no next start, whatever schedule was written since; then it is the
    block recorded, if there is one.
    """
    following = history.round(number + 1, ended).schedule
    if following is None and not _was_last(history, ended):
        following = history.round(number + 1).schedule
    if following is not None:
        return following.latest_reveal_block
    schedule = history.round(number).schedule
    began = schedule.latest_reveal_block if schedule else 0
    later = [
        entry.effective_block
        for entry in history.round(number).leaders.root
        if entry.effective_block > began
    ]
    return later[0] if later else began + 1


def _was_last(history: History, ended: int) -> bool:
    """Whether the competition was over with the round that commit `ended` ended."""
    stages = (state.stage for version, state in history.states if version.index == ended)
    return Stage.FINISHED in stages


def entries_at(block: int, raw: bytes) -> object:
    """The entries in effect from a block, without keys that the format doesn't know; None where the
    file can't be read.
    """
    try:
        entries = Leader.parse(raw, LEADERS).root
    except MalformedFile:
        return None
    known = set(Transition.model_fields)
    return [entry.model_dump(include=known) for entry in entries if entry.effective_block == block]
