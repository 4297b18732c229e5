"""What a round must have by the stage it is in, and has not."""

from collections.abc import Iterator
from contextlib import suppress

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.round import (
    CONFIG,
    LEADERS,
    STATE,
    miner_path,
    outputs_path,
    round_path,
)
from gen404_assets.competition.state import Stage
from gen404_assets.replay.result import Difference, FileReplay, compared

_ORDER = [Stage.OPEN, Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS, Stage.FINALIZING]


def missing_files(history: History, number: int) -> Iterator[FileReplay]:
    """The files that the round's stage requires to exist, and that do not
    (`docs/specification/state-files.md`, Order of writing).
    """
    reached = _reached(history, number)
    if reached is None:
        return
    for asset, path, stage in _required(history, number):
        if _ORDER.index(stage) <= _ORDER.index(reached) and _is_absent(history, path):
            reason = f"a file: the round has come to {reached}"
            yield compared(asset, path, [Difference(path, "no file", reason)])
    if number == max((state.current_round for _, state in history.states), default=number):
        for asset, path in (("state", STATE), ("config", CONFIG), ("leader", LEADERS)):
            if _is_absent(history, path):
                yield compared(asset, path, [Difference(path, "no file", "a file")])


def _is_absent(history: History, path: str) -> bool:
    last = history.last(path)
    return last is None or last.blob is None


def _reached(history: History, number: int) -> Stage | None:
    """The stage up to which a round has come, FINALIZING where it is over; None: not begun."""
    if history.is_past(number):
        return Stage.FINALIZING
    stages = [state.stage for _, state in history.states if state.current_round == number]
    running = [stage for stage in stages if stage in _ORDER]
    return running[-1] if running else None


def _required(history: History, number: int) -> Iterator[tuple[str, str, Stage]]:
    """(asset, path, the stage from which on it must be there)."""
    yield Asset.SCHEDULE, round_path(number, "schedule.json"), Stage.OPEN
    for asset in (Asset.SUBMISSIONS, Asset.SEED, Asset.PROMPTS):
        yield asset, round_path(number, asset.entry.file), Stage.MINER_GENERATION
    names: list[str] = []
    with suppress(MalformedFile):
        submissions = history.round(number).submissions
        names = submissions.names if submissions is not None else []
    if not names:
        return
    for hotkey in names:
        yield Asset.RENDERS, outputs_path(number, hotkey), Stage.DUELS
    yield Asset.BUILDS, round_path(number, "builds.json"), Stage.FINALIZING
    yield Asset.BASELINE, outputs_path(number, LEADER), Stage.FINALIZING
    yield Asset.MATCHES_MATRIX, round_path(number, "matches_matrix.csv"), Stage.FINALIZING
    yield from _audited(history, number)


def _audited(history: History, number: int) -> Iterator[tuple[str, str, Stage]]:
    """The regenerated outputs on which a verdict rests."""
    with suppress(MalformedFile):
        for hotkey, audit in history.round(number).audits.items():
            if audit.checked_prompts:
                path = miner_path(number, hotkey, "generated.json")
                yield Asset.REGENERATED, path, Stage.FINALIZING
