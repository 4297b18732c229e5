"""The pictures of miners' files: drawn by worker processes of this one, or by the render service
(interfaces.md).
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import httpx2
from pydantic import Field

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gpu.faults import Refused, RendererDown
from gpu.formats import FORMATS
from gpu.workers.pool import Pool
from gpu.workers.worker import FILE_BYTES
from resources.deadlines import within
from resources.settings import BaseUrl, Settings, read_settings

_SECONDS = 120.0


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
    """Pictures by worker processes of our own, started when they are first needed."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._pool = Pool(environment=environment)

    def render(self, path: Path, output_format: str) -> bytes:
        _check_format(output_format)
        try:
            return self._pool.render(path, output_format)
        except Refused as error:
            raise MinerFault(str(error)) from error
        except RendererDown as error:
            raise InfrastructureFault(f"no picture: {error}") from error

    def close(self) -> None:
        self._pool.close()


class RenderService:
    """Pictures by the service at a base URL."""

    def __init__(self, server: str, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._client = httpx2.Client(base_url=server, timeout=seconds, trust_env=False)

    def render(self, path: Path, output_format: str) -> bytes:
        _check_format(output_format)
        try:
            size = path.stat().st_size
            if size > FILE_BYTES:
                raise MinerFault(f"the file has {size:,} bytes, more than {FILE_BYTES:,}")
            with path.open("rb") as file:
                upload = {"file": (f"model.{output_format}", file, "application/octet-stream")}
                answer = within(
                    self._seconds, self._client.post, f"/render_{output_format}", files=upload
                )
        except TimeoutError:
            raise InfrastructureFault(f"no picture: no answer within {self._seconds:g} s") from None
        except (httpx2.HTTPError, OSError) as error:
            raise InfrastructureFault(f"no picture: {type(error).__name__}") from error
        if answer.status_code == 400:
            raise MinerFault(_reason(answer))
        if answer.status_code != 200:
            raise InfrastructureFault(
                f"no picture: the render service answers {answer.status_code}"
            )
        if not _is_grid(answer.content):
            raise InfrastructureFault(
                "no picture: the render service's answer is no PNG of four views"
            )
        return answer.content

    def close(self) -> None:
        self._client.close()


class RendererSettings(Settings):
    """What draws the pictures."""

    render_url: BaseUrl | None = Field(
        None, description="base URL of a render service; unset: worker processes here draw"
    )


def open_renderer(environment: Mapping[str, str]) -> Renderer:
    """What the settings name: the service at `RENDER_URL`, or else worker processes of this one.
    Raises BadSetting.
    """
    url = read_settings(RendererSettings, environment).render_url
    if url:
        return RenderService(url)
    return DrawnHere(environment)


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
    return reason.strip()[:1000]


def _is_grid(content: bytes) -> bool:
    from gpu.views import GRID  # noqa: PLC0415 -- with numpy, which Dagster's definitions don't need

    whole = content.startswith(b"\x89PNG\r\n\x1a\n") and content.endswith(b"IEND\xaeB`\x82")
    return whole and content[16:24] == struct.pack(">II", GRID, GRID)
