"""The client of a miner's container, an untrusted server that turns a picture and a seed into a
3D file."""

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx2

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gpu.formats import FILE_BYTES
from resources.http_answers import Head

GENERATION_SECONDS = 180.0
"""The default of `GENERATION_TIMEOUT` (`rules.md`, Audits)."""
_UNREADABLE = (ValueError, LookupError, TypeError, ArithmeticError)
"""What httpx raises beside its own errors for headers that it makes something of, such as where
a redirect leads."""

_HEALTH_SECONDS = 10.0
"""Of one question; it is repeated until the pod's time is over."""
_REFUSALS = {401, 403}  # statuses for a token that isn't taken
_MISSING = {404, 502, 503, 504}  # statuses also of a gateway with no container behind it


_OUR_SIDE = {errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL}
"""Errors of a connection that never left this machine, or found no way to where it should go."""


class Unanswered(MinerFault):
    """The connection failed: the container's fault, unless its pod is gone."""


class Unconnected(Unanswered):
    """No connection could be made, so the container has been asked nothing."""


class TimedOut(Unanswered):
    """The container took too long: the connection may have been silent on this side."""


class Missing(MinerFault):
    """An answer that a container may give, and a provider too for a pod that is gone."""


class Unreachable(InfrastructureFault):
    """There is no way from here to the container: no network, no route, no address for a name."""


class GatewayRefused(InfrastructureFault):
    """The provider's gateway refuses the operator's token."""


class Container:
    """One container's API (`interfaces.md`, A miner's container), reached at `url`; close it with
    `aclose`.

    `token` is sent as a bearer token. Where a gateway asks for it, `gateway` is a URL behind it at
    which no container answers: a refusal there, and nothing that a container could answer, shows
    that the gateway refuses the token.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        gateway: str | None = None,
        limit: int = FILE_BYTES,
    ) -> None:
        headers = {"Accept-Encoding": "identity"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        # Every wait is within a total deadline below; httpx's own count from byte to byte.
        no_cookies = CookieJar(
            DefaultCookiePolicy(allowed_domains=[])
        )  # a stranger's would be sent with what follows
        self._client = httpx2.AsyncClient(
            base_url=url, headers=headers, cookies=no_cookies, timeout=None, trust_env=False
        )
        self._gateway, self._limit = gateway, limit

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def healthy(self) -> bool:
        """Whether the container says that it is ready. Raises GatewayRefused or Unreachable."""
        try:
            status = await self._status("/health")
        except (httpx2.HTTPError, TimeoutError, *_UNREADABLE) as error:
            if _is_our_side(error):
                raise Unreachable(_unreachable(error)) from None
            return False
        await self._check_gateway(status)
        return status == 200

    @asynccontextmanager
    async def generate(
        self, picture: bytes, seed: int, seconds: float = GENERATION_SECONDS
    ) -> AsyncIterator["Generated"]:
        """Ask for a file; enters when the answer's headers are in, when the next may be asked for.

        `seconds` are what a generation may take, and a download as long again. Slower than that,
        yet within both, is still taken: the rules judge the time. Raises MinerFault (among
        them those of this module), GatewayRefused or Unreachable.
        """
        began = time.monotonic()
        deadline = asyncio.get_running_loop().time() + 2 * seconds
        request = self._client.build_request(
            "POST",
            "/generate",
            files={"prompt_image_file": ("prompt", picture, "application/octet-stream")},
            data={"seed": str(seed)},
        )
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._client.send(request, stream=True)
        except TimeoutError:
            raise TimedOut(f"no answer within {2 * seconds:g} s") from None
        except httpx2.HTTPError as error:
            if _is_our_side(error):
                raise Unreachable(_unreachable(error)) from None
            kind = Unconnected if isinstance(error, httpx2.ConnectError) else Unanswered
            raise kind(f"the container doesn't answer: {type(error).__name__}") from None
        except _UNREADABLE as error:
            raise MinerFault(
                f"an answer whose headers can't be read ({type(error).__name__})"
            ) from error
        taken = time.monotonic() - began
        try:
            if answer.status_code != 200:
                await self._check_gateway(answer.status_code)
                fault = Missing if answer.status_code in _MISSING else MinerFault
                raise fault(f"the container answers {answer.status_code}")
            yield Generated(answer, taken, deadline, self._limit)
        finally:
            await answer.aclose()

    async def _status(self, url: str) -> int:
        async with (
            asyncio.timeout(_HEALTH_SECONDS),
            self._client.stream("GET", url) as answer,
        ):
            return answer.status_code

    async def _check_gateway(self, status: int) -> None:
        """After a refusal, ask the gateway itself. Raises GatewayRefused if it refuses too."""
        if self._gateway is None or status not in _REFUSALS:
            return
        try:
            status = await self._status(self._gateway)
        except (httpx2.HTTPError, TimeoutError, *_UNREADABLE):
            return
        if status in _REFUSALS:
            raise GatewayRefused(f"the provider's gateway answers {status}")


def _is_our_side(error: BaseException) -> bool:
    """Whether a connection failed before it left this side."""
    return any(
        isinstance(cause, socket.gaierror)
        or (isinstance(cause, OSError) and cause.errno in _OUR_SIDE)
        for cause in _causes(error)
    )


def _unreachable(error: BaseException) -> str:
    return f"the container can't be reached from here: {type(error).__name__}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it was raised from, groups of several attempts included."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        raised = left.pop()
        if raised is None or any(raised is known for known in seen):
            continue
        seen.append(raised)
        yield raised
        left += [raised.__cause__, raised.__context__]
        if isinstance(raised, BaseExceptionGroup):
            left += raised.exceptions


class Generated:
    """An answer whose body is still to come. `seconds`: from sending the request until the
    headers were in."""

    def __init__(
        self, answer: httpx2.Response, seconds: float, deadline: float, limit: int
    ) -> None:
        self.seconds = seconds
        self.content_type = answer.headers.get("Content-Type", "")
        self._answer, self._deadline, self._limit = answer, deadline, limit

    async def save(self, to: Path) -> int:
        """Stream the body to a file; its size in bytes. Raises MinerFault, or
        InfrastructureFault of the disk."""
        if Head(self._answer.status_code, self._answer.headers.raw).codings:
            raise MinerFault("content encoding other than identity")
        size = 0
        try:
            with to.open("wb") as file:
                async with asyncio.timeout_at(self._deadline):
                    async for chunk in self._answer.aiter_raw():
                        size += len(chunk)
                        if size > self._limit:
                            raise MinerFault(f"larger than {self._limit} bytes")
                        file.write(chunk)
        except TimeoutError:
            raise TimedOut("the download did not end in time") from None
        except httpx2.HTTPError as error:
            raise Unanswered(f"the download broke off: {type(error).__name__}") from None
        except OSError as error:
            raise InfrastructureFault(
                f"a generated file can't be written: {error.strerror}"
            ) from error
        if not size:
            raise MinerFault("an empty file")
        return size
