"""Replay of a round's end: winner, and every change of the state."""

from dataclasses import replace

from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History, StateChange
from gen404_assets.competition.round import STATE, Round
from gen404_assets.competition.state import Stage, State, transition_fault
from gen404_assets.competition.versions import Version
from gen404_assets.competition.winner import Winner, crown
from gen404_assets.replay.compare import compare, keeping, text
from gen404_assets.replay.following import is_time
from gen404_assets.replay.result import Difference, FileReplay, compared


def replay_winner(history: History, number: int) -> FileReplay | None:
    """The winner, from the order, the matrix and the verdicts, either as they were when it was
    written or as the head has them.
    """
    path = Asset.WINNER.path(number)
    raw = history.read(path)
    if raw is None:
        owed = _crowned(history.round(number)) if history.is_past(number) else None
        played = history.round(number).submissions is not None
        return (
            compared(Asset.WINNER, path, [Difference(path, "no file", owed.winner_hotkey)])
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
            Asset.WINNER,
            path,
            [Difference("winner_hotkey", recorded.winner_hotkey, "not decided yet", by)],
        )
    comparisons = [compare(raw, keeping(recorded, winner).to_bytes()) for winner in known]
    same = next((notes for differences, notes in comparisons if not differences), None)
    if same is None:
        differences, _ = comparisons[0]
        return compared(Asset.WINNER, path, [replace(each, origin=by) for each in differences])
    if any(winner != known[0] for winner in derived):
        last = derived[-1].winner_hotkey if derived[-1] else "nobody yet"
        same = [*same, f"by what was changed since, the winner would be {last}"]
    return compared(Asset.WINNER, path, [], same)


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


def stage_changes(history: History, number: int) -> list[StateChange]:
    """The changes of round or stage that concern the round."""
    return [
        change
        for change in history.states_of(number)
        if change.before is None
        or (change.before.current_round, change.before.stage)
        != (change.after.current_round, change.after.stage)
    ]


def replay_state(history: History, number: int) -> FileReplay | None:
    """Whether every change of stage was one that the platform may make; a person may make any.

    Of the round under way the estimate must be a time.
    """
    state = history.round(number).state
    if state is None:
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
    if state.current_round == number and not is_time(state.next_stage_eta):
        eta = text(state.next_stage_eta)
        differences.append(Difference("next_stage_eta", eta, "a time in UTC, or null"))
    return compared(Asset.STATE, STATE, differences, notes) if changes else None


def _missing(history: History, version: Version, after: State) -> str | None:
    """The file that a stage can't begin without, where the commit that began it had none."""
    needed = {
        Stage.OPEN: Asset.SCHEDULE,
        Stage.MINER_GENERATION: Asset.PROMPTS,
        Stage.DOWNLOADING: Asset.SUBMISSIONS,
        Stage.DUELS: Asset.SUBMISSIONS,
        Stage.FINALIZING: Asset.WINNER,
    }.get(after.stage)
    if needed is None:
        return None
    path = needed.path(after.current_round)
    return path if history.at(version.index).read(path) is None else None
