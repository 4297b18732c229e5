"""A replay as a person reads it in a terminal."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from gen404_assets.replay.derivable import derivable_with
from gen404_assets.replay.result import Difference, FileReplay, Finding, RoundReplay
from gen404_assets.report.addresses import round_page

_SHOWN = 4  # notes, at most; differences have a bound of their own
_MOST = 20
"""So many differences of a file are shown."""
_LONGEST = 160  # characters of a value in a difference
_FRACTION = re.compile(r"-?[0-9]+\.[0-9]{3,}")


def replay_text(
    rounds: Sequence[RoundReplay],
    edition: str = "",
    shown: Mapping[str, str] = MappingProxyType({}),
    report: str = "",
) -> str:
    """Round by round a table, the differences under the file they are in, and a closing line.

    `edition`: the title of the rules' edition; `shown`: asset -> its file; `report`: the folder or
    URL of a report, whose page of each round is linked (`report_page`).
    """
    lines = [f"by the rules of {edition}", ""] if edition else []
    for replayed in rounds:
        page = report_page(report, replayed.round)
        lines += [*_round(replayed, shown), *([f"  report: {page}"] if page else []), ""]
    files = [file for replayed in rounds for file in replayed.files]
    counts = {finding: sum(file.finding is finding for file in files) for finding in Finding}
    summary = ", ".join(f"{count} {finding}" for finding, count in counts.items() if count)
    closing = f"{len(rounds)} rounds, {len(files)} files: {summary or 'nothing recorded'}"
    return printable("\n".join([*lines, closing]))


def report_page(report: str, number: int) -> str:
    """A round's page in the report at a folder or URL, in which `{round}` stands for the round;
    empty without a report, or where the folder has no such page.
    """
    if not report:
        return ""
    page = f"{report.replace('{round}', str(number)).rstrip('/')}/{round_page(number)}"
    return page if "://" in page or Path(page).is_file() else ""


def printable(text: str) -> str:
    """The text without characters that would command the terminal."""
    return "".join(
        char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text
    )


def file_text(rounds: Sequence[RoundReplay], path: str) -> str:
    """All that the rounds tell of one file, whole: findings, differences, and who changed it."""
    lines = [f"{path} is no file that the rounds tell of"]
    for replayed in rounds:
        files = [file for file in replayed.files if file.path == path]
        acts = [act for act in replayed.acts if act.path == path]
        if not files and not acts:
            continue
        lines = lines if lines[0].startswith("round ") else []
        lines.append(f"round {replayed.round}")
        for file in files:
            lines.append(f"  {file.asset}: {file.finding} {file.reason}".rstrip())
            lines += [f"  {takes}"] if (takes := derivable_with(file)) else []
            lines += [f"  ! {difference}" for difference in file.differences]
            lines += [f"  {note}" for note in file.notes]
        for act in acts:
            who = "a person" if act.by_person else "the platform's name"
            lines.append(
                f"  {act.what} by {who} in {act.commit} {act.wrong or act.effect}".rstrip()
            )
            lines += [f"    {each.entry}: {each.before} → {each.after}" for each in act.changes]
    return printable("\n".join(lines))


def _round(replayed: RoundReplay, shown: Mapping[str, str]) -> Iterator[str]:
    yield f"round {replayed.round}"
    for asset, group in groupby(replayed.files, key=lambda file: file.asset):
        files = list(group)
        for finding in Finding:
            alike = [file for file in files if file.finding is finding]
            if alike:
                count = f"{len(alike)} " if len(files) > 1 else ""
                yield f"  {asset:<15} {shown.get(asset, ''):<26} {count}{finding}"
                yield from (f"      {line}" for line in _remarks(alike))
    derived = sum(file.from_answers for file in replayed.files)
    taken = sum(file.as_recorded for file in replayed.files)
    if derived or taken:
        yield (
            f"  judged duels: {derived} derived from the judge's answers, {taken} taken as recorded"
        )
    for fit in replayed.versions:
        others = [f"{name} {count}" for name, count in fit.explains.items() if name != fit.fits]
        beside = f" (others: {', '.join(others)})" if others else ""
        explained = f"{fit.explains[fit.fits]} of {fit.files}"
        yield f"  rule {fit.rule}: {fit.fits} explains {explained}{beside}"
        for path, version in fit.others.items():
            yield f"    {fit.rule} {version} alone explains {path}"
    yield from (f"  {line}" for line in replayed.decided)


def _remarks(files: Sequence[FileReplay]) -> Iterator[str]:
    yield from dict.fromkeys(file.reason for file in files if file.reason)
    takes = dict.fromkeys(derivable_with(file) for file in files)
    yield from (each for each in takes if each)
    yield from _some(
        [
            f"{_place(file, files)}{_cut(_rounded(difference))}"
            for file in files
            for difference in file.differences[:_MOST]
        ]
        + [
            f"{_place(file, files)}and {len(file.differences) - _MOST} more"
            for file in files
            if len(file.differences) > _MOST
        ],
        "! ",
    )
    yield from _some(
        list(dict.fromkeys(f"{_place(file, files)}{note}" for file in files for note in file.notes))
    )
    yield from _some(
        list(
            dict.fromkeys(
                f"changed by a person in {commit}" for file in files for commit in file.by_person
            )
        )
    )


def _cut(difference: Difference) -> Difference:
    """A difference with long values cut; `--json` and `--file` show them whole."""
    sides = [
        value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
        for value in (difference.recorded, difference.derived)
    ]
    return replace(difference, recorded=sides[0], derived=sides[1])


def _rounded(difference: Difference) -> Difference:
    """A difference with numbers to three digits, unless both sides would look the same.

    Lists stay as they are, so that a leader's weight is never rounded: its last digits tell the
    versions of that rule apart.
    """
    recorded, derived = _three_digits(difference.recorded), _three_digits(difference.derived)
    if recorded == derived:
        return difference
    return replace(difference, recorded=recorded, derived=derived)


def _three_digits(value: str) -> str:
    if not _FRACTION.fullmatch(value):
        return value
    number = float(value)
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:.0f}"


def _place(file: FileReplay, files: Sequence[FileReplay]) -> str:
    return f"{file.path}: " if len(files) > 1 else ""


def _some(lines: Sequence[str], mark: str = "") -> Iterator[str]:
    shown = len(lines) if mark else _SHOWN
    yield from [mark + line for line in lines[:shown]]
    if len(lines) > shown:
        yield f"and {len(lines) - shown} more"
