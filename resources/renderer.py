"""The pictures of miners' files: drawn by worker processes of this one, or by the render service
(interfaces.md).
"""

import hashlib
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import httpx2
from pydantic import Field

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.plain_text import keep_secret, quoted
from gpu.bounded_http import AnswerRefused, Bounds, bounded_client
from gpu.faults import Refused, RendererDown
from gpu.formats import FILE_BYTES, FORMATS
from gpu.grid_file import is_grid
from gpu.services.batch import BATCH
from gpu.workers.pool import Pool
from gpu.workers.supply import Terms
from resources.deadlines import within
from resources.replicas import Busy, Replicas
from resources.settings import BaseUrls, Secret, Settings, read_settings

_SECONDS = 300.0
"""Of one request: the service may have three files waiting for each worker, of a minute each."""
_BYTES = 16 * 2**20
"""Of an answer. A picture of four views is at most 3.3 MB, whatever it shows."""
_PATIENCE = 1800.0
"""Seconds for which a service that is busy is asked again."""
_LOG = logging.getLogger(__name__)
Tell = Callable[[Sequence[str]], None]
_SHORTEST_WAIT, _LONGEST_WAIT = 0.5, 30.0
"""Seconds until a busy service is asked again, whatever it says itself."""


class Renderer(Protocol):
    """What draws the pictures. Threads may share it."""

    def render(self, path: Path, output_format: str) -> bytes:
        """The PNG of a file's four views, 1041 x 1041 pixels; `output_format`: one of `FORMATS`.

        Raises MinerFault with the reason if the file can't be shown, and InfrastructureFault if the
        renderer can't work, which says nothing of the file.
        """

    def close(self) -> None:
        """End what was started."""


class DrawnHere:
    """Pictures by worker processes of our own, started when they are first needed. They draw on
    the CPU: on a GPU, where a driver shares the worker's process, the service alone draws.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        weak: bool = False,
        memory: int | None = None,
        tell: Tell | None = None,
    ) -> None:
        self._pool = Pool(environment=environment, terms=Terms(gpu=False, weak=weak), memory=memory)
        self._tell = tell

    def start(self, workers: int | None = None) -> None:
        """Have workers ready before the first file comes: as many, or one for each core. Raises
        InfrastructureFault.
        """
        try:
            self._pool.start(workers)
        except RendererDown as error:
            raise InfrastructureFault(f"no picture: {error}") from error

    def render(self, path: Path, output_format: str) -> bytes:
        _check_format(output_format)
        try:
            self._say_lacking()
            return self._pool.render(path, output_format)
        except Refused as error:
            raise MinerFault(str(error)) from error
        except RendererDown as error:
            raise InfrastructureFault(f"no picture: {error}") from error

    def _say_lacking(self) -> None:
        """Say once what this machine lacks of the workers' sandbox. Raises RendererDown."""
        tell, self._tell = self._tell, None
        if tell is None:
            return
        try:
            lacking = self._pool.health()["lacking"]
        except RendererDown:
            self._tell = tell
            raise
        if lacking:
            _LOG.warning("this machine gives the workers' sandbox no %s", ", no ".join(lacking))
        tell(lacking)

    def close(self) -> None:
        self._pool.close()


class RenderService:
    """Pictures by the service at a base URL, `address`.

    A service that is busy (503 or 429 with `Retry-After`) is waited for, up to `patience` seconds:
    it works, and will have room. Then it is Busy. Any other failure is an InfrastructureFault at
    once.
    """

    def __init__(
        self,
        server: str,
        token: str | None = None,
        *,
        seconds: float = _SECONDS,
        patience: float = _PATIENCE,
    ) -> None:
        self.address, self._seconds, self._patience = server, seconds, patience
        keep_secret(token or "")
        self._client = bounded_client(
            Bounds(seconds, _BYTES),
            base_url=server,
            headers={"Authorization": f"Bearer {token}"} if token else None,
            environment=False,
            connections=None,  # each thread has one request under way
        )

    def render(self, path: Path, output_format: str) -> bytes:
        _check_format(output_format)
        deadline = time.monotonic() + self._patience
        while (wait := _wait(answer := self._asked(path, output_format))) is not None:
            if time.monotonic() + wait > deadline:
                raise Busy(
                    f"no picture: the render service has been busy for {self._patience:g} s; it "
                    "needs more workers",
                    wait,
                )
            time.sleep(wait)
        if answer.status_code == 400:
            raise MinerFault(_reason(answer))
        if answer.status_code != 200:
            raise InfrastructureFault(
                f"no picture: the render service answers {answer.status_code}"
            )
        if not is_grid(answer.content):
            raise InfrastructureFault(
                "no picture: the render service's answer is no PNG of four views"
            )
        return answer.content

    def _asked(self, path: Path, output_format: str) -> httpx2.Response:
        try:
            size = path.stat().st_size
            if size > FILE_BYTES:
                raise MinerFault(f"the file has {size:,} bytes, more than {FILE_BYTES:,}")
            with path.open("rb") as file:
                upload = {"file": (f"model.{output_format}", file, "application/octet-stream")}
                return within(
                    self._seconds,
                    self._client.post,
                    f"/render_{output_format}",
                    files=upload,
                    headers={BATCH: batch_of(path)},
                )
        except (TimeoutError, httpx2.TimeoutException):
            raise InfrastructureFault(f"no picture: no answer within {self._seconds:g} s") from None
        except AnswerRefused as error:
            raise InfrastructureFault(f"no picture: the render service gives {error}") from error
        except (httpx2.HTTPError, OSError) as error:
            raise InfrastructureFault(f"no picture: {type(error).__name__}") from error

    def close(self) -> None:
        self._client.close()


class RenderServices:
    """Several render services, which share the files."""

    def __init__(self, services: Sequence[RenderService]) -> None:
        self._replicas = Replicas(services)

    def render(self, path: Path, output_format: str) -> bytes:
        return self._replicas.ask(lambda service: service.render(path, output_format))

    def close(self) -> None:
        self._replicas.close()


class RendererSettings(Settings):
    """What draws the pictures."""

    render_url: BaseUrls | None = Field(
        None,
        description="base URL of a render service, or several with commas between, which share the "
        "files; unset: worker processes here draw",
    )
    render_token: Secret | None = Field(
        None, description="token of the render service, which has the same setting"
    )
    render_memory_gib: int | None = Field(
        None,
        ge=1,
        le=65536,
        description="GiB of memory that all worker processes here may take together, 3 each; "
        "unset: three quarters of what is free",
    )
    allow_weak_sandbox: bool = Field(
        False,
        description="whether worker processes here draw even on a GPU, or where the kernel has no "
        "Landlock, which their sandbox needs",
    )


def open_renderer(environment: Mapping[str, str], tell: Tell | None = None) -> Renderer:
    """What the settings name: the service at `RENDER_URL`, or else worker processes of this one,
    whose sandbox's missing layers `tell` is told once. Raises BadSetting.
    """
    settings = read_settings(RendererSettings, environment)
    urls, secret = settings.render_url, settings.render_token
    token = secret.get_secret_value() if secret else None
    if not urls:
        gib = settings.render_memory_gib
        memory = None if gib is None else gib * 2**30
        return DrawnHere(environment, weak=settings.allow_weak_sandbox, memory=memory, tell=tell)
    if "," not in urls:
        return RenderService(urls, token)
    # `Replicas` waits, for whichever has room first.
    return RenderServices([RenderService(url, token, patience=0) for url in urls.split(",")])


def batch_of(path: Path) -> str:
    """A word for the files that may share a worker of the service: those of one folder whose names
    begin with the same hotkey, before the first "-". Never those of two miners: a folder holds one
    miner's files, or the names of its files begin with hotkeys.
    """
    whose = f"{path.parent.resolve()}/{path.name.partition('-')[0]}"
    return hashlib.sha256(whose.encode(errors="surrogateescape")).hexdigest()


def _wait(answer: httpx2.Response) -> float | None:
    """Seconds after which a service that is busy is asked again; None where it isn't busy."""
    if answer.status_code not in (429, 503) or "Retry-After" not in answer.headers:
        return None
    asked = answer.headers["Retry-After"]
    seconds = float(asked) if asked.isdecimal() else _SHORTEST_WAIT
    # Those who were turned away at the same time don't come back at the same time.
    return random.uniform(0.5, 1.0) * min(max(seconds, _SHORTEST_WAIT), _LONGEST_WAIT)  # noqa: S311


def _check_format(output_format: str) -> None:
    if output_format not in FORMATS:
        raise ValueError(
            f"files of the formats {', '.join(FORMATS)} can be drawn, not {output_format!r}"
        )


def _reason(answer: httpx2.Response) -> str:
    """Why a file is bad, in the service's words. Raises InfrastructureFault for an answer that
    isn't the service's, such as the error page of a proxy.
    """
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    try:
        reason = answer.json()["detail"] if kind == "application/json" else answer.text
    except (ValueError, LookupError, TypeError):
        reason = None
    if (
        kind not in ("application/json", "text/plain")
        or not isinstance(reason, str)
        or not reason.strip()
    ):
        raise InfrastructureFault("no picture: the render service answers 400 without a reason")
    return quoted(reason.strip(), 1000)
