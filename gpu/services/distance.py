"""The distance service (interfaces.md): `python -m gpu.services.distance`. It fetches from
`CDN_URL` alone.
"""

import argparse
import os
from collections.abc import Callable
from typing import Literal

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from gpu.distance.dinov3 import from_environment
from gpu.distance.embedding import Embeddings, Unmeasured
from gpu.services.access import AccessCheck, NoToken, token_for
from gpu.services.connections import SERVED
from gpu.services.fetching import FileNotFound, Pictures, RequestError
from gpu.workers.kernel import keep_private

PORT = 8095
TOKEN = "DISTANCE_TOKEN"  # noqa: S105 -- the variable's name
_LARGEST_REQUEST = 16_384  # bytes; it holds two URLs


class Pair(BaseModel):
    """A request: the URLs of two pictures."""

    url_a: str
    url_b: str


class Measured(BaseModel):
    """The answer: a distance, or what went wrong."""

    distance: float | None
    error: Literal["file_not_found", "request_error"] | None = None


def create_app(
    embeddings: Embeddings, fetch: Callable[[str], bytes], token: str | None = None
) -> FastAPI:
    """The service around a model, for those who send `token`; `fetch` gets a picture's file, and
    raises FileNotFound or RequestError.
    """
    app = FastAPI(title="Image distance", openapi_url=None)
    app.add_middleware(AccessCheck, token=token, largest=_LARGEST_REQUEST)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "model": embeddings.model}

    @app.post("/distance")
    def distance(pair: Pair) -> Measured:
        try:
            files = fetch(pair.url_a), fetch(pair.url_b)
            return Measured(distance=embeddings.distance(*files))
        except FileNotFound:
            return Measured(distance=None, error="file_not_found")
        except RequestError:
            return Measured(distance=None, error="request_error")
        except Unmeasured as error:
            raise HTTPException(500, str(error)) from error

    return app


def main() -> None:
    """Serve, on loopback by default; beyond it only with DISTANCE_TOKEN."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    arguments = parser.parse_args()
    base = os.environ.get("CDN_URL", "").strip()
    if not base.startswith(("http://", "https://")):
        parser.error("CDN_URL must be the http(s) URL below which the pictures are")
    try:
        token = token_for(arguments.host, TOKEN, os.environ)
    except NoToken as error:
        parser.error(str(error))
    keep_private()
    app = create_app(Embeddings(from_environment(os.environ)), Pictures([base]).fetch, token)
    uvicorn.run(app, host=arguments.host, port=arguments.port, **SERVED)


if __name__ == "__main__":
    main()
