"""Replay of the duels: the reports, and the matrix with its margins and the order of matches."""

from collections.abc import Iterable, Iterator, Sequence
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
from gen404_assets.competition.round import Round, outputs_path, report_path, round_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.timeline import Verdicts
from gen404_assets.replay.compare import LAYOUT, compare, shorten
from gen404_assets.replay.plays import Derived, derive_report
from gen404_assets.replay.result import Difference, FileReplay, compared

_TRIES = 8
"""How many commits, from a report's back, are searched for the outputs that it was judged by."""


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
    pairs: list[Pair] = []
    for path in history.of_round(number):
        challenger, _, name = path.removeprefix(round_path(number, "")).partition("/")
        if name.startswith("duels_") and name.endswith(".json") and "/" not in name:
            shortened = name.removeprefix("duels_").removesuffix(".json")
            pairs.append((_defender(history, path, shortened, rank), challenger))
    last = len(rank)
    return sorted(pairs, key=lambda pair: (rank.get(pair[1], last), rank.get(pair[0], last), pair))


def _defender(history: History, path: str, shortened: str, known: Iterable[str]) -> str:
    """The defender whose hotkey a report's name shortens.

    Where that could be several or none of those `known`, the report itself says who it was.
    """
    candidates = [hotkey for hotkey in known if short(hotkey) == shortened]
    if len(candidates) == 1:
        return candidates[0]
    with suppress(MalformedFile):
        defender = MatchReport.parse(history.read(path) or b"", path).left
        return defender if short(defender) == shortened else shortened
    return shortened


def replay_report(history: History, number: int, pair: Pair, rules: Rules) -> FileReplay | None:
    """A match report: names, URLs, outcomes, score and margin (`plays.derive_report`)."""
    path = report_path(number, pair)
    version, raw = history.last(path), history.read(path)
    if version is None or raw is None:
        return None
    recorded = MatchReport.parse(raw, path)
    current = history.round(number, version.index)
    matches = (
        MatchUnderPlay(pair, current, sides, rules)
        for sides in _sides(history, number, pair, version.index)
    )
    comparison = _closest(recorded, raw, matches, current)
    differences = [*comparison.differences, *_unplayed(recorded, comparison.derived, current)]
    result = compared(
        "duels",
        path,
        [replace(difference, origin=f"in {version}") for difference in differences],
        [*comparison.notes, *_unjudged(recorded, current)],
    )
    result.from_answers = comparison.derived.from_answers
    result.as_recorded = comparison.derived.as_recorded
    return result


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A recorded report beside the one that was derived."""

    differences: Sequence[Difference]
    notes: Sequence[str]
    derived: Derived


def _closest(
    recorded: MatchReport, raw: bytes, matches: Iterable[MatchUnderPlay], current: Round
) -> _Comparison:
    """The first derivation without a difference, else the one with the fewest.

    `matches`: the match with the outputs that its sides may have been judged by.
    """
    best: _Comparison | None = None
    for match in matches:
        derived = derive_report(recorded, match, current)
        differences, notes = compare(raw, pydantic_core.to_json(derived.document, indent=2))
        if best is None or len(differences) < len(best.differences):
            best = _Comparison(differences, notes, derived)
        if not differences:
            break
    return best or _Comparison([], [], Derived({}, 0, 0))


def _unplayed(recorded: MatchReport, derived: Derived, current: Round) -> list[Difference]:
    """The prompts without a duel; only a clinched match may leave some out."""
    if "clinched" in derived.document:
        return []
    names = set(current.stems) - {duel.name for duel in recorded.duels}
    return [Difference(name, "no duel", "a duel") for name in sorted(names)]


def _unjudged(recorded: MatchReport, current: Round) -> list[str]:
    """Notes on the duels that no judge decided, and whether the match depends on them."""
    skipped = [
        duel
        for duel in recorded.duels
        if duel.winner is Outcome.SKIPPED and duel.name not in current.missing
    ]
    counts = {
        "duels were recorded as draws that the judge never decided": sum(
            duel.issues == NOT_JUDGED for duel in recorded.duels
        ),
        "duels are draws since the judge gave no usable answer": without_usable_answer(
            recorded.duels
        ),
        "duels were skipped": len(skipped),
    }
    notes = [
        f"{count} {what}; {_weight(recorded, count, current)}"
        for what, count in counts.items()
        if count
    ]
    if current.missing:
        notes.append(
            f"{len(current.missing)} prompts of the round have no picture: their duels are skipped"
        )
    return notes


def _sides(history: History, number: int, pair: Pair, index: int) -> Iterator[Sides]:
    """Both sides' outputs at commit `index`, then at the commits before it that changed either,
    latest first.

    A match is judged before its report is committed, so its outputs may have changed meanwhile.
    """
    moments = history.moments((outputs_path(number, hotkey) for hotkey in pair), index)
    for moment in moments[:_TRIES] or [index]:
        with suppress(MalformedFile):
            yield Sides.of_round(history.round(number, moment), pair)


def _counts(current: Round) -> list[int]:
    """The numbers of prompts that a score may have been divided by.

    It is that of all prompts. Old rounds may hold a prompt twice, and count each stem once.
    """
    return [max(1, len(current.stems)), max(1, len(set(current.stems)))]


def _weight(recorded: MatchReport, unjudged: int, current: Round) -> str:
    """Whether `unjudged` duels, decided otherwise, could have turned the match."""
    prompts, needed = max(1, len(current.stems)), current.config.win_margin
    low, high = (recorded.score - unjudged) / prompts, (recorded.score + unjudged) / prompts
    depends = "depends" if low < needed <= high else "doesn't depend"
    return f"the verdict {depends} on them"


@lru_cache(maxsize=2)
def arrivals(history: History, number: int) -> Sequence[Arrival]:
    """The verdicts of a round as they came while it was under way, from none on."""
    paths = [round_path(number, name) for name in ("generation_audits.json", "source_audit.json")]
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
    path = round_path(number, "matches_matrix.csv")
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
        at = len(contents) - 1
        while at and match.pair in contents[at - 1][1].margins:
            at -= 1
        version, matrix = contents[at]
        place = [*matrix.margins].index(match.pair)
        earlier = contents[at - 1][1] if at else Matrix()
        new = [other for other in matrix.matches[:place] if other.pair not in earlier.margins]
        rows.append(Played(match, version, place, [*earlier.matches, *new]))
    return rows


def replay_matrix(history: History, number: int) -> FileReplay | None:
    """The matrix: each margin from its report, and each row in the place that the rules give it by
    the verdicts known then.
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
    """A row's margin from its report; without one, from the sides' outputs when it was played.

    It is as recorded where it is among those that may be right (`_counts`, `_sides`), or where
    nothing implies it: both sides had outputs, and the report is missing.
    """
    match = row.match
    report = current.report(match.pair)
    then = history.round(current.number, row.version.index)
    margins: list[float | None]
    if report is not None and (report.left, report.right) == match.pair:
        scores = match_score([duel.winner for duel in report.duels]), report.score
        margins = [score / count for score in scores for count in _counts(then)]
    else:
        margins = [
            margin_without_report(*_have_output(sides, then))
            for sides in _sides(history, current.number, match.pair, row.version.index)
        ]
    implied = [margin for margin in margins if margin is not None]
    if match.margin in implied or len(implied) < len(margins) or not implied:
        return match.margin
    return implied[0]


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
        sides = next(_sides(history, number, pair, row.version.index), None)
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
    for pair in before[-1].margins if before else ():
        if pair not in in_matrix and pair not in reported:
            yield Difference(_names(pair), "no row", "a row: it was there when the round ended")


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
        margins = {match.pair: match.margin for match in row.before}
        due: Pair | None = None
        for at in range(oldest, len(known)):
            if known[at].index > row.version.index:
                break
            due = next(timeline.matches_due(margins, known[at].verdicts), None)
            if row.match.pair in {due, *timeline.by_need(margins, known[at].verdicts)[:1]}:
                due, oldest = row.match.pair, at
                break
        if due != row.match.pair:
            yield Difference("the order", _names(row.match.pair), _names(due), f"in {row.version}")


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
