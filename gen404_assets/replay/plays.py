"""Replay of a match report: each duel from both sides' outputs and the judge's answers, why a match
was clinched, and the plays of a close one.
"""

from dataclasses import dataclass
from typing import Any

from gen404_assets.competition.duels import (
    Decision,
    Duel,
    MatchReport,
    Outcome,
    Play,
    duel_decision,
    report_entry,
)
from gen404_assets.competition.evidence import Evidence
from gen404_assets.competition.judgement import NotJudged
from gen404_assets.competition.match_under_play import MatchUnderPlay
from gen404_assets.competition.output_formats import DEFAULT_FORMAT, OUTPUT_FORMATS
from gen404_assets.competition.round import Round

Document = dict[str, Any]
AGAIN = "two more plays: the match is close"
ANSWERS = "the judge's answers: other duels of the time hold theirs"


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived report, and how many of its judged duels have outcomes derived from the judge's
    answers, and how many are taken as recorded.
    """

    document: Document
    from_answers: int
    as_recorded: int


def derive_report(
    recorded: MatchReport, match: MatchUnderPlay, current: Round, *, kept: bool = False
) -> Derived:
    """The report as the rules give it.

    Outcomes and texts are derived from the judge's answers, or taken as recorded where these were
    not kept. `kept`: at its time they were, so a duel that the judge decided must hold them.
    """
    replay = _RecordedMatch(recorded, match, current, kept=kept)
    plays = replay.in_order()
    derived = [replay.derive(play, seed) for play, seed in plays]
    again = match.is_played_again(derived[0]["score"])
    if len(plays) == (3 if again else 1):
        document = report_entry(match.pair, derived)
    else:
        document = report_entry(match.pair, [replay.derive(recorded, None)])
        document |= {"others": AGAIN} if again else {}
    answered = [
        duel.evidence is not None
        for play, _ in plays
        for duel in play.duels
        if duel.name in match.forced and match.forced[duel.name] is None
    ]
    document |= recorded.model_extra or {}
    return Derived(document, sum(answered), len(answered) - sum(answered))


class _RecordedMatch:
    """A match that was recorded, played again with what its report holds."""

    def __init__(
        self, recorded: MatchReport, match: MatchUnderPlay, current: Round, *, kept: bool
    ) -> None:
        self._kept = kept
        self._plays = [recorded, *(recorded.others or ())]
        self._match = match
        self._format = _format(recorded, current)
        evidence = any(duel.evidence is not None for play in self._plays for duel in play.duels)
        self._skips_as_recorded = not (evidence or current.missing)
        """Older reports, which hold no evidence, skip duels for reasons that are not recorded."""

    def in_order(self) -> list[tuple[MatchReport | Play, int | None]]:
        """The plays in the order of their seeds, each with the one that the rules give it."""
        seeds = self._match.seeds
        if not seeds:
            return [(play, None) for play in self._plays]
        place = {seed: number for number, seed in enumerate(seeds)}
        ordered = sorted(
            self._plays, key=lambda play: place.get(_seed_of(play) or seeds[0], len(seeds))
        )
        return list(zip(ordered, seeds, strict=False))

    def derive(self, play: MatchReport | Play, seed: int | None) -> Document:
        """One play: its duels, score and margin, and the proof that it could stop if it did."""
        known = [duel for duel in play.duels if duel.name in self._match.prompt_of]
        derived = self._match.play(
            [self._duel(duel, seed) for duel in known], stopped=play.clinched is not None
        )
        if "clinched" in derived and play.clinched is not None:
            derived["clinched"] |= play.clinched.model_extra or {}
        once_each = derived["score"] / max(1, len(self._match.prompt_of))
        # Old rounds may hold a prompt twice; their margins count each prompt once.
        if play.margin == once_each:
            derived["margin"] = once_each
        return derived | ((play.model_extra or {}) if isinstance(play, Play) else {})

    def _duel(self, recorded: Duel, seed: int | None) -> Document:
        """A duel's entry: as the rules decide it, else by the judge's answers, else as recorded."""
        name = recorded.name
        forced = self._match.forced[name]
        evidence: Document | None = None
        decision: Decision | None = None
        as_recorded = recorded.winner is Outcome.SKIPPED and self._skips_as_recorded
        if forced is not None:
            if recorded.winner is not forced.outcome and not as_recorded:
                decision = forced
        elif recorded.evidence is not None:
            decision = _judged(recorded.evidence, recorded.issues)
            evidence = {"evidence": _checked(recorded.evidence, seed)}
        elif recorded.winner is Outcome.SKIPPED and not as_recorded:
            allowed = "left, right or draw: the prompt is not missing"
            decision = Decision(allowed, recorded.issues)
        elif self._kept and not as_recorded:
            evidence = {"evidence": ANSWERS}
        if decision is None:
            decision = Decision(recorded.winner, recorded.issues)
        entry = self._match.duel(self._match.prompt_of[name], decision, self._format)
        if evidence is not None:
            entry |= evidence
        if recorded.model_extra:
            entry |= recorded.model_extra
        return entry


def _judged(evidence: Evidence, issues: str) -> Decision:
    """The outcome and text that the kept answers give."""
    try:
        return duel_decision(evidence)
    except NotJudged as reason:
        return Decision(f"none: {reason}", issues)


def _checked(evidence: Evidence, seed: int | None) -> Document:
    """The evidence with the seed that the rules give, and with its answers' keys derived from the
    questions.
    """
    checked: Document = evidence.model_dump(exclude_unset=True)
    first, second = (
        [
            stored.model_dump(exclude_unset=True) | {"key": key}
            for stored, key in zip(attempts, keys, strict=True)
        ]
        for attempts, keys in zip(evidence.attempts(), evidence.keys(), strict=True)
    )
    checked |= {"answers": [first[-1], second[-1]]}
    checked.pop("unusable", None)
    if first[:-1] or second[:-1]:
        checked["unusable"] = [first[:-1], second[:-1]]
    return checked | ({} if seed is None else {"seed": seed})


def _seed_of(play: MatchReport | Play) -> int | None:
    return next((duel.evidence.seed for duel in play.duels if duel.evidence is not None), None)


def _format(recorded: MatchReport, current: Round) -> str:
    """The output format by the configuration, or by the report where the configuration has none."""
    if "output_format" in current.config.model_fields_set:
        return current.config.output_format
    named = {key for duel in recorded.duels for key in duel.model_fields_set}
    return next((each for each in OUTPUT_FORMATS if f"left_{each}" in named), DEFAULT_FORMAT)
