"""The local network's judge: an OpenAI-compatible server, as vLLM is one, that compares pictures by
their likeness.

`python -m resources.local_network.judge --port N --pictures-base URL [--loops SHARE]`.

It says its judgement in the ways in which vision-language models behind vLLM,
text-generation-inference and LM Studio were seen to say theirs: after thoughts, in a fence, between
GLM's marks for a box, with floats, as reasoning without content. Now and then it loops into white
space until the limit of tokens, as vLLM does with a JSON schema (its issues 8350, 13260 and 38696).
Which way it takes depends on what it is asked alone, the seed included.
"""

import argparse
import hashlib
import io
import json
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from PIL import Image
from pydantic import BaseModel, Field

from gpu.services.fetching import FileNotFound, Pictures, RequestError
from resources.local_network.likeness import Look, difference, in_words, look, looks, penalty

MODEL = "local-likeness"
"""The model's name, for `JUDGE_MODEL`."""

_KEPT = 512  # pictures, of prompts and of grids each; a round shows them again and again
_LOOPS = 0.01
"""The share of questions that the server of the local network loops at."""


class BadRequest(Exception):
    """What was asked can't be answered; the message says why."""


class ImageUrl(BaseModel):
    """A picture by its URL."""

    url: str


class Part(BaseModel):
    """A part of a message."""

    type: Literal["text", "image_url"]
    image_url: ImageUrl | None = None


class Message(BaseModel):
    """A message; a plain text shows no picture."""

    role: str
    content: str | list[Part]


class ChatRequest(BaseModel):
    """What is used of a chat completion's request."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1)]
    seed: int | None = None
    temperature: float | None = None

    @property
    def chance(self) -> float:
        """A number from 0 to 1 that what is asked gives, wherever the pictures are served."""
        question = [*(urlsplit(url).path for url in self.pictures), self.seed, self.temperature]
        return (
            int.from_bytes(hashlib.sha256(json.dumps(question).encode()).digest()[:4], "big")
            / 2**32
        )

    @property
    def pictures(self) -> list[str]:
        parts = [
            part
            for message in self.messages
            if not isinstance(message.content, str)
            for part in message.content
        ]
        return [part.image_url.url for part in parts if part.image_url]


class Likeness:
    """Answers about pictures by URL; what a picture shows is kept, since each is asked about
    often.
    """

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        self._prompt = lru_cache(_KEPT)(lambda url: look(self._opened(url)))
        self._grid = lru_cache(_KEPT)(lambda url: looks(self._opened(url)))

    def answer(self, pictures: Sequence[str]) -> str:
        """The judgement, JSON, about a prompt and two grids. Raises BadRequest."""
        if len(pictures) != 3:
            raise BadRequest(f"three pictures are compared, not {len(pictures)}")
        prompt: Look | None = self._prompt(pictures[0])
        differences = [difference(prompt, self._grid(url)) for url in pictures[1:]]
        issues = "; ".join(
            f"model {number}: {in_words(each)}" for number, each in enumerate(differences, start=1)
        )
        return json.dumps(
            {
                "penalty_1": penalty(differences[0]),
                "penalty_2": penalty(differences[1]),
                "issues": issues,
            }
        )

    def _opened(self, url: str) -> Image.Image:
        try:
            with Image.open(io.BytesIO(self._fetch(url))) as picture:
                return picture.convert("RGB")
        except (FileNotFound, RequestError) as error:
            raise BadRequest(str(error)) from error
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise BadRequest(f"{url} is not a picture") from error


def create_app(fetch: Callable[[str], bytes], loops: float = 0.0) -> FastAPI:
    """The server; `fetch` gives a picture's file, or raises FileNotFound or RequestError.

    `loops` is the share of questions that it answers with white space until the limit.
    """
    app = FastAPI(title="Local judge")
    likeness = Likeness(fetch)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "gen404"}
        return {"object": "list", "data": [model]}

    @app.post("/v1/chat/completions", response_model=None)
    def complete(request: ChatRequest) -> dict[str, Any] | JSONResponse:
        if request.model != MODEL:
            return _error(404, "NotFoundError", f"The model `{request.model}` does not exist.")
        try:
            judgement = likeness.answer(request.pictures)
        except BadRequest as error:
            return _error(400, "BadRequestError", str(error))
        # Cut off after the first blank, as the limit of tokens cuts off an answer.
        if request.chance < loops:
            return _completion({"content": judgement.partition(" ")[0] + " " * 4000}, "length")
        return _completion(*_FORMS[int(request.chance * 2**20) % len(_FORMS)](judgement))

    return app


_THOUGHTS = '<think>Perhaps {"penalty_1": 5, "penalty_2": 5}?</think>'
_FORMS: Sequence[Callable[[str], tuple[dict[str, Any], str | None]]] = (
    lambda judgement: ({"content": judgement}, "stop"),
    lambda judgement: (
        {"content": f"{_THOUGHTS}<|begin_of_box|>{judgement}<|end_of_box|>"},
        "stop",
    ),
    lambda judgement: ({"content": f"Here is the JSON:\n```JSON\n{judgement}\n```"}, "eos_token"),
    lambda judgement: ({"content": _with_floats(judgement)}, None),
    lambda judgement: ({"content": None, "reasoning_content": judgement}, "stop"),
    lambda judgement: ({"content": [{"type": "text", "text": judgement}]}, "stop"),
)
"""The ways to say a judgement: a message, and why it ended."""


def _with_floats(judgement: str) -> str:
    read = json.loads(judgement)
    return json.dumps(read | {name: float(read[name]) for name in ("penalty_1", "penalty_2")})


def _completion(fields: dict[str, Any], ended: str | None) -> dict[str, Any]:
    message = {"role": "assistant", "refusal": None} | fields
    return {
        "id": "chatcmpl-local",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": ended, "logprobs": None}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def _error(status: int, kind: str, message: str) -> JSONResponse:
    error = {"message": message, "type": kind, "param": None, "code": status}
    return JSONResponse({"error": error}, status)


def main() -> None:
    """Serve on loopback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--pictures-base",
        action="append",
        required=True,
        help="where pictures are fetched from; may be given again",
    )
    parser.add_argument(
        "--loops",
        type=float,
        default=_LOOPS,
        help="share of answers that are white space to the end",
    )
    arguments = parser.parse_args()
    app = create_app(Pictures(arguments.pictures_base).fetch, arguments.loops)
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, ws="none", log_level="warning")


if __name__ == "__main__":
    main()
