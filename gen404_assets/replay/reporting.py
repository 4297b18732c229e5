"""Replay of the match reports: each by what its sides had, and by the judge's answers, when it was
judged.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import pydantic_core

from gen404_assets.competition.duels import MatchReport, match_score
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.match_under_play import MatchUnderPlay, Sides
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.round import Round, outputs_path, report_path, round_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.competition.versions import Version
from gen404_assets.replay.compare import compare
from gen404_assets.replay.exact import ExactReport, Undecided, exact_report
from gen404_assets.replay.plays import Derived, derive_report
from gen404_assets.replay.result import Difference, FileReplay, compared

_TRIES = 8
"""How many commits, from a report's back, are searched for the outputs that it was judged by."""


def reports(history: History, number: int) -> list[Pair]:
    """The matches of which the head has a report, challenger by challenger in the order of
    submissions.
    """
    order: list[str] = []
    # The file's own replay says what is wrong with it; here only the order is lost.
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
    current = history.round(number, version.index)
    first = first_evidence(history, number)
    kept = first is not None and first <= version.index
    if not kept and (exact := _exact(history, current, pair, version, rules)) is not None:
        result = compared("duels", path, [], _notes(exact.score, exact.undecided, current))
        result.as_recorded, result.score = exact.judged, exact.score
        return result
    recorded = current.report(pair)
    if recorded is None:
        return None
    matches = (
        MatchUnderPlay(pair, current, sides, rules)
        for sides in sides_of(history, number, pair, version.index)
    )
    comparison = _closest(recorded, raw, matches, _At(current, kept))
    differences = [*comparison.differences, *_unplayed(recorded, comparison.derived, current)]
    result = compared(
        "duels",
        path,
        [
            replace(difference, origin=f"written by {version.who} in {version}")
            for difference in differences
        ],
        [*comparison.notes, *_notes(recorded.score, Undecided.from_duels(recorded.duels), current)],
    )
    scores = _scores(recorded, pair)
    result.score = scores[0] if scores and scores[0] == scores[1] else None
    result.from_answers = comparison.derived.from_answers
    result.as_recorded = comparison.derived.as_recorded
    return result


def _exact(
    history: History, current: Round, pair: Pair, version: Version, rules: Rules
) -> ExactReport | None:
    """The report if it is, byte for byte, what the rules give by the outputs of its time."""
    raw = history.content(version)
    with suppress(MalformedFile):
        for sides in islice(sides_of(history, current.number, pair, version.index), 1):
            return exact_report(raw or b"", MatchUnderPlay(pair, current, sides, rules), current)
    return None


def scores_of(history: History, number: int, pair: Pair) -> list[int] | None:
    """The score by a report's duels, and the score that it states; None where there is no report of
    that pair. Raises MalformedFile.
    """
    report = history.round(number).report(pair)
    return _scores(report, pair) if report is not None else None


def _scores(report: MatchReport, pair: Pair) -> list[int] | None:
    if (report.left, report.right) != pair:
        return None
    return [match_score([duel.winner for duel in report.duels]), report.score]


@lru_cache(maxsize=4)
def first_evidence(history: History, number: int) -> int | None:
    """The commit from which on reports hold the judge's answers, as far as the round and a report
    of the one before tell; None where none does.
    """
    versions = [
        version
        for path in [*report_before(history, number), *history.ever_in_round(number)]
        if path.rsplit("/", 1)[1].startswith("duels_")
        for version in history.versions(path)
    ]
    return min(
        (
            version.index
            for version in versions
            if b'"evidence"' in (history.content(version) or b"")
        ),
        default=None,
    )


def report_before(history: History, number: int) -> list[str]:
    """A report of the round before, if it has one."""
    return [path for path in history.of_round(number - 1) if "/duels_" in path][:1]


@dataclass(frozen=True, slots=True)
class _At:
    """The round when a report was committed, and whether answers were kept then."""

    round: Round
    kept: bool


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A recorded report beside the one that was derived."""

    differences: Sequence[Difference]
    notes: Sequence[str]
    derived: Derived


def _closest(
    recorded: MatchReport, raw: bytes, matches: Iterable[MatchUnderPlay], then: _At
) -> _Comparison:
    """The first derivation without a difference, else the one with the fewest.

    `matches`: the match with the outputs that its sides may have been judged by.
    """
    best: _Comparison | None = None
    for match in matches:
        derived = derive_report(recorded, match, then.round, kept=then.kept)
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


def _notes(score: int, undecided: Undecided, current: Round) -> list[str]:
    """Notes on the duels that no judge decided, and whether the match depends on them."""
    counts = {
        "duels were recorded as draws that the judge never decided": undecided.never_judged,
        "duels are draws since the judge gave no usable answer": undecided.without_usable_answer,
        "duels were skipped": len(
            [name for name in undecided.skipped if name not in current.missing]
        ),
    }
    notes = [
        f"{count} {what}; {_weight(score, count, current)}"
        for what, count in counts.items()
        if count
    ]
    if current.missing:
        notes.append(
            f"{len(current.missing)} prompts of the round have no picture: their duels are skipped"
        )
    return notes


def sides_of(history: History, number: int, pair: Pair, index: int) -> Iterator[Sides]:
    """Both sides' outputs at commit `index`, then at the commits before it that changed either,
    latest first, back to the first duels of the round: none is judged by what was there while its
    outputs were still collected.

    A match is judged before its report is committed, so its outputs may have changed meanwhile.
    """
    moments = history.moments((outputs_path(number, hotkey) for hotkey in pair), index)
    began = _first_duels(history, number)
    collecting = [moment for moment in moments if moment < began]
    moments = [*moments[: len(moments) - len(collecting)], *collecting[:1]]
    for moment in moments[:_TRIES] or [index]:
        # Sides that could not be read then were not judged.
        with suppress(MalformedFile):
            yield Sides.of_round(history.round(number, moment), pair)


def _first_duels(history: History, number: int) -> int:
    """The commit at which a round first came to its duels; 0 where no state says so."""
    return next(
        (
            change.version.index
            for change in history.states_of(number)
            if change.after.current_round == number and change.after.stage is Stage.DUELS
        ),
        0,
    )


def counts_of(current: Round) -> list[int]:
    """The numbers of prompts that a score may have been divided by.

    It is that of all prompts. Old rounds may hold a prompt twice, and count each stem once.
    """
    return [max(1, len(current.stems)), max(1, len(set(current.stems)))]


def _weight(score: int, unjudged: int, current: Round) -> str:
    """Whether `unjudged` duels, decided otherwise, could have turned the match."""
    prompts, needed = max(1, len(current.stems)), current.config.win_margin
    low, high = (score - unjudged) / prompts, (score + unjudged) / prompts
    depends = "depends" if low < needed <= high else "doesn't depend"
    return f"the verdict {depends} on them"
