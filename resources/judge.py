"""The judge: a vision-language model behind an OpenAI-compatible server, which compares two outputs
for a prompt.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field

from gen404_assets.competition.judgement import (
    Answer,
    NotJudged,
    Question,
    first_usable,
    request_body,
)
from gen404_assets.competition.plain_text import keep_secret, quoted
from resources.completion import filtered_reply, reply_of, tokens_of
from resources.deadlines import within
from resources.figures import FIGURES
from resources.settings import BaseUrl, Secret, Settings, read_settings
from resources.throttle import Throttle

if TYPE_CHECKING:
    from openai import OpenAI

_REQUEST_SECONDS = 120.0
"""Of one try at a question."""
_TOTAL_SECONDS = 600.0
"""Of a question with all its tries and waits; then it counts as not answered."""
ANSWER_BYTES = 2**20
"""Of an answer: 1,024 tokens are a few KiB."""
_RETRIES = 6
"""Of one question, by the package `openai`, within `_TOTAL_SECONDS`."""
_CANARY_DRAW_WITHIN = 2
"""Points of penalty between two equal pictures (`rules.md`, Judge, Canary duels)."""
_CANARY_WIN_OVER = 1
"""Points of penalty; a good picture must beat noise by more (`rules.md`, Judge, Canary duels)."""


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
    retries and with the wait for its turn. Connections that fail and the statuses 408, 409, 429 and
    5xx are tried again with back-off, by the `openai` package. While the server is overloaded (429,
    503, no answer in time), fewer questions are let through at once (`Throttle`).

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
        keep_secret(api_key)
        self._request_seconds = request_seconds
        self._total_seconds = total_seconds
        self._retries = retries
        self._throttle = Throttle(total_seconds)

    @property
    def model(self) -> str:
        return self._model

    def ask(self, question: Question) -> Answer:
        """Ask the server. Raises Unusable and NotJudged."""
        from openai import APIConnectionError, APIStatusError, OpenAIError  # noqa: PLC0415

        deadline = time.monotonic() + self._total_seconds
        try:
            with self._throttle:
                body = within(max(0.0, deadline - time.monotonic()), self._completion, question)
        except TimeoutError:
            reason = f"no answer within {self._total_seconds:g} s"
        except APIStatusError as error:
            # A server that refuses the key may repeat it in its answer.
            detail = (
                "" if error.status_code in {401, 403} else f": {quoted(error.response.text, 300)}"
            )
            reason = f"status {error.status_code}{detail}"
            text = quoted(error.response.text, ANSWER_BYTES)
            filtered = filtered_reply(text, self._model)
            if filtered and error.status_code == 400:
                return filtered.answer()
        except APIConnectionError as error:
            cause = error.__cause__ or error
            reason = f"unreachable: {type(cause).__name__}: {cause}"
        except OpenAIError as error:
            reason = f"{type(error).__name__}: {error}"
        else:
            FIGURES.add("questions", outcome="answered")
            for kind, count in tokens_of(body).items():
                FIGURES.add("tokens", count, kind=kind)
            return reply_of(body).answer()
        FIGURES.add("questions", outcome="not answered")
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

        from gpu.bounded_http import BoundedTransport, Bounds  # noqa: PLC0415

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
            http_client=Watched(
                transport=BoundedTransport(
                    Bounds(self._total_seconds, ANSWER_BYTES), connections=None
                ),
                follow_redirects=False,
            ),
        )


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
        same, first, swapped = pool.map(lambda each: first_usable(judge.ask, each), asked_now)
    if abs(same.penalty_1 - same.penalty_2) > _CANARY_DRAW_WITHIN:
        return f"a picture against itself got penalties {same.penalty_1} and {same.penalty_2}"
    penalties = (first.penalty_1 + swapped.penalty_2) / 2, (first.penalty_2 + swapped.penalty_1) / 2
    if penalties[1] - penalties[0] <= _CANARY_WIN_OVER:
        return f"a good picture got penalty {penalties[0]:g}, noise {penalties[1]:g}"
    return None
