"""Pictures by URL, from the configured base URLs alone (guarantee 26)."""

import time
from collections.abc import Sequence

import httpx2

_SECONDS = 60.0
_MAX_BYTES = 32 << 20


class FileNotFound(Exception):
    """The server has nothing at a URL (status 404 or 410); the message names it."""


class RequestError(Exception):
    """A picture could not be fetched; the message says why."""


class Pictures:
    """Pictures below base URLs, each fetched within `seconds`. No redirect is followed."""

    def __init__(self, bases: Sequence[str], seconds: float = _SECONDS) -> None:
        self._bases = tuple(base.rstrip("/") + "/" for base in bases)
        self._seconds = seconds
        self._client = httpx2.Client(timeout=seconds, follow_redirects=False)

    def fetch(self, url: str) -> bytes:
        """The file behind a URL. Raises FileNotFound, RequestError."""
        if not url.startswith(self._bases) or "/.." in url:
            raise RequestError(f"{url} is not below the base that was configured")
        deadline = time.monotonic() + self._seconds
        try:
            with self._client.stream("GET", url) as response:
                if response.status_code in {404, 410}:
                    raise FileNotFound(f"{url}: status {response.status_code}")
                if response.status_code != 200:
                    raise RequestError(f"{url}: status {response.status_code}")
                content = b""
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > _MAX_BYTES:
                        raise RequestError(f"{url}: over {_MAX_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise RequestError(f"{url}: no end after {self._seconds:g} s")
                return content
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise RequestError(f"{url}: {type(error).__name__}") from error
