"""Match reports that are, byte for byte, what the rules give: they need not be read as models.

That is so of most reports. Where a report is anything else, `plays` says what differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pydantic_core

from gen404_assets.competition.duels import (
    NOT_JUDGED,
    Decision,
    Duel,
    Outcome,
    duel_entry,
    match_score,
    without_usable_answer,
)
from gen404_assets.competition.match_under_play import MatchUnderPlay
from gen404_assets.competition.output_formats import DEFAULT_FORMAT, OUTPUT_FORMATS
from gen404_assets.competition.outputs import NO_URLS
from gen404_assets.competition.round import Round

_KEYS = ["left", "right", "score", "margin", "duels"]
_OUTCOMES = {outcome.value for outcome in Outcome}
_SKIPPED = Outcome.SKIPPED.value


@dataclass(frozen=True, slots=True)
class Undecided:
    """What no judge decided: how many draws in older reports, how many after answers that could not
    be used, and the stems of the duels that were skipped.
    """

    never_judged: int
    without_usable_answer: int
    skipped: Sequence[str]

    @classmethod
    def from_duels(cls, duels: Sequence[Duel]) -> "Undecided":
        """Those of a report's duels."""
        return cls(
            sum(duel.issues == NOT_JUDGED for duel in duels),
            without_usable_answer(duels),
            [duel.name for duel in duels if duel.winner is Outcome.SKIPPED],
        )


@dataclass(frozen=True, slots=True)
class ExactReport:
    """What such a report says; `judged`: how many of its duels the judge decided."""

    score: int
    undecided: Undecided
    judged: int


def exact_report(raw: bytes, match: MatchUnderPlay, current: Round) -> ExactReport | None:
    """The report of a match without the judge's answers, its judged outcomes as recorded; None
    where it is not what the rules give, or may not be.
    """
    document = _document(raw)
    if document is None:
        return None
    columns = _columns(document.pop("duels"), current)
    names = sorted(match.prompt_of)
    if columns is None or columns[:-2] != _undecided_columns(match, names):
        return None
    outcomes, texts = columns[-2:]
    for name, *recorded in zip(names, outcomes, texts, strict=True):
        if (forced := match.forced[name]) is not None and [*forced] != recorded:
            return None
    named = zip(names, outcomes, strict=True)
    skipped = [name for name, outcome in named if outcome == _SKIPPED]
    if current.missing and any(match.forced[name] is None for name in skipped):
        return None
    score = match_score(outcomes)
    if match.is_played_again(score):
        return None
    stated = [*match.pair, score, score / max(1, len(current.stems))]
    if repr([*document.values()]) != repr(stated):  # 1.0 and true would equal a score of 1
        return None
    undecided = Undecided(texts.count(NOT_JUDGED), 0, skipped)
    return ExactReport(score, undecided, match.judged)


def _document(raw: bytes) -> dict[str, Any] | None:
    """A report that has a report's usual keys; None for another. It is laid out as the platform
    does, no key occurs twice, and no number is one that some readers refuse: so what is equal to
    what the rules give is so byte for byte.
    """
    try:
        document = pydantic_core.from_json(raw)
    except ValueError:
        return None
    if not isinstance(document, dict) or [*document] != _KEYS:
        return None
    usual = isinstance(document["duels"], list)
    return document if usual and pydantic_core.to_json(document, indent=2) == raw else None


def _columns(duels: list[Any], current: Round) -> list[tuple[Any, ...]] | None:
    """The duels' values key by key; None where there is no duel, or one that has not a duel's usual
    keys, no outcome or no text. So many duels are compared faster by column than one by one.
    """
    if {*map(type, duels)} != {dict}:
        return None
    usual = duel_entry("", NO_URLS, NO_URLS, Decision("", ""), _format(duels, current))
    if {*map(tuple, duels)} != {(*usual,)}:
        return None
    columns = [*zip(*map(dict.values, duels), strict=True)]
    outcomes, texts = columns[-2:]
    if {*map(type, outcomes), *map(type, texts)} != {str} or not _OUTCOMES.issuperset(outcomes):
        return None
    return columns


def _undecided_columns(match: MatchUnderPlay, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """The columns that stand in a match's report before its duels are decided: names, prompts,
    and the URLs of both sides.
    """
    prompts = tuple(match.prompt_of[name] for name in names)
    sides = match.sides.defender.urls, match.sides.challenger.urls
    urls = ([side.get(name, NO_URLS) for name in names] for side in sides)
    return [(*names,), prompts, *(column for side in urls for column in zip(*side, strict=True))]


def _format(duels: list[Any], current: Round) -> str:
    """The output format by the configuration, or by the report where the configuration has none."""
    if "output_format" in current.config.model_fields_set or not duels:
        return current.config.output_format
    return next((each for each in OUTPUT_FORMATS if f"left_{each}" in duels[0]), DEFAULT_FORMAT)
