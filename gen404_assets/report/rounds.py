"""What a round's page shows: stages, ranking, margins, acts of people, the replay's findings."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from gen404_assets.competition.audits import (
    AuditOutcome,
    AuditRequests,
    GenerationAudits,
    SourceAudits,
)
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.evidence import Orders, orders
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.round import LEADERS, STATE, Round
from gen404_assets.competition.versions import Commit, Version
from gen404_assets.frames import Row, submission_rows
from gen404_assets.replay.finalizing import stage_changes
from gen404_assets.replay.result import FileReplay, RoundReplay
from gen404_assets.replay.rounds import people

_FULL_COLOUR = 0.3
"""The margin at which a cell has its full colour; the decisive ones are far below 1."""
_SHADES = 5  # of each colour, by classes of the style sheet


@dataclass(frozen=True, slots=True)
class StageTime:
    """A stage that a round went through; `hours` is None for the one it is in."""

    stage: str
    began: str
    hours: float | None
    by: str
    commit: str


@dataclass(frozen=True, slots=True)
class Began:
    """A stage of round `number` that began with a version of `state.json`."""

    version: Version
    number: int
    stage: str
    who: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A match in the heat map. `shade`: -5 (the defender's) to 5 (the challenger's)."""

    pair: Pair
    margin: float
    shade: int
    enough: bool


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Rows defend, columns challenge; None where there was no match."""

    challengers: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


@dataclass(frozen=True, slots=True)
class Act:
    """A person's commit, and the files of the round that it changed."""

    commit: str
    time: str
    subject: str
    files: Sequence[str]


@dataclass(frozen=True, slots=True)
class Wait:
    """What an audited miner waited for, in hours; None while it is open."""

    hotkey: str
    audit: float | None
    source: float | None


def ranking(current: Round) -> list[Row]:
    """The submissions: the winner, the approved and qualified, the others by margin, the rejected
    after those of the same margin.
    """
    return ranked(submission_rows(current))


def ranked(rows: Iterable[Row]) -> list[Row]:
    """Rows of submissions in that order."""

    def key(row: Row) -> tuple[bool, bool, float, int]:
        margin = row["margin"] if row["margin"] is not None else float("-inf")
        return not row["won"], bool(row["rejected"]), -margin, row["position"]

    return sorted(rows, key=key)


def stage_times(history: History, number: int) -> list[StageTime]:
    """The stages of a round, each until the commit that began the next."""
    changes = stage_changes(history, number)
    began = [
        Began(version, after.current_round, str(after.stage), version.who)
        for version, _, after in changes
    ]
    return times_of(began, number)


def times_of(began: Sequence[Began], number: int) -> list[StageTime]:
    """The stages of a round among those that began one after the other."""
    ends = [each.version.commit.time for each in began[1:]]
    times = []
    for at, each in enumerate(began):
        if each.number != number:
            continue
        hours, time = None, each.version.commit.time
        if at < len(ends):
            hours = max(0.0, (ends[at] - time).total_seconds() / 3600)
        shown = f"{time:%Y-%m-%d %H:%M}"
        times.append(StageTime(each.stage, shown, hours, each.who, str(each.version)))
    return times


def heat_map(current: Round) -> HeatMap | None:
    """The margins of a round's matches; None where none was played."""
    return heat_map_of(current.matrix.margins, current.timeline.order, current.timeline.win_margin)


def heat_map_of(
    margins: Mapping[Pair, float], order: Sequence[str], win_margin: float
) -> HeatMap | None:
    """These margins; `order`: of the submissions."""
    if not margins:
        return None
    known = [LEADER, *order]
    strangers = {side for pair in margins for side in pair} - set(known)
    everybody = [*known, *sorted(strangers)]
    lefts = [name for name in everybody if any(left == name for left, _ in margins)]
    rights = [name for name in everybody if any(right == name for _, right in margins)]
    return HeatMap(
        rights,
        [
            (
                left,
                [_cell((left, right), margins.get((left, right)), win_margin) for right in rights],
            )
            for left in lefts
        ],
    )


def _cell(pair: Pair, margin: float | None, win_margin: float) -> Cell | None:
    if margin is None:
        return None
    strength = min(1.0, abs(margin) / _FULL_COLOUR)
    shade = round(strength * _SHADES) * (1 if margin > 0 else -1)
    return Cell(pair, margin, shade, margin >= win_margin)


def judge_orders(current: Round) -> Orders | None:
    """How much the judge depended on the order in which it was shown two outputs."""
    reports = (current.report(match.pair) for match in current.matrix.matches)
    return orders(
        duel.evidence
        for report in reports
        if report is not None
        for duel in report.duels
        if duel.evidence is not None
    )


def acts(history: History, number: int) -> list[Act]:
    """The commits in which people changed files of the round, oldest first."""
    return acts_on(history, number, lambda path: people(history, number, path))


def acts_on(
    history: History, number: int, people_of: Callable[[str], Iterable[Version]]
) -> list[Act]:
    """The same, of the versions that `people_of` says people committed."""
    by_commit: dict[int, tuple[Commit, list[str]]] = {}
    for path in [*history.of_round(number), STATE, LEADERS]:
        for version in people_of(path):
            by_commit.setdefault(version.index, (version.commit, []))[1].append(path)
    return [
        Act(commit.sha, f"{commit.time:%Y-%m-%d %H:%M}", _subject(commit), paths)
        for _, (commit, paths) in sorted(by_commit.items(), key=lambda item: item[0])
    ]


def _subject(commit: Commit) -> str:
    return commit.message.splitlines()[0] if commit.message else "(no message)"


def waits(history: History, current: Round) -> list[Wait]:
    """How long each audited miner waited for its audit, and for a person's source audit after it
    was asked for.
    """
    number = current.number
    asked = _moments(history, number, Asset.AUDIT_REQUESTS, _asked)
    judged = _moments(history, number, Asset.AUDITS, _judged)
    signed = _moments(history, number, Asset.SOURCE_AUDITS, _signed)
    return [
        Wait(
            request.hotkey,
            _hours(asked.get(request.hotkey), judged.get(request.hotkey)),
            _hours(asked.get(request.hotkey), signed.get(request.hotkey)),
        )
        for request in current.requests.root
    ]


def _asked(raw: bytes) -> Iterator[str]:
    requests = AuditRequests.parse(raw, Asset.AUDIT_REQUESTS.entry.file)
    yield from (request.hotkey for request in requests.root)


def _judged(raw: bytes) -> Iterator[str]:
    for hotkey, audit in GenerationAudits.parse(raw, Asset.AUDITS.entry.file).items():
        if audit.outcome is not AuditOutcome.PENDING:
            yield hotkey


def _signed(raw: bytes) -> Iterator[str]:
    yield from SourceAudits.parse(raw, Asset.SOURCE_AUDITS.entry.file).verdicts()


def _moments(
    history: History, number: int, asset: Asset, hotkeys: Callable[[bytes], Iterator[str]]
) -> dict[str, datetime]:
    """Hotkey -> when the file first named it."""
    times: dict[str, datetime] = {}
    for version in history.versions(asset.path(number)):
        raw = history.content(version)
        # A version that couldn't be read tells no time; a later one may.
        with suppress(MalformedFile):
            for hotkey in hotkeys(raw) if raw is not None else ():
                times.setdefault(hotkey, version.commit.time)
    return times


def _hours(since: datetime | None, until: datetime | None) -> float | None:
    if since is None or until is None:
        return None
    return max(0.0, (until - since).total_seconds() / 3600)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the replay says of an asset's files that share a finding. `why`: reasons and notes."""

    asset: str
    finding: str
    files: int
    why: Sequence[str]


def findings(replayed: RoundReplay) -> list[Finding]:
    """The replay's findings, asset by asset, those that are the same said once."""
    groups: dict[tuple[str, str], list[FileReplay]] = {}
    for file in replayed.files:
        groups.setdefault((file.asset, str(file.finding)), []).append(file)
    return [
        Finding(
            asset,
            finding,
            len(files),
            list(dict.fromkeys(why for file in files for why in (file.reason, *file.notes) if why)),
        )
        for (asset, finding), files in groups.items()
    ]
