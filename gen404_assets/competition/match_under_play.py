"""A match while it is played: the duels that the rules decide without the judge, and its plays.

Live work plays it with the judge's answers, a replay with the recorded ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gen404_assets.competition.duels import (
    Decision,
    Play,
    duel_decision,
    duel_entry,
    has_output,
    margin_without_report,
    match_score,
    play_entry,
    without_judge,
)
from gen404_assets.competition.evidence import Evidence
from gen404_assets.competition.margins import BEST_OF_3, clinched_score, is_close, seed_again
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.outputs import NO_URLS, Output, Outputs, Urls
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.round import Round
from gen404_assets.competition.settings import Rules


@dataclass(frozen=True, slots=True)
class Sides:
    """What both play with: the defender (left) and the challenger (right)."""

    defender: Outputs
    challenger: Outputs

    @classmethod
    def of_round(cls, current: Round, pair: Pair) -> "Sides":
        """Both sides' outputs by a round's files; no outputs where a file is missing."""
        defender, challenger = (current.played(hotkey) or Outputs({}) for hotkey in pair)
        return cls(defender, challenger)

    def outputs(self, name: str) -> tuple[Output | None, Output | None]:
        """The defender's and the challenger's output for the prompt with that stem."""
        return self.defender.get(name), self.challenger.get(name)

    def urls(self, name: str) -> tuple[Urls, Urls]:
        """Those of the defender's and of the challenger's output for that prompt."""
        return self.defender.urls.get(name, NO_URLS), self.challenger.urls.get(name, NO_URLS)


class MatchUnderPlay:
    """A match as the rules see it: its prompts, both sides, and what needs no judge.

    `current`: the round at the commit at which the match is played.
    """

    def __init__(self, pair: Pair, current: Round, sides: Sides, rules: Rules) -> None:
        self.pair, self.sides, self.rules = pair, sides, rules
        self._current = current
        prompts = current.prompts or []
        self.prompts = list(dict.fromkeys(prompts))
        self.prompt_of = current.prompt_of
        self.forced = without_judge(
            prompts, sides.defender, sides.challenger, current.missing, rules
        )
        """Prompt stem -> the decision where the rules make it, None where the judge does."""
        self.judged = [*self.forced.values()].count(None)
        """How many duels are the judge's to decide."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the first play and of the two that a close match may have after it; none
        where the round has no seed.
        """
        if self._current.seed is None:
            return ()
        seed = self._current.seed.seed
        return seed, seed_again(seed, 1), seed_again(seed, 2)

    @cached_property
    def margin_without_report(self) -> float | None:
        """The margin where a side has no output at all; None where the match is played."""
        missing = self._current.missing
        return margin_without_report(
            has_output(self.sides.defender, missing), has_output(self.sides.challenger, missing)
        )

    def is_played_again(self, score: int) -> bool:
        """Whether a match whose first play ended with that score is played twice more: it is close,
        and the competition plays such a match again.
        """
        config = self._current.config
        if config.close_matches != BEST_OF_3:
            return False
        return is_close(score, self.judged, self._count, config.win_margin)

    def clinched_score(self, duels: Sequence[Mapping[str, Any]]) -> int | None:
        """The score with which a play may stop after these duels (`margins.clinched_score`); None
        if it must go on.
        """
        return clinched_score(
            match_score([duel["winner"] for duel in duels]),
            self._count - len(duels),
            self.judged,
            self._count,
            self._current.config.win_margin,
            self.rules.max_mismatched_margin,
        )

    def duel(
        self, prompt: str, decision: Decision, output_format: str | None = None
    ) -> dict[str, Any]:
        """A duel's entry. `output_format`: where it isn't the
        competition's.
        """
        urls = self.sides.urls(stem(prompt))
        return duel_entry(
            prompt, *urls, decision, output_format or self._current.config.output_format
        )

    def play(self, duels: Sequence[Mapping[str, Any]], *, stopped: bool) -> dict[str, Any]:
        """The entry of a play with these duels.

        `stopped`: whether it ended before its last duel. If it was not allowed to, its score is
        that of the duels so far, and the entry has no `clinched`.
        """
        return play_entry(duels, self._count, self.clinched_score(duels) if stopped else None)

    @property
    def _count(self) -> int:
        return max(1, len(self._current.stems))


class PlayUnderWay:
    """A match that is played with one seed, as the judge decides its duels.

    The judge's answers come in any order. Duels count in a fixed order: those that need no judge
    first, then the others by prompt. A clinched match ends with the duel that clinches it. So the
    record depends on the answers, and not on the order in which they came (`rules.md`, Clinched
    matches).
    """

    def __init__(self, match: MatchUnderPlay, seed: int) -> None:
        self.match, self.seed = match, seed
        self.open: list[str] = []
        """The prompts that the judge still has to decide, in the round's order."""
        self._duels: list[dict[str, Any]] = []
        for prompt in match.prompts:
            decision = match.forced[stem(prompt)]
            if decision is None:
                self.open.append(prompt)
            else:
                self._duels.append(match.duel(prompt, decision))
        self._evidence: dict[str, Evidence] = {}
        self._clinched = self._is_clinched()

    @property
    def over(self) -> bool:
        return not self.open or self._clinched

    def pictures(self, prompt: str) -> tuple[str, str]:
        """The URLs of both sides' pictures of a prompt that is open."""
        defender, challenger = self.match.sides.outputs(stem(prompt))
        if not (defender and defender.png and challenger and challenger.png):
            raise AssertionError(f"{prompt}: the judge is asked, but a side has no preview")
        return defender.png, challenger.png

    def take(self, prompt: str, evidence: Evidence) -> None:
        """Record the judge's answers on a prompt, and count the duels that are decided now.

        Raises NotJudged where the attempts are not those that the rules allow.
        """
        self._evidence[prompt] = evidence
        while not self.over and self.open[0] in self._evidence:
            prompt = self.open.pop(0)
            evidence = self._evidence[prompt]
            duel = self.match.duel(prompt, duel_decision(evidence))
            self._duels.append(duel | {"evidence": evidence})
            self._clinched = self._is_clinched()

    def result(self) -> Play:
        """The play, once it is over."""
        return Play.model_validate(self.match.play(self._duels, stopped=bool(self.open)))

    def _is_clinched(self) -> bool:
        may_stop = self.match.rules.clinch_matches and bool(self.open)
        return may_stop and self.match.clinched_score(self._duels) is not None
