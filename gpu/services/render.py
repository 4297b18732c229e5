"""The render service (interfaces.md): `python -m gpu.services.render`. Pictures are drawn by worker
processes.
"""

import argparse
import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from gpu.faults import Refused, RendererDown
from gpu.formats import FILE_BYTES, FORMATS, kind_of
from gpu.services.access import AccessCheck, NoToken, token_for
from gpu.services.batch import BATCH
from gpu.services.connections import SERVED
from gpu.workers.kernel import keep_private
from gpu.workers.pool import Pool
from gpu.workers.supply import Terms

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from starlette.datastructures import FormData

PORT = 8094
TOKEN = "RENDER_TOKEN"  # noqa: S105 -- the variable's name
UPLOADS = 32  # at a time
WAITING = 2  # requests that may wait for each worker; more are answered 503
UPLOAD_SECONDS = 120.0  # of one file, of 200 MiB at most
STOP_SECONDS = 90  # for what is under way at SIGTERM: a file has a minute
_AROUND = 65_536  # bytes of a request beside its file: headers of the form and other fields
_LOG = logging.getLogger(__name__)


def create_app(pool: Pool, token: str | None = None) -> "FastAPI":
    """The service around a pool, which it closes when it ends, for those who send `token`."""
    from fastapi import FastAPI, HTTPException, Request, Response  # noqa: PLC0415 - extra `services`

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        starting = asyncio.create_task(asyncio.to_thread(_start, pool))
        yield
        await asyncio.to_thread(pool.close)
        await starting

    app = FastAPI(title="Pictures of models", lifespan=life, openapi_url=None)
    app.add_middleware(AccessCheck, token=token, largest=FILE_BYTES + _AROUND)
    capacity, uploads = _Capacity(pool.size * (1 + WAITING)), _Capacity(UPLOADS)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        try:
            return {
                "status": "ok",
                "workers": pool.size,
                "busy": capacity.taken,
                **await asyncio.to_thread(pool.health),
            }
        except RendererDown as down:
            raise HTTPException(503, str(down)) from down

    async def answer(request: Request, kind: str) -> Response:
        if capacity.full:
            raise _busy()
        with uploads.place():
            form = await _uploaded(request)
        try:
            with capacity.place():
                file, batch = _file(form), request.headers.get(BATCH)
                picture = await asyncio.to_thread(pool.render, file.fileno(), kind, batch)
            return Response(picture, media_type="image/png")
        except Refused as refusal:
            raise HTTPException(400, str(refusal)) from refusal
        except RendererDown as down:
            raise HTTPException(503, str(down)) from down
        finally:
            await form.close()

    for name in FORMATS:

        @app.post(f"/render_{name}", name=f"render_{name}")
        async def render(request: Request, draft: bool = False, name: str = name) -> Response:
            return await answer(request, kind_of(name, draft=draft))

    return app


def _start(pool: Pool) -> None:
    """Start all workers. Requests that come meanwhile are served by the first that is ready."""
    try:
        pool.start()
        health = pool.health()
        if fault := health.get("splats_fault"):
            _LOG.error("no splats can be drawn: %s", fault)
        if lacking := health["lacking"]:
            _LOG.warning("this machine gives the workers' sandbox no %s", ", no ".join(lacking))
    except RendererDown as down:
        _LOG.error("the renderer can't work yet: %s", down)


class _Capacity:
    """How many may do something at the same time, and do. An upload that has ended well waits for
    a worker in another capacity than the uploads', so that slow ones keep nobody from drawing.
    """

    def __init__(self, size: int) -> None:
        self.size, self.taken = size, 0

    @property
    def full(self) -> bool:
        return self.taken >= self.size

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place while the block lasts. Raises the answer 503 where there is none."""
        if self.full:
            raise _busy()
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


async def _uploaded(request: "Request") -> "FormData":
    """The form that is sent, whose file is streamed to disk and never whole in memory."""
    from fastapi import HTTPException  # noqa: PLC0415
    from starlette.requests import ClientDisconnect  # noqa: PLC0415

    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            return await request.form(max_files=1, max_fields=8)
    except TimeoutError:
        raise HTTPException(408, f"the upload took more than {UPLOAD_SECONDS:g} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "the upload was cut short") from None


def _file(form: "FormData") -> BinaryIO:
    """The file of a form. Raises the answer 422 or 413."""
    from fastapi import HTTPException  # noqa: PLC0415
    from starlette.datastructures import UploadFile  # noqa: PLC0415

    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise HTTPException(422, "a multipart form with a file in the field `file` is wanted")
    if (upload.size or 0) > FILE_BYTES:
        raise HTTPException(413, f"the file has more than {FILE_BYTES:,} bytes")
    return upload.file


def _busy() -> Exception:
    from fastapi import HTTPException  # noqa: PLC0415

    return HTTPException(503, "all workers are busy", {"Retry-After": "1"})


def main() -> None:
    """Serve, on loopback by default; beyond it only with RENDER_TOKEN. SIGTERM ends it once the
    requests in progress are answered.
    """
    import uvicorn  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument(
        "--workers", type=int, help="processes that draw; default: as many as cores and GPUs allow"
    )
    parser.add_argument(
        "--memory-gib", type=int, help="GiB that all workers may take together, 3 each"
    )
    parser.add_argument(
        "--allow-weak-sandbox",
        action="store_true",
        help="draw even where the kernel has no Landlock, or hides what a worker on a GPU uses",
    )
    arguments = parser.parse_args()
    try:
        token = token_for(arguments.host, TOKEN, os.environ)
    except NoToken as error:
        parser.error(str(error))
    keep_private()
    memory = None if arguments.memory_gib is None else arguments.memory_gib * 2**30
    terms = Terms(weak=arguments.allow_weak_sandbox)
    uvicorn.run(
        create_app(Pool(arguments.workers, terms=terms, memory=memory), token),
        host=arguments.host,
        port=arguments.port,
        timeout_graceful_shutdown=STOP_SECONDS,
        **SERVED,
    )


if __name__ == "__main__":
    main()
