"""Replay of the matrix: its margins, and the order of matches."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice, pairwise

from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.duels import has_output, margin_without_report
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.match_under_play import Sides
from gen404_assets.competition.matches import Match, Matrix, Pair
from gen404_assets.competition.round import Round, outputs_path, report_path
from gen404_assets.competition.timeline import Margins, Verdicts
from gen404_assets.competition.versions import Version
from gen404_assets.replay.compare import LAYOUT
from gen404_assets.replay.reporting import counts_of, reports, scores_of, sides_of
from gen404_assets.replay.result import Difference, FileReplay, compared


@dataclass(frozen=True, slots=True)
class Arrival:
    """The verdicts as known from commit `index` on."""

    index: int
    verdicts: Verdicts


@dataclass(frozen=True, slots=True)
class Played:
    """A row of the matrix, the version that brought it, its place there, and the margins of the
    matches in the matrix before it.
    """

    match: Match
    version: Version
    place: int
    before: Margins


@lru_cache(maxsize=2)
def arrivals(history: History, number: int) -> Sequence[Arrival]:
    """The verdicts of a round as they came while it was under way, from none on."""
    paths = [each.path(number) for each in (Asset.AUDITS, Asset.SOURCE_AUDITS)]
    ended = history.end(number)
    known = [Arrival(-1, Verdicts())]
    for index in sorted(history.moments(paths, len(history.commits) if ended is None else ended)):
        seen = history.round(number, index)
        # A file that could not be read at its time changed no decision.
        with suppress(MalformedFile):
            known.append(Arrival(index, verdicts(seen.audits, seen.source_audits)))
    return known


@lru_cache(maxsize=2)
def matrices(history: History, number: int) -> Sequence[tuple[Version, Matrix]]:
    """The versions of the matrix that could be read."""
    path = Asset.MATCHES_MATRIX.path(number)
    return tuple(history.readable(path, partial(Matrix.parse, path=path)))


@lru_cache(maxsize=2)
def rows_played(history: History, number: int) -> Sequence[Played]:
    """The rows of the matrix at the head, each with the commit since which it has always been
    there, and the matches before it.
    """
    contents = matrices(history, number)
    if not contents:
        return []
    rows = []
    for match in history.round(number).matrix.matches:
        at, pair = len(contents) - 1, match.pair
        while at and pair in contents[at - 1][1].margins:
            at -= 1
        version, matrix = contents[at]
        place = [*matrix.margins].index(pair)
        earlier = contents[at - 1][1].margins if at else {}
        new = {
            other: margin
            for other, margin in islice(matrix.margins.items(), place)
            if other not in earlier
        }
        rows.append(Played(match, version, place, {**earlier, **new}))
    return rows


def replay_matrix(history: History, number: int, scores: Mapping[str, int]) -> FileReplay | None:
    """The matrix: each margin from its report, and each row in the place that the rules give it by
    the verdicts known then.

    `scores`: report -> its score, of those that were replayed and need not be read again.
    """
    path = Asset.MATCHES_MATRIX.path(number)
    raw = history.read(path)
    if raw is None:
        return None
    current = history.round(number)
    rows = rows_played(history, number)
    played = {row.match.pair: row for row in rows}
    derived = [
        Match(
            *match.pair,
            _margin(
                history,
                current,
                played[match.pair],
                scores.get(report_path(number, match.pair)),
            ),
        )
        for match in current.matrix.matches
    ]
    differences = [
        Difference(_names(match.pair), str(match.margin), str(again.margin))
        for match, again in zip(current.matrix.matches, derived, strict=True)
        if match != again
    ]
    differences += _out_of_order(history, number, rows)
    differences += _moved(history, number, rows)
    if history.is_past(number):
        differences += _lacking(history, number, rows)
    notes = [LAYOUT] if not differences and Matrix(tuple(derived)).to_bytes() != raw else []
    return compared(Asset.MATCHES_MATRIX, path, differences, notes)


def _margin(history: History, current: Round, row: Played, score: int | None) -> float:
    """A row's margin from its report, whose `score` may be known; without one, from the sides'
    outputs when it was played.

    It is as recorded where it is among those that may be right (`counts_of`, `sides_of`), or where
    nothing implies it: both sides had outputs, and the report is missing.
    """
    match = row.match
    scores = [score] if score is not None else scores_of(history, current.number, match.pair)
    then = history.round(current.number, row.version.index)
    margins: list[float | None]
    if scores is not None:
        margins = [score / count for score in scores for count in counts_of(then)]
    elif not _are_there(history, current.number, match.pair, row.version.index):
        return match.margin
    else:
        margins = [
            margin_without_report(*_have_output(sides, then))
            for sides in sides_of(history, current.number, match.pair, row.version.index)
        ]
    implied = [margin for margin in margins if margin is not None]
    if match.margin in implied or len(implied) < len(margins) or not implied:
        return match.margin
    return implied[0]


def _are_there(history: History, number: int, pair: Pair, index: int) -> bool:
    """Whether both sides' files of outputs are there: a missing one says nothing of what it
    held.
    """
    files = history.at(index)
    return all(files.read(outputs_path(number, hotkey)) is not None for hotkey in pair)


def _have_output(sides: Sides, current: Round) -> tuple[bool, bool]:
    """Whether the defender and the challenger have any output."""
    missing = current.missing
    return has_output(sides.defender, missing), has_output(sides.challenger, missing)


def _lacking(history: History, number: int, rows: Sequence[Played]) -> Iterator[Difference]:
    """Rows without a report although both sides had outputs, reports without a row, and rows
    removed after the round's end.
    """
    ended, reported = history.end(number), reports(history, number)
    in_matrix = {row.match.pair for row in rows}
    for row in rows:
        pair = row.match.pair
        sides = next(sides_of(history, number, pair, row.version.index), None)
        then = history.round(number, row.version.index)
        if pair not in reported and sides is not None and all(_have_output(sides, then)):
            gone = history.last(report_path(number, pair))
            origin = f"deleted by {gone.who} in {gone}" if gone else f"played in {row.version}"
            yield Difference(_names(pair), "no report", "a report", origin)
    for pair in reported:
        if pair not in in_matrix:
            yield Difference(_names(pair), "no row", "a row: its report is there")
    before = [
        matrix
        for version, matrix in matrices(history, number)
        if ended is not None and version.index <= ended
    ]
    yield from _unplayed_at_the_end(history, number, rows)
    for pair in before[-1].margins if before else ():
        if pair not in in_matrix and pair not in reported:
            yield Difference(_names(pair), "no row", "a row: it was there when the round ended")


def _unplayed_at_the_end(
    history: History, number: int, rows: Sequence[Played]
) -> Iterator[Difference]:
    """The match that the round could not have ended without, by the margins as they stand."""
    margins = {row.match.pair: row.match.margin for row in rows}
    # The file's own replay says what is wrong with it.
    with suppress(MalformedFile):
        timeline = history.round(number).timeline
        known = [arrivals(history, number)[-1].verdicts]
        current = history.round(number)
        known.append(verdicts(current.audits, current.source_audits))
        if any(timeline.winner(margins, each) is not None for each in known):
            return
        due = next(timeline.matches_due(margins, known[0]), None)
        if due is not None:
            yield Difference(_names(due), "no match", "a match: it is due by the margins here")


def _out_of_order(history: History, number: int, rows: Sequence[Played]) -> Iterator[Difference]:
    """The rows that were not due when they were played (`rules.md`, Timeline 1 to 3).

    A run may have decided by verdicts older than the row's commit, so each row may rest on any
    verdicts from those of the row before it up to its commit. Missing pairs may be played by left,
    then right, or by need.
    """
    known = arrivals(history, number)
    oldest = 0
    for row in rows:
        timeline = history.round(number, row.version.index).timeline
        pair = row.match.pair
        due: Pair | None = None
        for at in range(oldest, len(known)):
            if known[at].index > row.version.index:
                break
            due = next(timeline.matches_due(row.before, known[at].verdicts), None)
            if due == pair or timeline.by_need(row.before, known[at].verdicts)[:1] == [pair]:
                due, oldest = pair, at
                break
        if due != pair:
            by = f"written by {row.version.who} in {row.version}"
            yield Difference("the order", _names(pair), _names(due), by)


def _moved(history: History, number: int, rows: Sequence[Played]) -> Iterator[Difference]:
    """A row that stands behind one that was played after it."""
    path = Asset.MATCHES_MATRIX.path(number)
    for one, other in pairwise(rows):
        if (one.version.index, one.place) > (other.version.index, other.place):
            names = _names(one.match.pair), _names(other.match.pair)
            version = history.written(path, _pairs)
            moved = f"moved by {version.who} in {version}" if version else ""
            yield Difference("the order", names[0], names[1], moved)
            return


def _pairs(raw: bytes) -> list[Pair] | None:
    try:
        return [*Matrix.parse(raw, "").margins]
    except MalformedFile:
        return None


def _names(pair: Pair | None) -> str:
    return f"{short(pair[0])},{short(pair[1])}" if pair else "no match"
