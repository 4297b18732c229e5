"""Bounds for what the providers' SDKs read of an answer, which have none of their own."""

from typing import TYPE_CHECKING, Any

from gpu.bounded_http import Bounds, bounded_client

if TYPE_CHECKING:
    import aiohttp

MOST_BYTES = 8 * 2**20
"""Of an answer: a list of a thousand deployments is about 2 MiB."""


class BoundedRequests:
    """What Verda's SDK calls of the package `requests`, by a client whose answers are bounded.

    The SDK takes no session of its caller's. `seconds`: of one request. No redirect is followed.
    Errors are those of httpx2.
    """

    def __init__(self, seconds: float) -> None:
        self._client = bounded_client(Bounds(seconds, MOST_BYTES))

    def request(self, method: str, url: str, **options: Any) -> "RequestsAnswer":
        return RequestsAnswer(self._client.request(method, url, **options))

    def post(self, url: str, **options: Any) -> "RequestsAnswer":
        return self.request("POST", url, **options)


class RequestsAnswer:
    """What Verda's SDK reads of a `requests.Response`."""

    def __init__(self, answer: Any) -> None:
        self.status_code: int = answer.status_code
        self.ok: bool = 200 <= self.status_code < 300
        self.text: str = answer.text
        self.json = answer.json


def bounded_session(headers: dict[str, str], seconds: float) -> "aiohttp.ClientSession":
    """A session for Targon's SDK that refuses redirects, compression and large answers.

    Its errors are aiohttp's ClientPayloadError.
    """
    import aiohttp  # noqa: PLC0415

    class Bounded(aiohttp.ClientResponse):
        async def read(self) -> bytes:
            if self._body is None:
                self._body = await self._whole()
            return self._body

        async def _whole(self) -> bytes:
            content = bytearray()
            if self.headers.get("Content-Encoding", "identity").lower() != "identity":
                self.close()
                raise aiohttp.ClientPayloadError("a compressed answer")
            async for chunk in self.content.iter_any():
                content += chunk
                if len(content) > MOST_BYTES:
                    self.close()
                    raise aiohttp.ClientPayloadError(f"an answer of more than {MOST_BYTES:,} bytes")
            return bytes(content)

    async def refuse(*_: object) -> None:
        raise aiohttp.ClientPayloadError("a redirect")

    redirects = aiohttp.TraceConfig()
    redirects.on_request_redirect.append(refuse)
    return aiohttp.ClientSession(
        headers=headers | {"Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=seconds),
        response_class=Bounded,
        auto_decompress=False,
        trace_configs=[redirects],
    )
