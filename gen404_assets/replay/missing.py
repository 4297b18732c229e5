"""What a round must have by its end, and has not, or can't be read."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.config import Config
from gen404_assets.competition.due import ATTEMPTS
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.round import (
    CONFIG,
    LEADERS,
    STATE,
    outputs_path,
)
from gen404_assets.replay.auditing import audit_entry
from gen404_assets.replay.result import Difference, FileReplay, Finding, compared


def missing_files(history: History, number: int) -> Iterator[FileReplay]:
    """The files that a past round must have, and those that all rounds share, where they are not
    there (`docs/specification/state-files.md`, Order of writing).
    """
    if history.is_past(number):
        for asset, path in _required(history, number):
            if _is_absent(history, path):
                origin = _cut_short(history, number) if history.last(path) is None else ""
                yield compared(asset, path, [Difference(path, "no file", "a file", origin)])
    if number == max(history.rounds_under_way, default=number):
        for asset, path in ((Asset.STATE, STATE), ("config", CONFIG), (Asset.LEADER, LEADERS)):
            if _is_absent(history, path):
                yield compared(asset, path, [Difference(path, "no file", "a file")])
        yield from _unreadable_config(history)


def _unreadable_config(history: History) -> Iterator[FileReplay]:
    """A configuration by which no round could begin; past ones have theirs as it was."""
    last = history.last(CONFIG)
    if last is None or last.blob is None or history.contents.is_lost(last):
        return
    try:
        Config.parse(history.read(CONFIG) or b"", CONFIG)
    except MalformedFile as error:
        yield FileReplay("config", CONFIG, Finding.MALFORMED, reason=str(error))


def _is_absent(history: History, path: str) -> bool:
    last = history.last(path)
    return last is None or last.blob is None


def _cut_short(history: History, number: int) -> str:
    """Why a round may have ended before a file was made: a person entered its winner."""
    path = Asset.WINNER.path(number)
    if not history.is_typed(path):
        return ""
    return f"a person entered the winner in {history.last(path)}"


def _required(history: History, number: int) -> Iterator[tuple[str, str]]:
    """(asset, path) of what every round has by its end."""
    for asset in (Asset.SCHEDULE, Asset.SUBMISSIONS, Asset.SEED, Asset.PROMPTS):
        yield asset, asset.path(number)
    names: list[str] = []
    # Here and below: whose file can't be read is told by that file's own replay.
    with suppress(MalformedFile):
        submissions = history.round(number).submissions
        names = submissions.names if submissions is not None else []
    if not names:
        return
    for hotkey in names:
        yield Asset.RENDERS, outputs_path(number, hotkey)
    for asset in (Asset.BUILDS, Asset.MATCHES_MATRIX):
        yield asset, asset.path(number)
    with suppress(MalformedFile):
        if _has_baseline(history, number):
            yield Asset.BASELINE, Asset.BASELINE.path(number)
    with suppress(MalformedFile):
        for hotkey, audit in history.round(number).audits.items():
            if audit.checked_prompts and not _is_typed(history, number, hotkey):
                yield Asset.REGENERATED, Asset.REGENERATED.path(number, hotkey)


def _has_baseline(history: History, number: int) -> bool:
    """Whether matches waited for the leader's outputs: not where no prompt has a picture."""
    current = history.round(number)
    return current.baseline is not None or not current.baseline_is_closed(ATTEMPTS)


def _is_typed(history: History, number: int, hotkey: str) -> bool:
    """Whether a person gave the verdict, for which nothing need be regenerated."""
    path = Asset.AUDITS.path(number)
    version = history.written(path, partial(audit_entry, hotkey))
    return version is not None and version.by_person
