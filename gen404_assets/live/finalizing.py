"""FINALIZING: the leader's entry, the next round's schedule and its opening in one commit, or the
competition's end.
"""

from collections.abc import Mapping

from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.round import LEADERS, Round, read_file
from gen404_assets.competition.schedule import (
    Schedule,
    is_over,
    next_start,
    schedule_at,
    start_block,
)
from gen404_assets.competition.settings import BLOCK_SECONDS, Rules
from gen404_assets.competition.state import Stage
from gen404_assets.competition.succession import continue_leader, entries_made
from gen404_assets.competition.winner import Winner
from gen404_assets.live.work import Work, state_file, time_at
from resources.chain.subtensor import Block


def finalize(work: Work) -> None:
    """Publish leader, schedule and state. What a person has scheduled or entered already is taken
    as it is.
    """
    due, current = work.due()
    if due.stage is not Stage.FINALIZING:
        return
    block = work.outside.chain.finalized()
    over = _next(work.history(), current, block) is None
    stage, number = ("finished", work.number) if over else ("open", work.number + 1)
    message = f"Update state ({stage}), {'' if over else 'schedule, '}leader for round {number}"
    work.publish([message], {Stage.FINALIZING}, lambda now: _files(work, now, block))
    work.outside.forget_round(work.number)


def _next(history: History, current: Round, block: Block) -> Schedule | None:
    """The next round's schedule: a person's, or the rules' (`rules.md`, FINALIZING); None after the
    last day.

    One that the platform made when the round ended before stands while it leaves enough time.
    """
    path = Asset.SCHEDULE.path(current.number + 1)
    scheduled = read_file(current.files, path, Schedule)
    if scheduled is not None:
        buffer = current.config.finalization_buffer_hours * 3600 // BLOCK_SECONDS
        if history.is_typed(path) or scheduled.latest_reveal_block - block.number >= buffer:
            return scheduled
    start = next_start(current.config, current.schedule, block.time, block.number)
    if is_over(current.config, start):
        return None
    return schedule_at(
        current.config, current.schedule, start_block(start, block.time, block.number)
    )


def _files(work: Work, current: Round, block: Block) -> Mapping[str, bytes | None]:
    history = work.history()
    following = _next(history, current, block)
    if following is not None:
        effective = following.latest_reveal_block
    else:
        start = next_start(current.config, current.schedule, block.time, block.number)
        effective = start_block(start, block.time, block.number)
    leaders = _leaders(current, history, effective, work.rules)
    files: dict[str, bytes | None] = {LEADERS: leaders.to_bytes(current.files.read(LEADERS))}
    if following is None:
        return files | state_file(current, Stage.FINISHED, work.rules)
    path = Asset.SCHEDULE.path(current.number + 1)
    files[path] = following.to_bytes(current.files.read(path))
    eta = time_at(block, following.latest_reveal_block)
    return files | state_file(current, Stage.OPEN, work.rules, eta)


def _leaders(current: Round, history: History, effective: int, rules: Rules) -> Leader:
    """`leader.json` with the round's one entry.

    What an earlier end of the round added stands while the same winner leads to it, so that a
    competition which is extended and finalised again decays nobody's weight twice.
    """
    winner = _winner(current, history)
    leaders, config = current.leaders, current.config
    made = [entry for entry in entries_made(history, current.number) if entry in leaders.root]
    if made:
        block = made[0].effective_block  # the entry is judged by what led before it, without itself
        before = Leader([entry for entry in leaders.root if entry.effective_block < block])
        if made[0] in continue_leader(before, winner, block, config, rules).root:
            return leaders
    others = [entry for entry in leaders.root if entry not in made]
    if others and others[-1].effective_block >= effective:
        return leaders  # a person's
    earlier = Leader([entry for entry in leaders.root if entry.effective_block < effective])
    return continue_leader(earlier, winner, effective, config, rules, made)


def _winner(current: Round, history: History) -> Winner:
    """The round's winner. Raises MalformedFile for one that the verdicts have undone since: it is
    not for the platform to set the stage back.
    """
    path = Asset.WINNER.path(current.number)
    winner = current.required_winner
    known = verdicts(current.audits, current.source_audits)
    follows = current.timeline.winner(current.matrix.margins, known)
    if current.submissions is None or winner.winner_hotkey == follows or history.is_typed(path):
        return winner
    raise MalformedFile(
        path,
        1,
        f"{winner.winner_hotkey} doesn't follow any more from the matrix and the verdicts, by "
        f"which {follows or 'nobody yet'} has won: set the stage back to duels, or commit the "
        "winner by hand",
    )
