"""Duels judged again by a judge of one's own, and how often it agrees with what was recorded."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from gen404_assets.competition.duels import judged_outcome
from gen404_assets.competition.judgement import (
    PROMPT_VERSION,
    Answer,
    NotJudged,
    Question,
    first_usable,
)
from gen404_assets.replay.objects.duels import pictures_of
from gen404_assets.replay.objects.means import Means
from gen404_assets.replay.objects.named import NamedDuel

_AT_ONCE = 8  # duels judged at a time, as live (`MAX_CONCURRENT_DUELS`)


class Judge(Protocol):
    """The judge that is asked. Raises Unusable, and NotJudged where no answer came. Threads may
    share it.
    """

    @property
    def model(self) -> str: ...

    def ask(self, question: Question) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a judge of one's own found `duels` that were judged before.

    `outcomes`: in how many it finds the same outcome. `answers`: how many of its answers, two a
    duel, have the penalties that were recorded. `models`: those that were asked then.
    """

    model: str
    models: Sequence[str]
    duels: int
    outcomes: int
    answers: int

    def __str__(self) -> str:
        then = ", ".join(self.models)
        return (
            f"{self.model}, asked again about {self.duels} duels that {then} judged: the same "
            f"outcome in {self.outcomes}, the same penalties in {self.answers} of "
            f"{2 * self.duels} answers"
        )


def judge_again(duels: Sequence[NamedDuel], means: Means, judge: Judge) -> Agreement | None:
    """Ask the judge about duels with the questions that were asked; None where it answered none.
    What can't be asked is told.
    """
    known = [each for each in duels if each.evidence.prompt_version == PROMPT_VERSION]
    if len(known) < len(duels):
        means.here.tell(
            f"{len(duels) - len(known)} duels are not judged again: their questions were worded "
            f"otherwise, version {PROMPT_VERSION} is known here"
        )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(partial(_again, means=means, judge=judge), known))
    compared = [each for each in answers if each is not None]
    if not compared:
        return None
    return Agreement(
        judge.model,
        sorted({each.evidence.model for each in known}),
        len(compared),
        sum(outcome for outcome, _ in compared),
        sum(answers for _, answers in compared),
    )


def _again(named: NamedDuel, means: Means, judge: Judge) -> tuple[bool, int] | None:
    """Whether the outcome is the same, and how many of two answers; None where none was had."""
    pictures = list(pictures_of(named, means).values())
    try:
        before = named.evidence.judged()
    except NotJudged:  # the replay tells it
        return None
    if before is None or not all(url is not None and means.store.holds(url) for url in pictures):
        return None
    prompt, left, right = map(str, pictures)
    question = Question(prompt, left, right, named.evidence.seed)
    try:
        now = first_usable(judge.ask, question), first_usable(judge.ask, question.swapped())
    except NotJudged as reason:
        means.here.tell(f"duels are not judged again: {reason}")
        return None
    alike = sum(
        (one.penalty_1, one.penalty_2) == (other.penalty_1, other.penalty_2)
        for one, other in zip(before, now, strict=True)
    )
    return judged_outcome(*before) == judged_outcome(*now), alike
