"""The judge: a vision-language model behind an OpenAI-compatible server, which compares two outputs
for a prompt.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import (
    ATTEMPTS,
    PROMPT_VERSION,
    Answer,
    NotJudged,
    Question,
    Reply,
    Unusable,
    answer_key,
    asked,
    request_body,
)
from resources.completion import filtered_reply, reply_of
from resources.deadlines import within
from resources.object_store import ObjectConflict
from resources.settings import BaseUrl, Secret, Settings, read_settings
from resources.throttle import Throttle

if TYPE_CHECKING:
    from openai import OpenAI

__all__ = [
    "PROMPT_VERSION",
    "Answer",
    "AnswerStore",
    "Judge",
    "KeptAnswers",
    "NotJudged",
    "Question",
    "Reply",
    "ServedJudge",
    "Unusable",
    "check_judge",
    "open_judge",
]

_REQUEST_SECONDS = 120.0
_TOTAL_SECONDS = 600.0
_RETRIES = 6
_CANARY_DRAW_WITHIN = 2
_CANARY_WIN_OVER = 1


class Judge(Protocol):
    """What judges two outputs for a prompt. Threads may share it."""

    @property
    def model(self) -> str:
        """The name of the model that is asked."""

    def ask(self, question: Question) -> Answer:
        """The answer to a question.

        Raises Unusable for an answer that came and can't be used; NotJudged, or another
        InfrastructureFault, where none came: then nothing is known.
        """


class ServedJudge:
    """The judge behind an OpenAI-compatible server, `server` being its base URL.

    `request_seconds` bounds each wait for the server, `total_seconds` one question with all its
    retries. Connections that fail and the statuses 408, 409, 429 and 5xx are tried again with
    back-off, by the `openai` package. While the server is overloaded (429, 503, no answer in time),
    fewer questions are let through at once (`Throttle`).

    An error is no answer, whatever its status: 4xx means settings, or pictures that the server
    couldn't fetch or decode, which are the platform's own; a draw for that would be a fault turned
    into a result. The one exception is a server that says it has filtered what it was shown
    (`resources.completion.filtered_reply`).
    """

    def __init__(
        self,
        server: str,
        api_key: str,
        model: str,
        *,
        request_seconds: float = _REQUEST_SECONDS,
        total_seconds: float = _TOTAL_SECONDS,
        retries: int = _RETRIES,
    ) -> None:
        self._model = model
        self._server = server
        self._api_key = api_key
        self._request_seconds = request_seconds
        self._total_seconds = total_seconds
        self._retries = retries
        self._throttle = Throttle()

    @property
    def model(self) -> str:
        return self._model

    def ask(self, question: Question) -> Answer:
        """Ask the server. Raises Unusable and NotJudged."""
        from openai import APIConnectionError, APIStatusError, OpenAIError  # noqa: PLC0415

        try:
            with self._throttle:
                body = within(self._total_seconds, self._completion, question)
        except TimeoutError:
            reason = f"no answer within {self._total_seconds:g} s"
        except APIStatusError as error:
            # A server that refuses the key may repeat it in its answer.
            detail = (
                ""
                if error.status_code in {401, 403}
                else f": {self._without_key(error.response.text)[:300]}"
            )
            reason = f"status {error.status_code}{detail}"
            filtered = filtered_reply(self._without_key(error.response.text), self._model)
            if filtered and error.status_code == 400:
                return filtered.answer()
        except APIConnectionError as error:
            cause = error.__cause__ or error
            reason = self._without_key(f"unreachable: {type(cause).__name__}: {cause}")
        except OpenAIError as error:
            reason = self._without_key(f"{type(error).__name__}: {error}")
        else:
            return reply_of(body).answer()
        raise NotJudged(f"the judge gave no answer: {reason}")

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _completion(self, question: Question) -> str:
        return self._client.chat.completions.with_raw_response.create(
            **request_body(self._model, question)
        ).text

    @cached_property
    def _client(self) -> "OpenAI":
        from httpx2 import Response, TimeoutException  # noqa: PLC0415 - takes most of a second
        from openai import DefaultHttpxClient, OpenAI  # noqa: PLC0415

        throttle = self._throttle

        class Watched(DefaultHttpxClient):
            """Sees each try of a question, of which `openai` shows the last alone."""

            def send(self, *request: Any, **options: Any) -> Response:
                try:
                    response = super().send(*request, **options)
                except TimeoutException:
                    throttle.overloaded()
                    raise
                if response.status_code in {429, 503}:
                    throttle.overloaded()
                return response

        return OpenAI(
            base_url=self._server,
            api_key=self._api_key,
            timeout=self._request_seconds,
            max_retries=self._retries,
            http_client=Watched(),
        )

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "***")


class AnswerStore(Protocol):
    """What is needed of the object store. Every failure is an InfrastructureFault."""

    def get(self, key: str) -> bytes | None:
        """The object's content; None if there is none."""

    def put(self, key: str, data: bytes, content_type: str) -> str:
        """Keep an object; its public URL. Raises ObjectConflict where the key holds other bytes."""

    def read(self, url: str) -> bytes:
        """The content behind a public URL."""


class KeptAnswers:
    """A judge whose answers are kept in the object store, so that no question is asked twice.

    The key of an answer is made of the question: model, prompt version, seed and the SHA-256 of the
    three pictures. Another file with the same bytes is therefore the same question.

    An answer that can't be used is kept too, once the judge is known to work. What a judge answers
    that is out of order doesn't count as an attempt, and is asked again after the repair.
    """

    def __init__(self, judge: Judge, store: AnswerStore) -> None:
        self._judge = judge
        self._store = store
        self._digest = lru_cache(maxsize=1 << 16)(
            lambda url: hashlib.sha256(store.read(url)).hexdigest()
        )
        self._lock = threading.Lock()
        self._asking: dict[str, Future[Answer]] = {}
        self._unkept: dict[str, bytes] = {}

    @property
    def model(self) -> str:
        return self._judge.model

    def digests(self, question: Question) -> tuple[str, str, str]:
        """SHA-256 in hex of the prompt's, the first and the second picture, read once for each
        URL.
        """
        prompt, first, second = map(self._digest, question.pictures)
        return prompt, first, second

    @property
    def judge(self) -> Judge:
        """The judge itself, which keeps no answers."""
        return self._judge

    def key(self, question: Question) -> str:
        """Where the answer is kept in the store, and with it all that is needed to check it."""
        return answer_key(self._asked(question))

    def attempts(self, question: Question, confirm: Callable[[], None]) -> list[Reply]:
        """All attempts at a question, kept: up to the first usable answer, or five unusable ones.

        `confirm` is called when an answer can't be used. It raises InfrastructureFault unless it
        finds the judge in order now, after that answer. Raises that, NotJudged, and what the store
        raises.
        """
        replies = []
        for number in range(ATTEMPTS):
            try:
                answer = self.ask(replace(question, attempt=number), confirm)
            except Unusable as unusable:
                replies.append(unusable.reply)
            else:
                return [*replies, Reply(answer.model, answer.raw)]
        return replies

    def ask(self, question: Question, confirm: Callable[[], None] | None = None) -> Answer:
        """The kept answer to one attempt, or else the judge's, once it is kept.

        Raises Unusable, NotJudged, and what the store raises. Without `confirm`, nothing unusable
        is kept.
        """
        question_asked = self._asked(question)
        key = answer_key(question_asked)
        with self._lock:
            answer = self._asking.get(key)
            if mine := answer is None:
                answer = self._asking[key] = Future()
        if mine:
            try:
                reply = self._kept(key) or self._new(key, question_asked, question, confirm)
                answer.set_result(reply.answer())
            except BaseException as error:
                answer.set_exception(error)
                raise
            finally:
                with self._lock:
                    del self._asking[key]
        return answer.result()

    def _asked(self, question: Question) -> dict[str, Any]:
        return asked(
            self.model, PROMPT_VERSION, question.seed, self.digests(question), question.attempt
        )

    def _kept(self, key: str) -> Reply | None:
        if key in self._unkept:
            with suppress(ObjectConflict):  # another process has asked too, and was first
                self._store.put(key, self._unkept[key], "application/json")
            del self._unkept[key]
        data = self._store.get(key)
        return None if data is None else _read_kept(data, key)

    def _new(
        self,
        key: str,
        question_asked: Mapping[str, Any],
        question: Question,
        confirm: Callable[[], None] | None,
    ) -> Reply:
        unusable_fields: dict[str, str] = {}
        try:
            answer = self._judge.ask(question)
            reply = Reply(answer.model, answer.raw)
        except Unusable as unusable:
            if confirm is None:
                raise
            confirm()
            reply = unusable.reply
            unusable_fields = (
                {"finish_reason": reply.finish_reason} if reply.finish_reason is not None else {}
            )
            unusable_fields["unusable"] = str(unusable)
        kept = {
            **question_asked,
            "answered_by": reply.model,
            "answer": reply.text,
        } | unusable_fields
        # Held until the store has it: asking again would cost again, and could answer differently.
        self._unkept[key] = json.dumps(kept, indent=1).encode()
        return self._kept(key) or reply


class JudgeSettings(Settings):
    """The judge's server."""

    openai_base_url: BaseUrl = Field(description="base URL of the judge's OpenAI-compatible API")
    openai_api_key: Secret = Field(description="the judge's key, or any word if it wants none")
    judge_model: str = Field(
        min_length=1, description="the model that judges, as its server calls it"
    )


def open_judge(environment: Mapping[str, str]) -> ServedJudge:
    """The judge that the settings name. Raises BadSetting, naming the setting."""
    settings = read_settings(JudgeSettings, environment)
    key = settings.openai_api_key.get_secret_value()
    return ServedJudge(settings.openai_base_url, key, settings.judge_model)


def check_judge(judge: Judge, prompt: str, good: str, noise: str, seed: int = 0) -> str | None:
    """Canary duels: why the judge's answers can't be trusted; None if they can.

    They find a judge that answers without an error, and wrongly.
    A picture against itself must be a near draw, and a good one must win against noise on either
    side. Ask the judge itself, not one that keeps answers. A canary has as many attempts as any
    question; raises Unusable where none of them can be used, and NotJudged.
    """
    question = Question(prompt, good, noise, seed)
    asked_now = (Question(prompt, good, good, seed), question, question.swapped())
    with ThreadPoolExecutor(len(asked_now)) as pool:
        same, first, swapped = pool.map(lambda each: _first_usable(judge, each), asked_now)
    if abs(same.penalty_1 - same.penalty_2) > _CANARY_DRAW_WITHIN:
        return f"a picture against itself got penalties {same.penalty_1} and {same.penalty_2}"
    penalties = (first.penalty_1 + swapped.penalty_2) / 2, (first.penalty_2 + swapped.penalty_1) / 2
    if penalties[1] - penalties[0] <= _CANARY_WIN_OVER:
        return f"a good picture got penalty {penalties[0]:g}, noise {penalties[1]:g}"
    return None


def _first_usable(judge: Judge, question: Question) -> Answer:
    for number in range(ATTEMPTS - 1):
        with suppress(Unusable):
            return judge.ask(replace(question, attempt=number))
    return judge.ask(replace(question, attempt=ATTEMPTS - 1))


class _KeptAnswer(BaseModel):
    model_config = ConfigDict(strict=True)

    answered_by: str
    answer: str
    finish_reason: str | None = None
    unusable: str | None = None
    """Why it could not be used; None for an answer."""


def _read_kept(data: bytes, key: str) -> Reply:
    try:
        kept = _KeptAnswer.model_validate_json(data)
        reply = Reply(kept.answered_by, kept.answer, kept.finish_reason)
        if kept.unusable is None:
            reply.answer()
    except (ValidationError, NotJudged) as error:
        raise InfrastructureFault(f"{key} in the store is no kept answer: {error}") from error
    return reply
