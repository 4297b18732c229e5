"""Replay of a round's end: winner, leader, and every change of the state."""

from dataclasses import replace
from functools import partial
from itertools import zip_longest

from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History, Version
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.round import LEADERS, STATE, Round, round_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage, State, transition_fault
from gen404_assets.competition.succession import continue_leader, entries_made
from gen404_assets.competition.winner import Winner, crown
from gen404_assets.replay.compare import compare, keeping, text
from gen404_assets.replay.result import Difference, FileReplay, compared


def replay_winner(history: History, number: int) -> FileReplay | None:
    """The winner, from the order, the matrix and the verdicts, either as they were when it was
    written or as the head has them.
    """
    path = round_path(number, "winner.json")
    raw = history.read(path)
    if raw is None:
        owed = _crowned(history.round(number)) if history.is_past(number) else None
        played = history.round(number).submissions is not None
        return (
            compared("winner", path, [Difference(path, "no file", owed.winner_hotkey)])
            if owed and played
            else None
        )
    recorded = Winner.parse(raw, path)
    version = history.written(path, bytes)
    by = f"written by {version.who} in {version}" if version else ""
    derived = _crowned_then_and_now(history, number, version)
    known = [winner for winner in derived if winner is not None]
    if not known:
        return compared(
            "winner",
            path,
            [Difference("winner_hotkey", recorded.winner_hotkey, "not decided yet", by)],
        )
    comparisons = [compare(raw, keeping(recorded, winner).to_bytes()) for winner in known]
    same = next((notes for differences, notes in comparisons if not differences), None)
    if same is None:
        differences, _ = comparisons[0]
        return compared("winner", path, [replace(each, origin=by) for each in differences])
    if any(winner != known[0] for winner in derived):
        last = derived[-1].winner_hotkey if derived[-1] else "nobody yet"
        same = [*same, f"by what was changed since, the winner would be {last}"]
    return compared("winner", path, [], same)


def _crowned_then_and_now(
    history: History, number: int, written: Version | None
) -> list[Winner | None]:
    """The winner by the files at the commit that wrote it, and at the head. Raises MalformedFile if
    it can't be derived from either.
    """
    winners: list[Winner | None] = []
    failure: MalformedFile | None = None
    for index in dict.fromkeys((written.index if written else None, None)):
        try:
            winners.append(_crowned(history.round(number, index)))
        except MalformedFile as error:
            failure = error
    if failure is not None and not winners:
        raise failure
    return winners


def _crowned(then: Round) -> Winner | None:
    """The winner by a round's files (`rules.md`, Timeline 4); None while they decide nothing."""
    hotkey = then.timeline.winner(then.matrix.margins, verdicts(then.audits, then.source_audits))
    if hotkey is None or then.defending is None:
        return None
    try:
        return crown(hotkey, then.builds, then.defending)
    except KeyError:  # the winner has no build
        return None


def replay_leader(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The entry of `leader.json` that the round led to. The block from which it is in effect is
    taken as recorded.
    """
    ended = history.end(number)
    current = history.round(number)
    winner = current.winner
    if winner is None or ended is None or current.schedule is None:
        return None
    entries = current.leaders.root
    block = _effective_block(history, number, ended)
    # What an earlier end of the round made is its entry, unless another winner replaced it later.
    made = [entry for entry in entries_made(history, number, ended) if entry in entries]
    if made and not any(entry.effective_block == block for entry in entries):
        block, made = made[0].effective_block, []
    before = Leader([entry for entry in entries if entry.effective_block < block])
    recorded = [entry for entry in entries if entry.effective_block == block]
    config = history.round(number, ended).config
    derived = continue_leader(before, winner, block, config, rules, made).root[len(before) :]
    derived = [keeping(old, new) for old, new in zip_longest(recorded, derived) if new is not None]
    if recorded == derived:
        return compared("leader", LEADERS, [])
    version = history.written(LEADERS, partial(_entries_at, block))
    by = "typed by a person" if version and version.by_person else "written"
    sides = [text([entry.model_dump() for entry in side]) for side in (recorded, derived)]
    return compared(
        "leader",
        LEADERS,
        [Difference(f"from block {block}", sides[0], sides[1], f"{by} in {version}")],
    )


def _effective_block(history: History, number: int, ended: int) -> int:
    """The block at which the round's result takes effect (`rules.md`, FINALIZING): that of the next
    round's start, as it was set when this round ended.

    After the last round there is no next start; then it is the block recorded, if there is one.
    """
    following = history.round(number + 1, ended).schedule or history.round(number + 1).schedule
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


def _entries_at(block: int, raw: bytes) -> object:
    """The entries in effect from a block; None where the file can't be read."""
    try:
        entries = Leader.parse(raw, LEADERS).root
    except MalformedFile:
        return None
    return [entry.model_dump() for entry in entries if entry.effective_block == block]


def stage_changes(history: History, number: int) -> list[tuple[Version, State | None, State]]:
    """The changes of round or stage that concern the round: the version of `state.json`, the state
    before and the state after.
    """
    changes = []
    before: State | None = None
    for version, after in history.states:
        rounds = (
            {after.current_round} if before is None else {before.current_round, after.current_round}
        )
        moved = before is None or (before.current_round, before.stage) != (
            after.current_round,
            after.stage,
        )
        if number in rounds and moved:
            changes.append((version, before, after))
        before = after
    return changes


def replay_state(history: History, number: int) -> FileReplay | None:
    """Whether every change of stage was one that the platform may make; a person may make any."""
    if history.round(number).state is None:
        return None
    changes = stage_changes(history, number)
    differences: list[Difference] = []
    notes: list[str] = []
    running: Stage | None = None
    for version, before, after in changes:
        fault = transition_fault(before, after, running)
        if before is not None and before.stage is not Stage.PAUSED:
            running = before.stage
        if fault and version.by_person:
            notes.append(
                f"a person set it from {before.stage if before else None} to {after.stage} in "
                f"{version}"
            )
        elif fault:
            differences.append(
                Difference(str(version), f"{after.stage}", f"not {after.stage}: {fault}")
            )
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
