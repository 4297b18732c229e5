"""What the judge is asked, word by word, and what its words mean. No I/O."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resources.faults import InfrastructureFault

PROMPT_VERSION = "1"
"""The name of the texts below: another text is another question, so it needs another name."""

MAX_TOKENS = 1024
WORST_PENALTY = 10
_MAX_ISSUES = 600

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

_PICTURES = ("The prompt image:", "Model 1:", "Model 2:")

_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "penalty_1": {"type": "integer", "minimum": 0, "maximum": WORST_PENALTY},
        "penalty_2": {"type": "integer", "minimum": 0, "maximum": WORST_PENALTY},
        "issues": {"type": "string", "maxLength": _MAX_ISSUES},
    },
    "required": ["penalty_1", "penalty_2", "issues"],
    "additionalProperties": False,
}


class NotJudged(InfrastructureFault):
    """The judge gave no judgement; the message says why. Nothing follows for the duel: it stays open (`rules.md`)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the judge is asked: public URLs of the prompt's picture and of the first and second output's, and a seed."""

    prompt: str
    first: str
    second: str
    seed: int

    @property
    def pictures(self) -> tuple[str, str, str]:
        return self.prompt, self.first, self.second

    def swapped(self) -> "Question":
        """The same with the sides exchanged."""
        return Question(self.prompt, self.second, self.first, self.seed)


@dataclass(frozen=True, slots=True)
class Answer:
    """The judge's answer: penalties from 0 (perfect match) to 10 (wrong object), and the evidence.

    `model` is the name under which the server says it answered, `raw` what it said, to the letter.
    """

    penalty_1: int
    penalty_2: int
    issues: str
    model: str
    raw: str


def asked(model: str, prompt_version: str, seed: int, pictures: tuple[str, str, str]) -> dict[str, Any]:
    """All that an answer depends on; `pictures` are the SHA-256 of the prompt's, the first and the second."""
    shown = dict(zip(("prompt", "first", "second"), pictures, strict=True))
    return {"model": model, "prompt_version": prompt_version, "seed": seed, "pictures": shown}


def answer_key(question: Mapping[str, Any]) -> str:
    """Where the store keeps the answer to what was `asked`."""
    return f"answers/{hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()}.json"


def read_answer(raw: str, model: str) -> Answer:
    """The answer that the judge's words give. Raises NotJudged if they are no judgement.

    A thinking model's thoughts and the marks that it puts around its answer are passed over; what is left must be the
    JSON that was asked for.
    """
    said = raw.rpartition("</think>")[2]
    text = re.sub(r"<\|(?:begin|end)_of_box\|>|</?answer>|<\|(?:user|endoftext)\|>", "", said).strip()
    fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", text, re.DOTALL)
    try:
        verdict = _Verdict.model_validate_json(fenced[1] if fenced else text)
    except ValidationError as error:
        raise NotJudged(f"the judge's answer is no judgement: {_first_problem(error)}") from None
    return Answer(verdict.penalty_1, verdict.penalty_2, verdict.issues, model, raw)


class _Verdict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    penalty_1: Annotated[int, Field(ge=0, le=WORST_PENALTY)]
    penalty_2: Annotated[int, Field(ge=0, le=WORST_PENALTY)]
    issues: str


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    """What is used of a chat completion."""

    model: str
    choices: Annotated[list[_Choice], Field(min_length=1)]


def answer_of(body: str) -> Answer:
    """The answer in a chat completion, a server's JSON. Raises NotJudged if there is none."""
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as error:
        raise NotJudged(f"the judge's server answered no chat completion: {_first_problem(error)}") from None
    choice = completion.choices[0]
    if choice.message.refusal:
        raise NotJudged(f"the judge refused: {choice.message.refusal[:300]}")
    if choice.finish_reason != "stop":
        raise NotJudged(f"the judge's answer did not come to its end: finish_reason {choice.finish_reason}")
    if not choice.message.content:
        raise NotJudged("the judge's answer is empty")
    return read_answer(choice.message.content, completion.model)


def request_body(model: str, question: Question) -> dict[str, Any]:
    """Constant text first, then what most questions share, so that a server's prefix cache serves the rest."""
    content: list[dict[str, Any]] = []
    for text, url in zip(_PICTURES, question.pictures, strict=True):
        content += [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
    return {
        "model": model,
        "messages": [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": content}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "verdict", "strict": True, "schema": dict(_SCHEMA)},
        },
        "seed": question.seed,
        "temperature": 0,
        "max_tokens": MAX_TOKENS,
    }


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))} {problem['msg']}".strip()
