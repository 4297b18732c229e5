"""What was done to a round's files (`acts`), told with the files of its replay; and for each
difference the commit that brought it.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from gen404_assets.competition.builds import entry_of
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.history import History
from gen404_assets.competition.round import CONFIG, LEADERS, POOL, STATE
from gen404_assets.competition.versions import Version
from gen404_assets.replay.result import Act, Change, Difference, FileReplay, Finding

_NAMES = {CONFIG: "config", POOL: "pool", LEADERS: Asset.LEADER, STATE: Asset.STATE}
_REPORTS = Asset.DUELS.entry.name
_SHOWN = 3  # changes that a note names
# Of an entry's name, such as `duels[3].winner`: a number in brackets, or a key.
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def name_acts(history: History, files: list[FileReplay], acts: Sequence[Act]) -> None:
    """Add to each file what was done to it; where a file is not among them and something is wrong
    with what was done to it, it becomes one.
    """
    by_path = {file.path: file for file in files}
    for act in acts:
        difference, note = _difference(history, act), _note(act)
        if act.path not in by_path:
            if difference is None:
                continue
            by_path[act.path] = FileReplay(
                _NAMES.get(act.path, "other files"), act.path, Finding.DIFFERS
            )
            files.append(by_path[act.path])
        file = by_path[act.path]
        if difference is not None and all(difference != known for known in file.differences):
            file.differences = [*file.differences, difference]
            if file.finding is not Finding.MALFORMED:
                file.finding = Finding.DIFFERS
        if note and note not in file.notes:
            file.notes.append(note)


def _difference(history: History, act: Act) -> Difference | None:
    """What is wrong with an act; None where nothing is: a person may do anything, but not make a
    past round's file vanish, or a folder that is no round's.
    """
    who = "a person" if act.by_person else "the platform"
    if act.wrong:
        return Difference(
            "the commit",
            f"{act.what} in the platform's name{_summary(act.changes)}",
            f"not {act.what}: {act.wrong}",
            act.commit,
        )
    last = history.last(act.path)
    if act.stray and last is not None and last.blob is not None:
        folder = act.path.split("/")[1]
        number = folder.lstrip("0") or "0"
        is_number = folder.isdecimal()
        wanted = f"a round's folder is rounds/{number}" if is_number else "no round has this folder"
        return Difference(act.path, "a file", f"no file: {wanted}", f"by {who} in {act.commit}")
    gone = last is not None and last.blob is None and str(last) == act.commit
    is_report = act.path.rpartition("/")[2].startswith(_REPORTS)  # the matrix misses it
    if gone and not is_report and (act.late or act.path in _NAMES):
        return Difference(act.path, "no file", "a file", f"deleted by {who} in {act.commit}")
    return None


def _note(act: Act) -> str:
    if act.wrong or act.stray:
        return ""
    if act.effect and f"/{_REPORTS}" not in act.path:  # `deciding` counts those
        return f"{act.effect} in {act.commit}"
    if act.late:
        return (
            f"{act.what} after the round's end by a person in {act.commit}{_summary(act.changes)}"
        )
    return ""


def _summary(changes: Sequence[Change]) -> str:
    """The first changes, as a sentence ends with them."""
    shown = [f"{each.entry} {each.before} → {each.after}" for each in changes[:_SHOWN]]
    more = len(changes) - len(shown)
    return (": " + "; ".join(shown) + (f"; and {more} more" if more else "")) if shown else ""


# --- who brought a difference


Who = Callable[[Version], str]
"""Whose a version is: a person's or the platform's."""


def blame(history: History, number: int, file: FileReplay, who: Who = attrgetter("who")) -> None:
    """Give each difference without an origin the commit since which the entry has stood as it
    does; of a file that is not there, the one that deleted it.
    """
    file.differences = [
        replace(each, by_person=_asked_by_person(history, file.path, each))
        if each.origin
        else replace(each, origin=_origin(history, number, file.path, each, who))
        for each in file.differences
    ]
    if file.lacks_content:
        return
    if file.finding is Finding.MALFORMED and (last := history.last(file.path)) is not None:
        author = f"written by {who(last)} in {last}"
        if author not in file.reason:
            file.reason = f"{file.reason} ({author})"


def _asked_by_person(history: History, path: str, difference: Difference) -> bool:
    if not difference.origin.startswith("asked for in"):
        return False
    version = _brought(history, path, difference.entry)
    return version is not None and version.by_person


def _origin(history: History, number: int, path: str, difference: Difference, who: Who) -> str:
    last = history.last(path)
    if last is None:
        ended = history.end(number)
        return f"the round ended without it in {history.cite(ended)}" if ended is not None else ""
    if last.blob is None:
        return f"deleted by {who(last)} in {last}"
    version = _brought(history, path, difference.entry) or last
    return f"written by {who(version)} in {version}"


def _brought(history: History, path: str, entry: str) -> Version | None:
    if path.endswith(f"/{Asset.BUILDS.entry.name}"):  # an image may differ for the status beside it
        hotkey = entry.partition(".")[0]
        return history.written(path, lambda raw: entry_of(raw, hotkey))
    if path.endswith(".csv"):
        return history.written(path, lambda raw: _row(raw, entry))
    return history.written(path, lambda raw: _at(raw, entry))


def _row(raw: bytes, entry: str) -> list[str]:
    """The rows of a matrix that an entry such as `leader,5DScQA9A1u` names; all for another."""
    lines = raw.decode(errors="replace").splitlines()
    ends = entry.split(",")
    if len(ends) != 2:
        return lines
    rows = [line.split(",") for line in lines]
    return [
        ",".join(row)
        for row in rows
        if len(row) == 3 and row[0].startswith(ends[0]) and row[1].startswith(ends[1])
    ]


def _at(raw: bytes, entry: str) -> Any:
    """The value at a place such as `a.b[2]` in a JSON file, as far as there is one; a text's line
    for `line 3`.
    """
    if entry.startswith("line "):
        lines, at = raw.decode(errors="replace").splitlines(), entry.removeprefix("line ")
        return lines[int(at) - 1 : int(at)] if at.isdecimal() else lines
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    for match in _STEP.finditer(entry):
        index, key = match.groups()
        if index is not None and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif key is not None and isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list):
            entries = [each for each in value if isinstance(each, dict)]
            named = [each for each in entries if key in each.values()]
            value = named or [each[key] for each in entries if key in each]
        else:
            break
    return value
