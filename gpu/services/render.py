"""The render service (interfaces.md): `python -m gpu.services.render`. Pictures are drawn by worker
processes.
"""

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from gpu.faults import Refused, RendererDown
from gpu.formats import FORMATS, kind_of
from gpu.workers.kernel import keep_private
from gpu.workers.pool import Pool
from gpu.workers.supply import Terms
from gpu.workers.worker import FILE_BYTES

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from starlette.types import Message, Receive

PORT = 8094
BATCH = "X-Batch"
"""The header that says whose files may share a worker on a GPU: a word for each miner."""
WAITING = 2  # requests that may wait for each worker; more are answered 503
UPLOAD_SECONDS = 120.0
STOP_SECONDS = 90
_AROUND = 65_536  # bytes of a request beside its file: headers of the form and other fields
_LOG = logging.getLogger(__name__)


def create_app(pool: Pool) -> "FastAPI":
    """The service around a pool, which it closes when it ends."""
    from fastapi import FastAPI, HTTPException, Request, Response  # noqa: PLC0415 - extra `services`

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        starting = asyncio.create_task(asyncio.to_thread(_start, pool))
        yield
        await asyncio.to_thread(pool.close)
        await starting

    app = FastAPI(title="Pictures of models", lifespan=life)
    capacity = _Capacity(pool.size * (1 + WAITING))

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
        if not capacity.take():
            raise HTTPException(503, "all workers are busy", {"Retry-After": "1"})
        try:
            return Response(await _render(pool, request, kind), media_type="image/png")
        except Refused as refusal:
            raise HTTPException(400, str(refusal)) from refusal
        except RendererDown as down:
            raise HTTPException(503, str(down)) from down
        finally:
            capacity.taken -= 1

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
    """How many requests are in progress, their uploads included."""

    def __init__(self, size: int) -> None:
        self.size, self.taken = size, 0

    def take(self) -> bool:
        free = self.taken < self.size
        self.taken += free
        return free


async def _render(pool: Pool, request: "Request", kind: str) -> bytes:
    """The PNG of an uploaded file, which is streamed to disk and never whole in memory."""
    from fastapi import HTTPException  # noqa: PLC0415
    from starlette.datastructures import UploadFile  # noqa: PLC0415

    _check_length(request.headers.get("Content-Length"))
    request._receive = _counted(request.receive)
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            form = await request.form(max_files=1, max_fields=8)
    except TimeoutError:
        raise HTTPException(408, f"the upload took more than {UPLOAD_SECONDS:g} s") from None
    try:
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            raise HTTPException(422, "a multipart form with a file in the field `file` is wanted")
        if (upload.size or 0) > FILE_BYTES:
            raise _too_large()
        batch = request.headers.get(BATCH)
        return await asyncio.to_thread(pool.render, upload.file.fileno(), kind, batch)
    finally:
        await form.close()


def _check_length(declared: str | None) -> None:
    if declared is not None and declared.isdigit() and int(declared) > FILE_BYTES + _AROUND:
        raise _too_large()


def _counted(receive: "Receive") -> "Receive":
    """The request's body, up to what a file may have."""
    left = FILE_BYTES + _AROUND

    async def counted() -> "Message":
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _too_large()
        return message

    return counted


def _too_large() -> Exception:
    from fastapi import HTTPException  # noqa: PLC0415

    return HTTPException(413, f"the file has more than {FILE_BYTES:,} bytes")


def main() -> None:
    """Serve, on loopback by default. SIGTERM ends it once the requests in progress are answered."""
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
        help="draw even where the kernel lacks what the workers' sandbox needs",
    )
    arguments = parser.parse_args()
    keep_private()
    memory = None if arguments.memory_gib is None else arguments.memory_gib * 2**30
    terms = Terms(weak=arguments.allow_weak_sandbox)
    uvicorn.run(
        create_app(Pool(arguments.workers, terms=terms, memory=memory)),
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        timeout_graceful_shutdown=STOP_SECONDS,
    )


if __name__ == "__main__":
    main()
