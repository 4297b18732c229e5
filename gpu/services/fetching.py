"""Pictures by URL, from the configured base URLs alone (guarantee 26)."""

import re
import time
from collections.abc import Sequence

import httpx2

_SECONDS = 60.0
_MAX_BYTES = 32 << 20
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})+")
_LEADS_AWAY = re.compile("%(?:2[eEfF]|5[cC]|25|[01]|7[fF])")
"""Encoded dots, slashes, backslashes, per cents and control characters: a server may decode them
before it looks for the file.
"""


class FileNotFound(Exception):
    """The server has nothing at a URL (status 404 or 410); the message names it."""


class RequestError(Exception):
    """A picture could not be fetched; the message says why."""


class Pictures:
    """Pictures below base URLs, each fetched within `seconds`. No redirect is followed."""

    def __init__(self, bases: Sequence[str], seconds: float = _SECONDS) -> None:
        self._bases = tuple(base.rstrip("/") + "/" for base in bases)
        self._seconds = seconds
        plain = {"Accept-Encoding": "identity"}
        self._client = httpx2.Client(timeout=seconds, follow_redirects=False, headers=plain)

    def fetch(self, url: str) -> bytes:
        """The file behind a URL. Raises FileNotFound, RequestError."""
        if not any(is_below(url, base) for base in self._bases):
            raise RequestError(f"{url[:200]!a} is not below the base that was configured")
        deadline = time.monotonic() + self._seconds
        try:
            with self._client.stream("GET", url) as response:
                if response.status_code in {404, 410}:
                    raise FileNotFound(f"{url}: status {response.status_code}")
                if response.status_code != 200:
                    raise RequestError(f"{url}: status {response.status_code}")
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise RequestError(f"{url}: compressed, though identity was asked for")
                content = bytearray()
                for chunk in response.iter_raw():
                    content += chunk
                    if len(content) > _MAX_BYTES:
                        raise RequestError(f"{url}: over {_MAX_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise RequestError(f"{url}: no end after {self._seconds:g} s")
                return bytes(content)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise RequestError(f"{url}: {type(error).__name__}") from error


def is_below(url: str, base: str) -> bool:
    """Whether a URL is that of a file below `base`, which ends with a slash, however a server reads
    it: it has no query, and no segment that is, or decodes to, a dot, two dots or a separator, also
    before a semicolon, which begins a parameter for some servers.
    """
    path = url.removeprefix(base)
    return (
        url.startswith(base)
        and _PATH.fullmatch(path) is not None
        and _LEADS_AWAY.search(path) is None
        and not {"", ".", ".."} & {segment.partition(";")[0] for segment in path.split("/")}
    )
