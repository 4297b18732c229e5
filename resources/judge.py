"""The judge: a vision-language model behind an OpenAI-compatible server, which compares two outputs for a prompt."""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from resources.base_url import base_url
from resources.deadlines import within
from resources.faults import InfrastructureFault
from resources.judgement import (
    PROMPT_VERSION,
    Answer,
    NotJudged,
    Question,
    answer_key,
    answer_of,
    asked,
    read_answer,
    request_body,
)
from resources.object_store import ObjectConflict
from resources.settings import BadSetting
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
    "ServedJudge",
    "check_judge",
    "open_judge",
]

_REQUEST_SECONDS = 120.0
_TOTAL_SECONDS = 600.0
_RETRIES = 6
_CANARY_DRAW_WITHIN = 2
_CANARY_WIN_OVER = 1


class Judge(Protocol):
    """Whoever judges. Many threads may ask at once."""

    @property
    def model(self) -> str:
        """The name of the model that is asked."""

    def ask(self, question: Question) -> Answer:
        """The answer to a question. Raises NotJudged, or another InfrastructureFault: then nothing is known."""


class ServedJudge:
    """The judge behind an OpenAI-compatible server, `server` being its base URL.

    `request_seconds` bounds each wait for the server, `total_seconds` one question with all its retries. Connections
    that fail and the statuses 408, 409, 429 and 5xx are tried again with back-off, by the `openai` package. While the
    server is overloaded (429, 503, no answer in time), fewer questions are let through at once (`Throttle`).
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
        """Ask the server. Raises NotJudged."""
        from openai import APIConnectionError, APIStatusError, OpenAIError  # noqa: PLC0415

        try:
            with self._throttle:
                body = within(self._total_seconds, self._completion, question)
        except TimeoutError:
            reason = f"no answer within {self._total_seconds:g} s"
        except APIStatusError as error:
            # What comes with a refused key may repeat the key.
            said = "" if error.status_code in {401, 403} else f": {self._without_key(error.response.text)[:300]}"
            reason = f"status {error.status_code}{said}"
        except APIConnectionError as error:
            cause = error.__cause__ or error
            reason = self._without_key(f"unreachable: {type(cause).__name__}: {cause}")
        except OpenAIError as error:
            reason = self._without_key(f"{type(error).__name__}: {error}")
        else:
            return answer_of(body)
        raise NotJudged(f"the judge gave no answer: {reason}")

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _completion(self, question: Question) -> str:
        return self._client.chat.completions.with_raw_response.create(**request_body(self._model, question)).text

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
    """A judge of whom nothing is asked twice, whatever happens in between.

    An answer is kept under what was asked: model, prompt version, seed and the SHA-256 of the three pictures, so that
    another file with the same bytes is the same question, and an object found under its own key was the answer to it.
    """

    def __init__(self, judge: Judge, store: AnswerStore) -> None:
        self._judge = judge
        self._store = store
        self._digest = lru_cache(maxsize=1 << 16)(lambda url: hashlib.sha256(store.read(url)).hexdigest())
        self._lock = threading.Lock()
        self._asking: dict[str, Future[Answer]] = {}
        self._unkept: dict[str, bytes] = {}

    @property
    def model(self) -> str:
        return self._judge.model

    def digests(self, question: Question) -> tuple[str, str, str]:
        """SHA-256 in hex of the prompt's, the first and the second picture, read once for each URL."""
        prompt, first, second = map(self._digest, question.pictures)
        return prompt, first, second

    @property
    def judge(self) -> Judge:
        """The judge itself, who is asked anew each time."""
        return self._judge

    def key(self, question: Question) -> str:
        """Where the answer is kept in the store, and with it all that is needed to check it."""
        return answer_key(self._asked(question))

    def ask(self, question: Question) -> Answer:
        """The kept answer, or else the judge's, once it is kept. Raises NotJudged, and what the store raises."""
        question_asked = self._asked(question)
        key = answer_key(question_asked)
        with self._lock:
            answer = self._asking.get(key)
            if mine := answer is None:
                answer = self._asking[key] = Future()
        if mine:
            try:
                answer.set_result(self._kept(key) or self._new(key, question_asked, question))
            except BaseException as error:
                answer.set_exception(error)
                raise
            finally:
                with self._lock:
                    del self._asking[key]
        return answer.result()

    def _asked(self, question: Question) -> dict[str, Any]:
        return asked(self.model, PROMPT_VERSION, question.seed, self.digests(question))

    def _kept(self, key: str) -> Answer | None:
        if key in self._unkept:
            with suppress(ObjectConflict):  # another process has asked too, and was first
                self._store.put(key, self._unkept[key], "application/json")
            del self._unkept[key]
        data = self._store.get(key)
        return None if data is None else _read_kept(data, key)

    def _new(self, key: str, question_asked: Mapping[str, Any], question: Question) -> Answer:
        answer = self._judge.ask(question)
        kept = {**question_asked, "answered_by": answer.model, "answer": answer.raw}
        self._unkept[key] = json.dumps(kept, indent=1).encode()  # until the store has it: it was paid for
        return self._kept(key) or answer


def open_judge(environment: Mapping[str, str]) -> ServedJudge:
    """The judge that the settings name. Raises BadSetting, naming the setting."""
    key = environment.get("OPENAI_API_KEY", "")
    if not re.fullmatch(r"[!-~]+", key):
        raise BadSetting(
            "OPENAI_API_KEY must be the judge's key, or any word if it wants none: plain characters, no blanks"
        )
    model = environment.get("JUDGE_MODEL", "").strip()
    if not model:
        raise BadSetting("JUDGE_MODEL must be the name of the model that judges, as its server calls it")
    return ServedJudge(base_url(environment, "OPENAI_BASE_URL"), key, model)


def check_judge(judge: Judge, prompt: str, good: str, noise: str, seed: int = 0) -> str | None:
    """Canary duels: why the judge can't be trusted, in a way that no error shows; None if it can.

    A picture against itself must be a near draw, and a good one must win against noise on either side. Ask the
    judge itself, not one that keeps answers. Raises NotJudged.
    """
    question = Question(prompt, good, noise, seed)
    asked_now = (Question(prompt, good, good, seed), question, question.swapped())
    with ThreadPoolExecutor(len(asked_now)) as pool:
        same, first, swapped = pool.map(judge.ask, asked_now)
    if abs(same.penalty_1 - same.penalty_2) > _CANARY_DRAW_WITHIN:
        return f"a picture against itself got penalties {same.penalty_1} and {same.penalty_2}"
    penalties = (first.penalty_1 + swapped.penalty_2) / 2, (first.penalty_2 + swapped.penalty_1) / 2
    if penalties[1] - penalties[0] <= _CANARY_WIN_OVER:
        return f"a good picture got penalty {penalties[0]:g}, noise {penalties[1]:g}"
    return None


class _KeptAnswer(BaseModel):
    model_config = ConfigDict(strict=True)

    answered_by: str
    answer: str


def _read_kept(data: bytes, key: str) -> Answer:
    try:
        kept = _KeptAnswer.model_validate_json(data)
        return read_answer(kept.answer, kept.answered_by)
    except (ValidationError, NotJudged) as error:
        raise InfrastructureFault(f"{key} in the store is no kept answer: {error}") from error
