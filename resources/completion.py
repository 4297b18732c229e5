"""What a server's chat completion says: the judge's words, and how they ended. No I/O.

OpenAI's protocol as others speak it. Ends: `stop` (OpenAI, vLLM, SGLang, llama.cpp, Ollama, LM
Studio), `eos_token` and `stop_sequence` (text-generation-inference), `eos` and `end` (Together and
other gateways), `end_turn` (Anthropic's word, passed on by proxies), `COMPLETE` (Cohere), null.
Content: a text, or parts of one. vLLM and LM Studio with a parser for reasoning give an answer that
a JSON schema enforced as `reasoning_content` or `reasoning`, with no content.
"""

import json
import re
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from gen404_assets.competition.judgement import REFUSED, NotJudged, Reply
from gen404_assets.competition.verdict import without_surrogates

_ORDINARY_END = re.compile(
    r"(stop|stopped|eos|eot|end|done|complete|completed|finish|finished|success|normal|none|null)?"
    r"|stop_(sequence|token|string)|eos_(token|found)|end_(turn|of_turn|of_sequence|of_text)|endoftext"
)
_GAVE_UP = re.compile(
    r"abort(ed)?|cancell?ed|cancel|failed|(network_|server_|internal_)?error|timeout|(over)?load(ed)?"
    r"|insufficient_system_resource"
)
"""Ends that are the server's own failure, such as vLLM's `abort` when its engine stops."""
_FILTERED = "content_filter"
_FILTER_CODES = {_FILTERED, "content_policy_violation", "responsibleaipolicyviolation"}


class _Message(BaseModel):
    content: str | list[Any] | dict[str, Any] | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None

    @property
    def text(self) -> str:
        """The answer: the content or, where there is none, what a parser took for reasoning."""
        parts = self.content if isinstance(self.content, list) else [self.content]
        content = "".join(map(_text, parts))
        thoughts = (
            text for text in (self.reasoning_content, self.reasoning) if isinstance(text, str)
        )
        return (
            content
            if content.strip()
            else next((text for text in thoughts if text.strip()), content)
        )


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    """What is used of a chat completion."""

    model: str
    choices: Annotated[list[_Choice], Field(min_length=1)]


def reply_of(body: str) -> Reply:
    """What the judge says in a chat completion, a server's JSON.

    Raises NotJudged if the server gave no answer.
    Half a surrogate pair, which UTF-8 can't hold, becomes U+FFFD; all else stays to the letter.
    """
    try:
        document = without_surrogates(json.dumps(json.loads(body), ensure_ascii=False))
        completion = _Completion.model_validate_json(document)
    except ValidationError as error:
        raise NotJudged(
            f"the judge's server answered no chat completion: {_first_problem(error)}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise NotJudged(f"the judge's server answered no chat completion: {error}") from None
    choice = completion.choices[0]
    if choice.message.refusal:
        return Reply(completion.model, choice.message.refusal, REFUSED)
    ended = (choice.finish_reason or "").strip()
    word = ended.lower().replace("-", "_").replace(" ", "_")
    if _GAVE_UP.fullmatch(word):
        raise NotJudged(f"the judge's server gave up: finish_reason {ended}")
    return Reply(
        completion.model, choice.message.text, None if _ORDINARY_END.fullmatch(word) else ended
    )


def tokens_of(body: str) -> dict[str, int]:
    """How many tokens a chat completion took (`prompt`, `completion`), if its server says so."""
    try:
        usage = json.loads(body)["usage"]
        counts = {kind: usage.get(f"{kind}_tokens") for kind in ("prompt", "completion")}
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return {}
    # `isinstance` would take true and false.
    return {kind: count for kind, count in counts.items() if type(count) is int and count >= 0}


def filtered_reply(body: str, model: str) -> Reply | None:
    """The reply in an error (status 400) of a server that filters what it is shown.

    Azure's OpenAI service answers so. The pictures decide whether it filters, so asking again would
    let one picture stop a round. None for any other error, which says nothing of the question.
    """
    try:
        error = json.loads(body)["error"]
        codes = {error.get("code"), (error.get("innererror") or {}).get("code")}
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None
    if not _FILTER_CODES & {code.lower() for code in codes if isinstance(code, str)}:
        return None
    return Reply(model, without_surrogates(body), _FILTERED)


def _text(part: Any) -> str:
    """The text of one part of a message's content; nothing for a part that is no text."""
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type") in {"text", "output_text", None}:
        return part["text"] if isinstance(part.get("text"), str) else ""
    return ""


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))} {problem['msg']}".strip()
