"""The local network's judge: an OpenAI-compatible server, as vLLM is one, that compares pictures by their likeness.

`python -m resources.local_network.judge --port N --pictures-base URL`.
"""

import argparse
import io
import json
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from PIL import Image
from pydantic import BaseModel, Field

from gpu.fetching import FileNotFound, Pictures, RequestError
from resources.local_network.likeness import Look, difference, in_words, look, looks, penalty

MODEL = "local-likeness"
"""The model's name, for `JUDGE_MODEL`."""

_KEPT = 512


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

    @property
    def pictures(self) -> list[str]:
        parts = [part for message in self.messages if not isinstance(message.content, str) for part in message.content]
        return [part.image_url.url for part in parts if part.image_url]


class Likeness:
    """Answers about pictures by URL; what a picture shows is kept, since each is asked about often."""

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        self._prompt = lru_cache(_KEPT)(lambda url: look(self._opened(url)))
        self._grid = lru_cache(_KEPT)(lambda url: looks(self._opened(url)))

    def answer(self, pictures: Sequence[str]) -> str:
        """The judgement, JSON, about a prompt and two grids. Raises BadRequest."""
        if len(pictures) != 3:
            raise BadRequest(f"three pictures are compared, not {len(pictures)}")
        prompt: Look | None = self._prompt(pictures[0])
        found = [difference(prompt, self._grid(url)) for url in pictures[1:]]
        issues = "; ".join(f"model {number}: {in_words(each)}" for number, each in enumerate(found, start=1))
        return json.dumps({"penalty_1": penalty(found[0]), "penalty_2": penalty(found[1]), "issues": issues})

    def _opened(self, url: str) -> Image.Image:
        try:
            with Image.open(io.BytesIO(self._fetch(url))) as picture:
                return picture.convert("RGB")
        except (FileNotFound, RequestError) as error:
            raise BadRequest(str(error)) from error
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise BadRequest(f"{url} is not a picture") from error


def create_app(fetch: Callable[[str], bytes]) -> FastAPI:
    """The server; `fetch` gives the file behind a picture's URL, or raises FileNotFound or RequestError."""
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
            return _completion(likeness.answer(request.pictures))
        except BadRequest as error:
            return _error(400, "BadRequestError", str(error))

    return app


def _completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": "chatcmpl-local",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
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
        "--pictures-base", action="append", required=True, help="where pictures are fetched from; may be given again"
    )
    given = parser.parse_args()
    app = create_app(Pictures(given.pictures_base).fetch)
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
