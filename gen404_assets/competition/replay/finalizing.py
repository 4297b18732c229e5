"""Replay of a round's end: winner, leader, and every change of the state."""

from functools import partial

from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.leader import Leader, continue_leader
from gen404_assets.competition.replay.compare import compare, text
from gen404_assets.competition.replay.history import History, Version
from gen404_assets.competition.replay.result import Difference, FileReplay, compared
from gen404_assets.competition.round import LEADERS, STATE, round_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage, State, transition_fault
from gen404_assets.competition.winner import crown


def replay_winner(history: History, number: int) -> FileReplay | None:
    """The winner, from the order, the matrix and the verdicts."""
    path = round_path(number, "winner.json")
    raw = history.read(path)
    if raw is None:
        return None
    current = history.round(number)
    given = verdicts(current.audits, current.source_audits)
    hotkey = current.timeline.winner(current.matrix.margins, given)
    defending = current.defending
    if hotkey is None or defending is None:
        return compared("winner", path, [Difference("winner_hotkey", text(current.winner), "not decided yet")])
    return compared("winner", path, *compare(raw, crown(hotkey, current.builds, defending).to_bytes()))


def replay_leader(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The leader's entry that the round led to, given the block from which it is in effect."""
    current = history.round(number)
    following = history.round(number + 1).schedule
    winner = current.winner
    if winner is None or (following is None and (current.state is None or current.state.stage is not Stage.FINISHED)):
        return None
    entries = current.leaders.root
    block = following.latest_reveal_block if following else entries[-1].effective_block
    before = Leader([entry for entry in entries if entry.effective_block < block])
    recorded = [entry for entry in entries if entry.effective_block == block]
    derived = continue_leader(before, winner, block, current.config, rules).root[len(before) :]
    if recorded == derived:
        return compared("leader", LEADERS, [])
    version = history.written(LEADERS, partial(_entries_at, block))
    by = "typed by a person" if version and version.by_person else "written"
    sides = [text([entry.model_dump() for entry in side]) for side in (recorded, derived)]
    return compared("leader", LEADERS, [Difference(f"from block {block}", sides[0], sides[1], f"{by} in {version}")])


def _entries_at(block: int, raw: bytes) -> object:
    """The entries in effect from a block; None where the file can't be read."""
    try:
        entries = Leader.parse(raw, LEADERS).root
    except MalformedFile:
        return None
    return [entry.model_dump() for entry in entries if entry.effective_block == block]


def stage_changes(history: History, number: int) -> list[tuple[Version, State | None, State]]:
    """The changes of `state.json` that concern the round: the version, the state before, the state after."""
    found = []
    before: State | None = None
    for version, after in history.readable(STATE, partial(State.parse, path=STATE)):
        rounds = {after.current_round} if before is None else {before.current_round, after.current_round}
        moved = before is None or (before.current_round, before.stage) != (after.current_round, after.stage)
        if number in rounds and moved:
            found.append((version, before, after))
        before = after
    return found


def replay_state(history: History, number: int) -> FileReplay | None:
    """Whether every change of stage was one that the platform may make; a person may make any."""
    changes = stage_changes(history, number)
    differences: list[Difference] = []
    notes: list[str] = []
    running: Stage | None = None
    for version, before, after in changes:
        fault = transition_fault(before, after, running)
        if before is not None and before.stage is not Stage.PAUSED:
            running = before.stage
        if fault and version.by_person:
            notes.append(f"a person set it from {before.stage if before else None} to {after.stage} in {version}")
        elif fault:
            differences.append(Difference(str(version), f"{after.stage}", f"not {after.stage}: {fault}"))
        missing = _missing(history, version, after)
        if missing and before is not None:
            notes.append(f"{after.stage} without {missing} in {version}")
    return compared("state", STATE, differences, notes) if changes else None


def _missing(history: History, version: Version, after: State) -> str | None:
    """The file that a stage can't begin without, where the commit that began it had none."""
    needed = {
        Stage.OPEN: "schedule.json",
        Stage.MINER_GENERATION: "prompts.txt",
        Stage.DOWNLOADING: "submissions.json",
        Stage.DUELS: "submissions.json",
        Stage.FINALIZING: "winner.json",
    }.get(after.stage)
    if needed is None:
        return None
    path = round_path(after.current_round, needed)
    return path if history.at(version.index).read(path) is None else None
