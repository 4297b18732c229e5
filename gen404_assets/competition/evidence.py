"""A duel's evidence: what the judge was asked, and what it said, from which anybody can derive the outcome again."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated

from pydantic import Field

from gen404_assets.competition.files import Record
from resources.judgement import Answer, NotJudged, answer_key, asked, read_answer

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Said(Record):
    """An answer: the object that keeps it in the store, who says that it answered, and its words to the letter."""

    key: str
    model: str
    text: str


class Evidence(Record):
    """SHA-256 of the three pictures as they were judged, the rest of the question, and the answers to it.

    The first answer is to the question as it stands, the second to that with the sides exchanged.
    """

    prompt: Digest
    left: Digest
    right: Digest
    model: str
    prompt_version: str
    seed: int
    answers: list[Said] = Field(min_length=2, max_length=2)

    def keys(self) -> tuple[str, str]:
        """Where the store keeps the answers to these questions."""
        orders = ((self.prompt, self.left, self.right), (self.prompt, self.right, self.left))
        first, second = (answer_key(asked(self.model, self.prompt_version, self.seed, order)) for order in orders)
        return first, second

    def judged(self) -> tuple[Answer, Answer]:
        """What the answers mean. Raises NotJudged where the words are no judgement."""
        first, second = (read_answer(said.text, said.model) for said in self.answers)
        return first, second


@dataclass(frozen=True, slots=True)
class Orders:
    """How far the judge minds the order in which it is shown two outputs, over `duels`.

    `bias`: the mean penalty of what it saw first less that of what it saw second, in points; 0 for a fair judge.
    `agreement`: the share of duels in which both orders find the same side better, or neither.
    """

    duels: int
    bias: float
    agreement: float


def orders(evidence: Iterable[Evidence]) -> Orders | None:
    """What the answers of duels say of the judge; None if there are none."""
    leads = []
    for each in evidence:
        try:
            first, swapped = each.judged()
        except NotJudged:
            continue
        leads.append((first.penalty_1 - first.penalty_2, swapped.penalty_1 - swapped.penalty_2))
    if not leads:
        return None
    agreed = [_sign(one) == -_sign(other) for one, other in leads]
    return Orders(len(leads), fmean(lead for both in leads for lead in both), fmean(agreed))


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
