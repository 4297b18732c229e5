"""Pictures by URL, from the configured base URLs alone (guarantee 26)."""

import re
from collections.abc import Sequence

import httpx2

from gpu.bounded_http import AnswerRefused, Bounds, bounded_client

_SECONDS = 60.0  # of one picture
_MAX_BYTES = 32 << 20  # of one picture; a preview has 3.3 MB at most
_KEY = re.compile(r"(?!\.)[A-Za-z0-9._-]+(?:/(?!\.)[A-Za-z0-9._-]+)*")
"""The keys of the store's objects, which are all that there is to fetch (interfaces.md)."""


class FileNotFound(Exception):
    """The server has nothing at a URL (status 404 or 410); the message names it."""


class RequestError(Exception):
    """A picture could not be fetched; the message says why."""


class Pictures:
    """Pictures below base URLs, each fetched within `seconds`. No redirect is followed."""

    def __init__(self, bases: Sequence[str], seconds: float = _SECONDS) -> None:
        self._bases = tuple(base.rstrip("/") + "/" for base in bases)
        self._client = bounded_client(Bounds(seconds, _MAX_BYTES))

    def fetch(self, url: str) -> bytes:
        """The file behind a URL. Raises FileNotFound, RequestError."""
        if not any(is_below(url, base) for base in self._bases):
            raise RequestError(f"{url[:200]!a} is not below the base that was configured")
        try:
            response = self._client.get(url)
        except AnswerRefused as error:
            raise RequestError(f"{url}: {error}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise RequestError(f"{url}: {type(error).__name__}") from error
        if response.status_code in {404, 410}:
            raise FileNotFound(f"{url}: status {response.status_code}")
        if response.status_code != 200:
            raise RequestError(f"{url}: status {response.status_code}")
        return response.content


def is_below(url: str, base: str) -> bool:
    """Whether a URL is that of a file below `base`, which ends with a slash, however a server reads
    it: what follows is one of the store's keys, in which nothing is encoded, and no segment begins
    with a dot.
    """
    return url.startswith(base) and _KEY.fullmatch(url.removeprefix(base)) is not None
