"""A duel's evidence: the questions to the judge and its answers, from which anybody can derive the
outcome again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Annotated

from pydantic import Field

from gen404_assets.competition.files import Record
from gen404_assets.competition.judgement import (
    ATTEMPTS,
    Answer,
    Digests,
    NotJudged,
    Reply,
    answer_key,
    asked,
    count_attempts,
)

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class StoredReply(Record):
    """An answer of the judge: its key in the store, the model's name as the server reports it, and
    its text, unchanged.

    `finish_reason`: the server's word for an end other than the ordinary one.
    """

    key: str
    model: str
    text: str
    finish_reason: str | None = None

    @property
    def reply(self) -> Reply:
        return Reply(self.model, self.text, self.finish_reason)


class Evidence(Record):
    """SHA-256 of the three pictures as judged, the rest of the question, and the answers to it.

    The first answer is to the question as it stands, the second to that with the sides exchanged.
    Each is the last of its order's attempts: the first that could be used, or the fifth. `unusable`
    is there where an order took more than one: the attempts before those, for each order, none of
    which could be used.
    """

    prompt: Digest
    left: Digest
    right: Digest
    model: str
    prompt_version: str
    seed: int
    answers: list[StoredReply] = Field(min_length=2, max_length=2)
    unusable: list[Annotated[list[StoredReply], Field(max_length=ATTEMPTS - 1)]] | None = Field(
        default=None, min_length=2, max_length=2
    )

    def attempts(self) -> tuple[list[StoredReply], list[StoredReply]]:
        """All answers, attempt by attempt, for each order."""
        before = self.unusable or [[], []]
        first, second = (
            [*earlier, last] for earlier, last in zip(before, self.answers, strict=True)
        )
        return first, second

    def digests(self) -> tuple[Digests, Digests]:
        """Those of the pictures in each order."""
        shown = Digests(self.prompt, self.left, self.right)
        return shown, shown.swapped()

    def keys(self) -> tuple[list[str], list[str]]:
        """The keys under which the store keeps the answers, attempt by attempt, for each order."""
        first, second = (
            [
                answer_key(asked(self.model, self.prompt_version, self.seed, pictures, number))
                for number in range(len(attempts))
            ]
            for pictures, attempts in zip(self.digests(), self.attempts(), strict=True)
        )
        return first, second

    def judged(self) -> tuple[Answer, Answer] | None:
        """The answers that count; None if five attempts in either order could not be used.

        Raises NotJudged where these are not the attempts that the rules allow.
        """
        first, second = (
            count_attempts([stored.reply for stored in attempts]) for attempts in self.attempts()
        )
        return (first, second) if first and second else None


@dataclass(frozen=True, slots=True)
class DuelQuestion:
    """What the judge is asked about a duel: SHA-256 of the three pictures, and the rest."""

    prompt: str
    left: str
    right: str
    model: str
    prompt_version: str
    seed: int

    def evidence(self, first: Sequence[Reply], swapped: Sequence[Reply]) -> Evidence:
        """The evidence with all answers to the question and to the one with sides exchanged."""
        shown = Digests(self.prompt, self.left, self.right)
        replies = [
            [self._stored(reply, pictures, number) for number, reply in enumerate(attempts)]
            for attempts, pictures in ((first, shown), (swapped, shown.swapped()))
        ]
        before = [attempts[:-1] for attempts in replies]
        return Evidence.model_validate(
            asdict(self)
            | {"answers": [attempts[-1] for attempts in replies]}
            | ({"unusable": before} if any(before) else {})
        )

    def _stored(self, reply: Reply, pictures: Digests, attempt: int) -> StoredReply:
        question = asked(self.model, self.prompt_version, self.seed, pictures, attempt)
        content = {"key": answer_key(question), "model": reply.model, "text": reply.text}
        reason = {"finish_reason": reply.finish_reason} if reply.finish_reason else {}
        return StoredReply.model_validate(content | reason)


@dataclass(frozen=True, slots=True)
class Orders:
    """How much the judge depends on the order in which it is shown two outputs, over `duels`.

    `bias`: the mean penalty of the output shown first minus that of the second, in points; 0 for a
    fair judge. `agreement`: the share of duels in which both orders find the same side better, or
    neither.
    """

    duels: int
    bias: float
    agreement: float


def orders(evidence: Iterable[Evidence]) -> Orders | None:
    """The judge's dependence on the order, by its answers; None if there are none."""
    leads: list[tuple[int, int]] = []
    agreed: list[bool] = []
    for each in evidence:
        try:
            judged = each.judged()
        except NotJudged:
            continue
        if judged is None:
            continue
        first, swapped = judged
        leads.append((first.penalty_1 - first.penalty_2, swapped.penalty_1 - swapped.penalty_2))
        agreed.append(orders_agree(first, swapped))
    if not leads:
        return None
    return Orders(len(leads), fmean(lead for both in leads for lead in both), fmean(agreed))


def orders_agree(first: Answer, swapped: Answer) -> bool:
    """Whether the judge finds the same side better in both orders, or neither; in `swapped` the
    sides were exchanged.
    """
    return _sign(first.penalty_1 - first.penalty_2) == _sign(swapped.penalty_2 - swapped.penalty_1)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
