"""Replay of the duels: every report, and the matrix with the order in which its matches had to be played."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import pydantic_core

from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.duels import (
    NOT_JUDGED,
    MatchReport,
    duel_entry,
    forced_outcome,
    margin_without_report,
    match_score,
    overtime,
)
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.matches import Match, Matrix, Pair
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.replay.compare import LAYOUT, compare, shorten
from gen404_assets.competition.replay.history import History, Version
from gen404_assets.competition.replay.result import Difference, FileReplay, compared
from gen404_assets.competition.round import Round, outputs_path, report_path, round_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.timeline import Verdicts

_TRIES = 8


@dataclass(frozen=True, slots=True)
class Arrival:
    """The verdicts as known from commit `index` on."""

    index: int
    verdicts: Verdicts


@dataclass(frozen=True, slots=True)
class Played:
    """A row of the matrix, the version that brought it, and the matches that were in the matrix before it."""

    match: Match
    version: Version
    before: Sequence[Match]


def reports(history: History, number: int) -> list[Pair]:
    """The matches of which the head has a report, challenger by challenger in order."""
    order = history.round(number).timeline.order
    pairs = ((left, right) for right in order for left in (LEADER, *order))
    return [pair for pair in pairs if report_path(number, pair) in history.paths]


def replay_report(history: History, number: int, pair: Pair, rules: Rules) -> FileReplay | None:
    """A match report: names, URLs, forced outcomes, score and margin; judged outcomes and texts as recorded.

    The evidence is what each side had when the report was committed, or, where that doesn't fit, just before.
    """
    path = report_path(number, pair)
    version, raw = history.last(path), history.read(path)
    if version is None or raw is None:
        return None
    current = history.round(number)
    recorded = current.report(pair)
    if recorded is None:
        return None
    best: tuple[list[Difference], list[str]] | None = None
    for left, right in _evidence(history, number, pair, version.index):
        found = compare(raw, _derive(recorded, current, (left, right), rules))
        if best is None or len(found[0]) < len(best[0]):
            best = found
        if not found[0]:
            break
    differences, notes = best if best else ([], [])
    unplayed = set(current.stems) - {duel.name for duel in recorded.duels}
    differences = [*differences, *(Difference(name, "no duel", "a duel") for name in sorted(unplayed))]
    unjudged = sum(duel.issues == NOT_JUDGED for duel in recorded.duels)
    if unjudged:
        notes = [*notes, _unjudged(recorded, unjudged, current)]
    return compared("duels", path, differences, notes)


def _evidence(history: History, number: int, pair: Pair, index: int) -> Iterator[tuple[Outputs | None, Outputs | None]]:
    """What both sides had at commit `index`, then at the commits before at which either changed, latest first."""
    paths = [outputs_path(number, hotkey) for hotkey in pair]
    moments = {version.index for path in paths for version in history.versions(path) if version.index <= index}
    for moment in sorted(moments, reverse=True)[:_TRIES] or [index]:
        seen = history.round(number, moment)
        yield seen.played(pair[0]), seen.played(pair[1])


def _derive(recorded: MatchReport, current: Round, sides: tuple[Outputs | None, Outputs | None], rules: Rules) -> bytes:
    """The report as the rules write it, from both sides' outputs and what the judge decided."""
    prompts = current.prompts or []
    left, right = (outputs if outputs is not None else Outputs({}) for outputs in sides)
    late = (overtime(left, prompts, rules), overtime(right, prompts, rules))
    judged = {duel.name: duel for duel in recorded.duels}
    duels: list[dict[str, Any]] = []
    for name, prompt in zip(current.stems, prompts, strict=True):
        theirs = judged.get(name)
        if theirs is None:
            continue
        pair = left.get(name), right.get(name)
        forced = forced_outcome(name, *pair, late)
        decided = theirs.winner, theirs.issues
        if forced is not None and forced[0] is not theirs.winner:
            decided = forced
        entry = duel_entry(prompt, *pair, decided, current.config.output_format)
        duels.append(entry | (theirs.model_extra or {}))
    duels.sort(key=itemgetter("name"))
    score = match_score([duel["winner"] for duel in duels])
    margin = score / max(1, len(prompts))
    report = {"left": recorded.left, "right": recorded.right, "score": score, "margin": margin, "duels": duels}
    return pydantic_core.to_json(report | (recorded.model_extra or {}), indent=2)


def _unjudged(recorded: MatchReport, unjudged: int, current: Round) -> str:
    """How far the draws that no judge decided could have moved the match."""
    prompts, needed = max(1, len(current.stems)), current.config.win_margin
    low, high = (recorded.score - unjudged) / prompts, (recorded.score + unjudged) / prompts
    open_verdict = low < needed <= high
    verdict = "the verdict depends on them" if open_verdict else "the verdict doesn't depend on them"
    return f"{unjudged} duels were recorded as draws that the judge never decided; {verdict}"


def arrivals(history: History, number: int) -> list[Arrival]:
    """The verdicts of a round as they came, from none on."""
    paths = [round_path(number, name) for name in ("generation_audits.json", "source_audit.json")]
    indexes = sorted({version.index for path in paths for version in history.versions(path)})
    found = [Arrival(-1, Verdicts())]
    for index in indexes:
        seen = history.round(number, index)
        with suppress(MalformedFile):  # what could not be read then told nobody anything
            found.append(Arrival(index, verdicts(seen.audits, seen.source_audits)))
    return found


def rows_played(history: History, number: int) -> list[Played]:
    """The rows of the matrix at the head, each with the commit that brought it (for good) and what stood before it."""
    path = round_path(number, "matches_matrix.csv")
    contents = list(history.readable(path, partial(Matrix.parse, path=path)))
    if not contents:
        return []
    found = []
    for match in history.round(number).matrix.matches:
        at = len(contents) - 1
        while at and match.pair in contents[at - 1][1].margins:
            at -= 1
        version, matrix = contents[at]
        earlier = contents[at - 1][1].margins if at else {}
        before = list(contents[at - 1][1].matches) if at else []
        before += [
            other
            for other in matrix.matches[: matrix.matches.index(_row(matrix, match.pair))]
            if other.pair not in earlier
        ]
        found.append(Played(match, version, before))
    return found


def _row(matrix: Matrix, pair: Pair) -> Match:
    return next(match for match in matrix.matches if match.pair == pair)


def replay_matrix(history: History, number: int) -> FileReplay | None:
    """The matrix: each margin from its report, each row where the rules put it, given the verdicts known by then."""
    path = round_path(number, "matches_matrix.csv")
    raw = history.read(path)
    if raw is None:
        return None
    current = history.round(number)
    derived = Matrix(tuple(Match(*match.pair, _margin(current, match)) for match in current.matrix.matches))
    differences = [
        Difference(_names(match.pair), str(match.margin), str(again.margin))
        for match, again in zip(current.matrix.matches, derived.matches, strict=True)
        if match != again
    ]
    differences += shorten(list(_out_of_order(history, number)))
    rows = current.matrix.margins
    if history.is_past(number):
        differences += [
            Difference(_names(pair), "no row", "a row: its report is there")
            for pair in reports(history, number)
            if pair not in rows
        ]
    notes = [LAYOUT] if not differences and derived.to_bytes() != raw else []
    return compared("matches_matrix", path, differences, notes)


def _margin(current: Round, match: Match) -> float:
    report = current.report(match.pair)
    if report is not None:
        return report.score / max(1, len(current.stems))
    sides = [current.played(hotkey) for hotkey in match.pair]
    left, right = (
        any(output.model or output.png for _, output in outputs.items()) if outputs else False for outputs in sides
    )
    derived = margin_without_report(left, right)
    return match.margin if derived is None else derived


def _out_of_order(history: History, number: int) -> Iterator[Difference]:
    """The rows that were not due when they were played, whatever of the verdicts had arrived."""
    timeline, known = history.round(number).timeline, 0
    found = arrivals(history, number)
    for row in rows_played(history, number):
        margins = {match.pair: match.margin for match in row.before}
        wanted: Pair | None = None
        for later in range(known, len(found)):
            if found[later].index > row.version.index:
                break
            wanted = next(timeline.matches_due(margins, found[later].verdicts), None)
            if wanted == row.match.pair:
                known = later
                break
        if wanted != row.match.pair:
            yield Difference("the order", _names(row.match.pair), _names(wanted), f"in {row.version}")


def _names(pair: Pair | None) -> str:
    return f"{short(pair[0])},{short(pair[1])}" if pair else "no match"
