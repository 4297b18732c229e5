"""FINALIZING: the leader's entry, the next round's schedule and its opening in one commit, or the
competition's end.
"""

from collections.abc import Mapping

from gen404_assets.competition.leader import Leader
from gen404_assets.competition.round import LEADERS, Round, read_file, round_path
from gen404_assets.competition.schedule import (
    Schedule,
    is_over,
    next_start,
    schedule_at,
    start_block,
)
from gen404_assets.competition.state import Stage
from gen404_assets.competition.succession import continue_leader
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
    over = _next(current, block) is None
    stage, number = ("finished", work.number) if over else ("open", work.number + 1)
    message = f"Update state ({stage}), {'' if over else 'schedule, '}leader for round {number}"
    work.publish([message], {Stage.FINALIZING}, lambda now: _files(work, now, block))


def _next(current: Round, block: Block) -> Schedule | None:
    """The next round's schedule: a person's, or the rules' (`rules.md`, FINALIZING); None after the
    last day.
    """
    path = round_path(current.number + 1, "schedule.json")
    typed = read_file(current.files, path, Schedule)
    if typed is not None:
        return typed
    start = next_start(current.config, current.schedule, block.time, block.number)
    if is_over(current.config, start):
        return None
    return schedule_at(
        current.config, current.schedule, start_block(start, block.time, block.number)
    )


def _files(work: Work, current: Round, block: Block) -> Mapping[str, bytes | None]:
    following = _next(current, block)
    if following is not None:
        effective = following.latest_reveal_block
    else:
        start = next_start(current.config, current.schedule, block.time, block.number)
        effective = start_block(start, block.time, block.number)
    files: dict[str, bytes | None] = {
        LEADERS: _leaders(work, current, effective).to_bytes(current.files.read(LEADERS))
    }
    if following is None:
        return files | state_file(current, Stage.FINISHED, work.rules)
    path = round_path(current.number + 1, "schedule.json")
    files[path] = following.to_bytes(current.files.read(path))
    eta = time_at(block, following.latest_reveal_block)
    return files | state_file(current, Stage.OPEN, work.rules, eta)


def _leaders(work: Work, current: Round, effective: int) -> Leader:
    leaders = current.leaders
    if leaders.root and leaders.root[-1].effective_block >= effective:
        return leaders
    winner = current.required_winner
    return continue_leader(leaders, winner, effective, current.config, work.rules)
