"""The questions to the judge, word by word, and how its answers count. No I/O."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.plain_text import quoted
from gen404_assets.competition.verdict import MAX_ISSUES, WORST_PENALTY, NoVerdict, read_verdict

PROMPT_VERSION = "1"
"""The name of the texts below: another text is another question, so it needs another name."""

MAX_TOKENS = 1024
"""Of an answer, thoughts included (`rules.md`, Judge, Model)."""
ATTEMPTS = 5
"""How often one question is put at most, while its answers can't be used (`rules.md`, Duels)."""
REFUSED = "refusal"
"""The `finish_reason` of a reply in which the judge declines to answer."""

_SYSTEM = """\
You are a strict judge of 3D generation. You see a prompt image and two 3D models made from it, each as a 2x2 grid of
four views of the model from around it, on white. Both tried to rebuild the object of the prompt image.

Give each model a penalty, an integer from 0 to 10: 0 a perfect match, 3 minor differences, 5 clearly visible
differences, 7 large parts wrong or missing, 10 a wrong object, noise or nothing at all.

Look at what kind of object it is, then its shape and proportions, then missing or additional parts, then colours,
materials and texture, then broken or unfinished surfaces, also in views that the prompt image does not show. Parts that
the prompt image hides may be anything plausible. Ignore the camera, the lighting and the background. Judge each model
by itself: the order in which they are shown means nothing, and equally good models get equal penalties.

Answer with JSON alone: {"penalty_1": integer, "penalty_2": integer, "issues": "what is wrong with each, briefly"}."""

# One question has one key, whatever the order of its parts.
_SORTED = json.JSONEncoder(sort_keys=True)
_PICTURES = ("The prompt image:", "Model 1:", "Model 2:")

_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "penalty_1": {"type": "integer", "minimum": 0, "maximum": WORST_PENALTY},
        "penalty_2": {"type": "integer", "minimum": 0, "maximum": WORST_PENALTY},
        "issues": {"type": "string", "maxLength": MAX_ISSUES},
    },
    "required": ["penalty_1", "penalty_2", "issues"],
    "additionalProperties": False,
}


class NotJudged(InfrastructureFault):
    """The judge gave no judgement; the message says why. The duel stays open (`rules.md`, Judge, No
    answer).
    """


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the judge: a seed, and public URLs of the three pictures.

    `attempt` counts from 0; it is added to the seed, and raises the temperature (`rules.md`, Judge,
    Attempts).
    """

    prompt: str
    first: str
    second: str
    seed: int
    attempt: int = 0

    @property
    def pictures(self) -> tuple[str, str, str]:
        return self.prompt, self.first, self.second

    def swapped(self) -> "Question":
        """The same with the sides exchanged."""
        return replace(self, first=self.second, second=self.first)


@dataclass(frozen=True, slots=True)
class Answer:
    """The judge's answer: penalties from 0 (perfect match) to 10 (wrong object), and a text.

    `model` is the model's name as the server reports it, `raw` the answer's text, unchanged.
    """

    penalty_1: int
    penalty_2: int
    issues: str
    model: str
    raw: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The judge's reply to one attempt: the model's name as the server reports it, and the text,
    unchanged.

    `finish_reason`: the server's word for an end other than the ordinary one, or REFUSED
    (`resources.completion`).
    """

    model: str
    text: str
    finish_reason: str | None = None

    def answer(self) -> Answer:
        """The answer in this reply. Raises Unusable if there is none."""
        if self.finish_reason == REFUSED:
            raise Unusable(self, f"the judge refused: {quoted(self.text, 300)}")
        if self.finish_reason is not None:
            raise Unusable(
                self,
                f"the judge's answer did not come to its end: finish_reason {self.finish_reason}",
            )
        if not self.text.strip():
            raise Unusable(self, "the judge's answer is empty")
        try:
            verdict = read_verdict(self.text)
        except NoVerdict as reason:
            raise Unusable(self, f"the judge's answer is no judgement: {reason}") from None
        return Answer(verdict.penalty_1, verdict.penalty_2, verdict.issues, self.model, self.text)


class Unusable(NotJudged):
    """A reply that can't be used; it counts as an attempt (`rules.md`, Judge, Attempts)."""

    def __init__(self, reply: Reply, reason: str) -> None:
        super().__init__(reason)
        self.reply = reply


def first_usable(ask: Callable[[Question], Answer], question: Question) -> Answer:
    """The answer of the first attempt that can be used. Raises Unusable where none can, and what
    else `ask` raises.
    """
    for attempt in range(ATTEMPTS - 1):
        with suppress(Unusable):
            return ask(replace(question, attempt=attempt))
    return ask(replace(question, attempt=ATTEMPTS - 1))  # apart, so that what it raises is raised


class Digests(NamedTuple):
    """SHA-256 in hex of the pictures of a question: the prompt's, the first side's and the second
    side's.
    """

    prompt: str
    first: str
    second: str

    def swapped(self) -> "Digests":
        """Those of the question with the sides exchanged."""
        return Digests(self.prompt, self.second, self.first)


def asked(
    model: str, prompt_version: str, seed: int, pictures: Digests, attempt: int = 0
) -> dict[str, Any]:
    """All that an answer depends on.

    A later attempt has another seed and temperature, so it is another question. The first attempt
    names no temperature: so it was before there were attempts, and kept answers stay valid.
    """
    question = {
        "model": model,
        "prompt_version": prompt_version,
        "seed": seed + attempt,
        "pictures": pictures._asdict(),
    }
    return question | ({"temperature": temperature(attempt)} if attempt else {})


def answer_key(question: Mapping[str, Any]) -> str:
    """The key under which the store keeps the answer to a question (`asked`)."""
    return f"answers/{hashlib.sha256(_SORTED.encode(question).encode()).hexdigest()}.json"


def temperature(attempt: int) -> float:
    """The temperature of an attempt, counted from 0."""
    return attempt / 10


def count_attempts(replies: Sequence[Reply]) -> Answer | None:
    """The answer that counts of all attempts at a question; None if five could not be used.

    Raises NotJudged where these are not the attempts that the rules allow.
    """
    reason = "the judge was not asked"
    for number, reply in enumerate(replies, start=1):
        try:
            answer = reply.answer()
        except Unusable as unusable:
            reason = str(unusable)
            continue
        if number < len(replies):
            raise NotJudged("the judge was asked again although it had answered")
        return answer
    if len(replies) != ATTEMPTS:
        raise NotJudged(f"{reason}; {len(replies)} attempts were made, not {ATTEMPTS}")
    return None


def request_body(model: str, question: Question) -> dict[str, Any]:
    """The body of the request. Constant text comes first, then what most questions share, so that
    the server's prefix cache is used.
    """
    content: list[dict[str, Any]] = []
    for text, url in zip(_PICTURES, question.pictures, strict=True):
        content += [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": url}},
        ]
    return {
        "model": model,
        "messages": [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": content}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "verdict", "strict": True, "schema": dict(_SCHEMA)},
        },
        "seed": question.seed + question.attempt,
        "temperature": temperature(question.attempt) if question.attempt else 0,
        "max_tokens": MAX_TOKENS,
    }
