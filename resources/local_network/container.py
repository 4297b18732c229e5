"""A local miner's image as a process: the HTTP API of a miner's container (interfaces.md), over
what it rebuilds.
"""

import argparse
import os
import secrets
import threading
import time
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, File, Form, Header, HTTPException, Response, UploadFile

from resources.local_network.lathe import Skill, rebuild
from resources.providers.provider import TOKEN_VARIABLE

_WARM_UP = 0.5  # seconds: an image takes a while to load its model


def container(
    skill: Skill, output_format: str, warm_up: float = _WARM_UP, token: str | None = None
) -> FastAPI:
    """The API of an image of this skill that makes `glb` or `ply`, healthy `warm_up` seconds from
    now. Where there is a `token`, who doesn't send it as a bearer token is refused.
    """

    def require_token(authorization: Annotated[str, Header()] = "") -> None:
        expected = f"Bearer {token}".encode()
        if token and not secrets.compare_digest(authorization.encode(), expected):
            raise HTTPException(401, "this pod has another token")

    app = FastAPI(openapi_url=None, dependencies=[Depends(require_token)])
    ready = time.monotonic() + warm_up
    working = threading.Lock()

    def refuse_until_ready() -> None:
        if time.monotonic() < ready:
            raise HTTPException(503, "the model is loading")

    @app.get("/health")
    def health() -> dict[str, str]:
        refuse_until_ready()
        return {"status": "healthy"}

    @app.post("/generate")
    def generate(
        prompt_image_file: Annotated[UploadFile, File()], seed: Annotated[int, Form(ge=0)]
    ) -> Response:
        refuse_until_ready()
        with working:
            try:
                made = rebuild(
                    prompt_image_file.file.read(),
                    seed=seed,
                    skill=skill,
                    output_format=output_format,
                )
            except ValueError as error:
                raise HTTPException(400, str(error)) from error
        return Response(made, media_type="application/octet-stream")

    return app


def main() -> None:
    """Serve until it is stopped by a signal."""
    parser = argparse.ArgumentParser(
        prog="python -m resources.local_network.container", description=__doc__
    )
    parser.add_argument(
        "--skill", type=Skill.parse, default=Skill(), help="a JSON object of the fields of Skill"
    )
    parser.add_argument("--format", choices=["glb", "ply"], default="glb")
    parser.add_argument("--port", type=int, default=10006)
    arguments = parser.parse_args()
    app = container(arguments.skill, arguments.format, token=os.environ.get(TOKEN_VARIABLE))
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=arguments.port,
        ws="none",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
