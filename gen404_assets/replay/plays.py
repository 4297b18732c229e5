"""Replay of a match report: each duel from what both sides had and what the judge said; what
clinched and close matches owe to the rules; which of three plays counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gen404_assets.competition.duels import (
    Duel,
    MatchReport,
    Outcome,
    Play,
    duel_entry,
    duel_outcome,
    match_score,
    without_judge,
)
from gen404_assets.competition.evidence import Evidence
from gen404_assets.competition.judgement import NotJudged
from gen404_assets.competition.margins import (
    BEST_OF_3,
    clinched_score,
    is_close,
    middle,
    seed_again,
)
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.round import Round
from gen404_assets.competition.settings import Rules

Document = dict[str, Any]
AGAIN = "two more plays: the match is close"


@dataclass(frozen=True, slots=True)
class Derived:
    """A report as the rules write it, and how many outcomes follow from answers, how many are as
    recorded.
    """

    document: Document
    from_answers: int
    as_recorded: int


def derive_report(
    pair: Pair,
    recorded: MatchReport,
    current: Round,
    sides: tuple[Outputs | None, Outputs | None],
    rules: Rules,
) -> Derived:
    """The report as the rules write it. Outcomes and texts follow from the judge's answers; where
    those were not kept, they are taken as recorded."""
    match = _Match(recorded, current, sides, rules)
    plays = match.in_order([recorded, *(recorded.others or ())])
    derived = [match.derive(play, seed) for play, seed in plays]
    prompts, win_margin = max(1, len(current.stems)), current.config.win_margin
    close = is_close(derived[0]["score"], match.judged, prompts, win_margin)
    again = close and current.config.close_matches == BEST_OF_3
    others: Document = {}
    if len(plays) == (3 if again else 1):
        counts = derived[middle([play["score"] for play in derived])]
        others = {"others": [play for play in derived if play is not counts]} if again else {}
    else:
        counts = match.derive(recorded, None)
        others = {"others": AGAIN} if again else {}
    document = {"left": pair[0], "right": pair[1]} | counts | others | (recorded.model_extra or {})
    answered = [
        duel.evidence is not None
        for play, _ in plays
        for duel in play.duels
        if match.asks(duel.name)
    ]
    return Derived(document, sum(answered), len(answered) - sum(answered))


class _Match:
    """A match as the rules see it: both sides' outputs, and what needs no judge."""

    def __init__(
        self,
        recorded: MatchReport,
        current: Round,
        sides: tuple[Outputs | None, Outputs | None],
        rules: Rules,
    ) -> None:
        prompts = current.prompts or []
        self._current, self._rules = current, rules
        self._by_name = {stem(prompt): prompt for prompt in prompts}
        left, right = (outputs if outputs is not None else Outputs({}) for outputs in sides)
        self._sides = left, right
        self._forced = without_judge(prompts, self._sides, current.missing, rules)
        self.judged = sum(forced is None for forced in self._forced.values())
        self._format = _format(recorded, current)
        self._seed = current.seed.seed if current.seed is not None else None
        plays = [recorded, *(recorded.others or ())]
        evidence = any(duel.evidence is not None for play in plays for duel in play.duels)
        self._skips_as_recorded = not (evidence or current.missing)
        """Older reports, which hold no evidence, skip duels for reasons that are not recorded."""

    def asks(self, name: str) -> bool:
        """Whether a prompt is the judge's to decide."""
        return name in self._forced and self._forced[name] is None

    def in_order(
        self, plays: Sequence[MatchReport | Play]
    ) -> list[tuple[MatchReport | Play, int | None]]:
        """The plays in the order of their seeds, each with the one that the rules give it."""
        if self._seed is None:
            return [(play, None) for play in plays]
        seeds = [self._seed, seed_again(self._seed, 1), seed_again(self._seed, 2)]
        told = {seed: number for number, seed in enumerate(seeds)}
        ordered = sorted(plays, key=lambda play: told.get(_seed_of(play) or seeds[0], len(seeds)))
        return list(zip(ordered, seeds, strict=False))

    def derive(self, play: MatchReport | Play, seed: int | None) -> Document:
        """One play: its duels, score and margin, and the proof that it could stop if it did."""
        duels = [self._duel(duel, seed) for duel in play.duels if duel.name in self._by_name]
        duels.sort(key=lambda duel: str(duel["name"]))
        score = match_score([duel["winner"] for duel in duels])
        counts = [max(1, len(self._current.stems)), max(1, len(self._by_name))]
        clinched: Document = {}
        if play.clinched is not None:
            prompts = counts[0]
            left_open = prompts - len(duels)
            rules = (self._current.config.win_margin, self._rules)
            stopped = clinched_score(score, left_open, self.judged, prompts, rules)
            bounds = {
                "played": len(duels),
                "prompts": prompts,
                "least": score - left_open,
                "most": score + left_open,
            }
            if stopped is not None:
                clinched, score = {"clinched": bounds | (play.clinched.model_extra or {})}, stopped
        margins = [score / count for count in counts]
        margin = play.margin if play.margin in margins else margins[0]
        told = (play.model_extra or {}) if isinstance(play, Play) else {}
        return {"score": score, "margin": margin, "duels": duels} | clinched | told

    def _duel(self, theirs: Duel, seed: int | None) -> Document:
        name = theirs.name
        forced = self._forced[name]
        evidence: Document = {}
        decided: tuple[Any, str] = (theirs.winner, theirs.issues)
        as_recorded = theirs.winner is Outcome.SKIPPED and self._skips_as_recorded
        if forced is not None and theirs.winner is not forced[0] and not as_recorded:
            decided = forced
        elif forced is None and theirs.evidence is not None:
            decided = _judged(theirs.evidence, theirs.issues)
            evidence = {"evidence": _checked(theirs.evidence, seed)}
        elif forced is None and theirs.winner is Outcome.SKIPPED and not as_recorded:
            decided = "left, right or draw: the prompt is not missing", theirs.issues
        entry = duel_entry(self._by_name[name], *self._outputs(name), decided, self._format)
        return entry | evidence | (theirs.model_extra or {})

    def _outputs(self, name: str) -> tuple[Output | None, Output | None]:
        return self._sides[0].get(name), self._sides[1].get(name)


def _judged(evidence: Evidence, issues: str) -> tuple[Any, str]:
    """The outcome and text that the kept answers give."""
    try:
        return duel_outcome(evidence)
    except NotJudged as reason:
        return f"none: {reason}", issues


def _checked(evidence: Evidence, seed: int | None) -> Document:
    """The evidence with the seed that the rules give, and the names that its answers have by what
    was asked.
    """
    told: Document = evidence.model_dump(exclude_unset=True)
    first, second = (
        [
            said.model_dump(exclude_unset=True) | {"key": key}
            for said, key in zip(attempts, keys, strict=True)
        ]
        for attempts, keys in zip(evidence.attempts(), evidence.keys(), strict=True)
    )
    told |= {"answers": [first[-1], second[-1]]}
    told.pop("unusable", None)
    if first[:-1] or second[:-1]:
        told["unusable"] = [first[:-1], second[:-1]]
    return told | ({} if seed is None else {"seed": seed})


def _seed_of(play: MatchReport | Play) -> int | None:
    return next((duel.evidence.seed for duel in play.duels if duel.evidence is not None), None)


def _format(recorded: MatchReport, current: Round) -> str:
    """The competition's output format: where its configuration doesn't say, the one that the report
    speaks of.
    """
    if "output_format" in current.config.model_fields_set:
        return current.config.output_format
    return "ply" if any("left_ply" in duel.model_fields_set for duel in recorded.duels) else "glb"
