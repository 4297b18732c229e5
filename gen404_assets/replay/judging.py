"""Replay of the duels: every report, and the matrix with the order in which its matches had to be
played.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise

import pydantic_core

from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.duels import (
    NOT_JUDGED,
    MatchReport,
    Outcome,
    has_output,
    margin_without_report,
    match_score,
    without_usable_answer,
)
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History, Version
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.match_under_play import MatchUnderPlay, Sides
from gen404_assets.competition.matches import Match, Matrix, Pair
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.round import Round, outputs_path, report_path, round_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.timeline import Verdicts
from gen404_assets.replay.compare import LAYOUT, compare, shorten
from gen404_assets.replay.plays import Derived, derive_report
from gen404_assets.replay.result import Difference, FileReplay, compared

_TRIES = 8
"""How many of the commits before a report may hold what its sides were judged by."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """The verdicts as known from commit `index` on."""

    index: int
    verdicts: Verdicts


@dataclass(frozen=True, slots=True)
class Played:
    """A row of the matrix, the version that brought it, its place there, and the matches in the
    matrix before it.
    """

    match: Match
    version: Version
    place: int
    before: Sequence[Match]


def reports(history: History, number: int) -> list[Pair]:
    """The matches of which the head has a report, challenger by challenger in the order of
    submissions.
    """
    order: list[str] = []
    with suppress(MalformedFile):
        order = [*history.round(number).timeline.order]
    rank = {hotkey: at for at, hotkey in enumerate([LEADER, *order])}
    found: list[Pair] = []
    for path in history.of_round(number):
        right, _, name = path.removeprefix(round_path(number, "")).partition("/")
        if name.startswith("duels_") and name.endswith(".json") and "/" not in name:
            found.append((_left(history, path, name[len("duels_") : -len(".json")], rank), right))
    last = len(rank)
    return sorted(found, key=lambda pair: (rank.get(pair[1], last), rank.get(pair[0], last), pair))


def _left(history: History, path: str, shortened: str, known: dict[str, int]) -> str:
    """The defender whom a report's name shortens; the report tells where that could be several."""
    candidates = [hotkey for hotkey in known if short(hotkey) == shortened]
    if len(candidates) == 1:
        return candidates[0]
    with suppress(MalformedFile):
        told = MatchReport.parse(history.read(path) or b"", path).left
        return told if short(told) == shortened else shortened
    return shortened


def replay_report(history: History, number: int, pair: Pair, rules: Rules) -> FileReplay | None:
    """A match report: names, URLs, outcomes, score and margin (`plays.derive_report`).

    The evidence is what each side had when the report was committed, or, where that doesn't fit,
    just before.
    """
    path = report_path(number, pair)
    version, raw = history.last(path), history.read(path)
    if version is None or raw is None:
        return None
    recorded = MatchReport.parse(raw, path)
    current = history.round(number, version.index)
    best: tuple[list[Difference], list[str], Derived] | None = None
    for left, right in _evidence(history, number, pair, version.index):
        match = MatchUnderPlay(pair, current, Sides.of(left, right), rules)
        derived = derive_report(recorded, match, current)
        found = compare(raw, pydantic_core.to_json(derived.document, indent=2))
        if best is None or len(found[0]) < len(best[0]):
            best = *found, derived
        if not found[0]:
            break
    differences, notes, derived = best if best else ([], [], Derived({}, 0, 0))
    unplayed = (
        set()
        if "clinched" in derived.document
        else set(current.stems) - {duel.name for duel in recorded.duels}
    )
    differences = [
        *differences,
        *(Difference(name, "no duel", "a duel") for name in sorted(unplayed)),
    ]
    open_duels = [duel for duel in recorded.duels if duel.issues == NOT_JUDGED]
    skipped = [
        duel
        for duel in recorded.duels
        if duel.winner is Outcome.SKIPPED and duel.name not in current.missing
    ]
    if open_duels:
        told = f"{len(open_duels)} duels were recorded as draws that the judge never decided"
        notes = [*notes, f"{told}; {_weight(recorded, len(open_duels), current)}"]
    if unanswered := without_usable_answer(recorded.duels):
        told = f"{unanswered} duels are draws since the judge gave no usable answer"
        notes = [*notes, f"{told}; {_weight(recorded, unanswered, current)}"]
    if skipped:
        notes = [
            *notes,
            f"{len(skipped)} duels were skipped; {_weight(recorded, len(skipped), current)}",
        ]
    if current.missing:
        notes = [
            *notes,
            f"{len(current.missing)} prompts of the round have no picture: their duels are skipped",
        ]
    result = compared(
        "duels", path, [replace(found, origin=f"in {version}") for found in differences], notes
    )
    result.from_answers, result.as_recorded = derived.from_answers, derived.as_recorded
    return result


def _evidence(
    history: History, number: int, pair: Pair, index: int
) -> Iterator[tuple[Outputs | None, Outputs | None]]:
    """What both sides had at commit `index`, then at the commits before at which either changed,
    latest first.
    """
    moments = history.moments((outputs_path(number, hotkey) for hotkey in pair), index)
    for moment in moments[:_TRIES] or [index]:
        seen = history.round(number, moment)
        with suppress(MalformedFile):
            yield seen.played(pair[0]), seen.played(pair[1])


def _counts(current: Round) -> list[int]:
    """By how many prompts a score may have been divided: all, or each stem once where some came
    twice.
    """
    return [max(1, len(current.stems)), max(1, len(set(current.stems)))]


def _weight(recorded: MatchReport, unjudged: int, current: Round) -> str:
    """Whether duels that nobody decided could have turned the match."""
    prompts, needed = max(1, len(current.stems)), current.config.win_margin
    low, high = (recorded.score - unjudged) / prompts, (recorded.score + unjudged) / prompts
    return (
        "the verdict depends on them"
        if low < needed <= high
        else "the verdict doesn't depend on them"
    )


@lru_cache(maxsize=2)
def arrivals(history: History, number: int) -> Sequence[Arrival]:
    """The verdicts of a round as they came while it was under way, from none on."""
    paths = [round_path(number, name) for name in ("generation_audits.json", "source_audit.json")]
    ended = history.end(number)
    found = [Arrival(-1, Verdicts())]
    for index in sorted(history.moments(paths, len(history.commits) if ended is None else ended)):
        seen = history.round(number, index)
        with suppress(MalformedFile):  # what could not be read then told nobody anything
            found.append(Arrival(index, verdicts(seen.audits, seen.source_audits)))
    return found


@lru_cache(maxsize=2)
def matrices(history: History, number: int) -> Sequence[tuple[Version, Matrix]]:
    """The versions of the matrix that could be read."""
    path = round_path(number, "matches_matrix.csv")
    return tuple(history.readable(path, partial(Matrix.parse, path=path)))


@lru_cache(maxsize=2)
def rows_played(history: History, number: int) -> Sequence[Played]:
    """The rows of the matrix at the head, each with the commit that brought it (for good) and what
    stood before it.
    """
    contents = matrices(history, number)
    if not contents:
        return []
    found = []
    for match in history.round(number).matrix.matches:
        at = len(contents) - 1
        while at and match.pair in contents[at - 1][1].margins:
            at -= 1
        version, matrix = contents[at]
        place = [*matrix.margins].index(match.pair)
        earlier = contents[at - 1][1] if at else Matrix()
        new = [other for other in matrix.matches[:place] if other.pair not in earlier.margins]
        found.append(Played(match, version, place, [*earlier.matches, *new]))
    return found


def replay_matrix(history: History, number: int) -> FileReplay | None:
    """The matrix: each margin from its report, each row where the rules put it, given the verdicts
    known by then.
    """
    path = round_path(number, "matches_matrix.csv")
    raw = history.read(path)
    if raw is None:
        return None
    current = history.round(number)
    rows = rows_played(history, number)
    played = {row.match.pair: row for row in rows}
    derived = [
        Match(*match.pair, _margin(history, current, played[match.pair]))
        for match in current.matrix.matches
    ]
    differences = [
        Difference(_names(match.pair), str(match.margin), str(again.margin))
        for match, again in zip(current.matrix.matches, derived, strict=True)
        if match != again
    ]
    differences += shorten(list(_out_of_order(history, number, rows)))
    differences += _moved(history, number, rows)
    if history.is_past(number):
        differences += _lacking(history, number, rows)
    notes = [LAYOUT] if not differences and Matrix(tuple(derived)).to_bytes() != raw else []
    return compared("matches_matrix", path, differences, notes)


def _margin(history: History, current: Round, row: Played) -> float:
    """A row's margin from its report; without one, from what the sides had when it was played, if
    they lacked all.
    """
    match = row.match
    report = current.report(match.pair)
    if report is not None and (report.left, report.right) == match.pair:
        scores = match_score([duel.winner for duel in report.duels]), report.score
        counts = _counts(history.round(current.number, row.version.index))
        margins = [score / count for score in scores for count in counts]
        return match.margin if match.margin in margins else margins[0]
    missing = history.round(current.number, row.version.index).missing
    wanted = [
        margin_without_report(has_output(left, missing), has_output(right, missing))
        for left, right in _evidence(history, current.number, match.pair, row.version.index)
    ]
    derived = next(
        (margin for margin in wanted if margin in {None, match.margin}),
        wanted[0] if wanted else None,
    )
    return match.margin if derived is None else derived


def _lacking(history: History, number: int, rows: Sequence[Played]) -> Iterator[Difference]:
    """Rows without a report that both sides had outputs for, reports without a row, and rows gone
    after the end.
    """
    ended, told = history.end(number), reports(history, number)
    there = {row.match.pair for row in rows}
    for row in rows:
        pair = row.match.pair
        sides = next(_evidence(history, number, pair, row.version.index), (None, None))
        missing = history.round(number, row.version.index).missing
        if pair not in told and all(has_output(side, missing) for side in sides):
            gone = history.last(report_path(number, pair))
            origin = f"deleted by {gone.who} in {gone}" if gone else f"played in {row.version}"
            yield Difference(_names(pair), "no report", "a report", origin)
    for pair in told:
        if pair not in there:
            yield Difference(_names(pair), "no row", "a row: its report is there")
    before = [
        matrix
        for version, matrix in matrices(history, number)
        if ended is not None and version.index <= ended
    ]
    for pair in before[-1].margins if before else ():
        if pair not in there and pair not in told:
            yield Difference(_names(pair), "no row", "a row: it was there when the round ended")


def _out_of_order(history: History, number: int, rows: Sequence[Played]) -> Iterator[Difference]:
    """The rows that were not due when they were played, whatever of the verdicts had arrived;
    missing pairs are due by left, then right, or by need."""
    known = 0
    found = arrivals(history, number)
    for row in rows:
        timeline = history.round(number, row.version.index).timeline
        margins = {match.pair: match.margin for match in row.before}
        wanted: Pair | None = None
        for later in range(known, len(found)):
            if found[later].index > row.version.index:
                break
            given = found[later].verdicts
            wanted = next(timeline.matches_due(margins, given), None)
            if row.match.pair in {wanted, *timeline.by_need(margins, given)[:1]}:
                wanted = row.match.pair
                known = later
                break
        if wanted != row.match.pair:
            yield Difference(
                "the order", _names(row.match.pair), _names(wanted), f"in {row.version}"
            )


def _moved(history: History, number: int, rows: Sequence[Played]) -> Iterator[Difference]:
    """A row that stands behind one that was played after it."""
    path = round_path(number, "matches_matrix.csv")
    for one, other in pairwise(rows):
        if (one.version.index, one.place) > (other.version.index, other.place):
            names = _names(one.match.pair), _names(other.match.pair)
            version = history.written(path, _pairs)
            yield Difference("the order", names[0], names[1], f"moved in {version}")
            return


def _pairs(raw: bytes) -> list[Pair] | None:
    try:
        return [*Matrix.parse(raw, "").margins]
    except MalformedFile:
        return None


def _names(pair: Pair | None) -> str:
    return f"{short(pair[0])},{short(pair[1])}" if pair else "no match"
