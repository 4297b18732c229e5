"""The competition's store as anybody reaches it, by the public URLs in the files: what is there,
what is gone, and what can't be known now.
"""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TypeVar

from gen404_assets.competition.faults import MinerFault, TryLater

T = TypeVar("T")

_TRIES = 3  # of one object, where the fault may pass
_PAUSE = 0.5  # seconds after the first, doubled with each
_GIVEN_UP_AFTER = 5
"""After so many objects in a row that could not be had, a part of the store is asked no more."""
_NOT_ASKED = f"after {_GIVEN_UP_AFTER} in a row the others were not asked for"
_PICTURES_KEPT = 16
"""Pictures in memory: an output's is read for several checks."""


class Fetch(Protocol):
    """What is needed of the downloads: a MinerFault for what the server refuses, a TryLater for
    what may pass. Threads may share it.
    """

    def download(self, url: str, to: Path) -> int: ...


@dataclass(eq=False)
class Part:
    """What is known of a part of the store, such as all below `answers/`: how many objects were
    had, and why how many others were not.
    """

    had: int = 0
    gone: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    in_a_row: int = 0


class Gone(Exception):
    """The store does not give an object that a file names; the message is the reason."""

    def __init__(self, part: Part, reason: str) -> None:
        super().__init__(reason)
        self.part = part


class Unknown(Exception):
    """An object could not be asked for now: nothing follows from it. The store counts it."""


class Store:
    """The store at a public base URL, `base`; threads may share it.

    `files` fetches 3D files, `small` pictures and answers, each with its own limit of bytes.
    Nothing outside the base is asked for.
    """

    def __init__(
        self,
        base: str,
        files: Fetch,
        small: Fetch,
        *,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base = base
        self._files, self._small, self._wait = files, small, wait
        self._parts: dict[str, Part] = {}
        self._digests: dict[str, str] = {}
        self._lock = threading.Lock()
        self.picture = lru_cache(maxsize=_PICTURES_KEPT)(self.read)
        """The content of a picture, as `read`; the last ones are kept."""

    def holds(self, url: str) -> bool:
        """Whether a URL is one of this store's."""
        return url.startswith(f"{self.base}/")

    def url(self, key: str) -> str:
        """The public URL of an object."""
        return f"{self.base}/{key}"

    def save(self, url: str, to: Path) -> int:
        """Save a 3D file; its size in bytes. Raises Gone and Unknown."""
        return self._had(url, lambda: self._files.download(url, to))

    def read(self, url: str) -> bytes:
        """The content of a picture or an answer. Raises Gone and Unknown."""

        def content() -> bytes:
            with TemporaryDirectory(prefix="gen404-object-") as folder:
                path = Path(folder) / "object"
                self._small.download(url, path)
                return path.read_bytes()

        had = self._had(url, content)
        self._digests[url] = hashlib.sha256(had).hexdigest()
        return had

    def digest(self, url: str) -> str:
        """SHA-256 of a picture, in hex; each is fetched once for it. Raises Gone and Unknown."""
        if url not in self._digests:
            self.read(url)
        return self._digests[url]

    def unchecked(self) -> list[str]:
        """What could not be asked for, or was refused throughout: a sentence for each part of the
        store.
        """
        lines = []
        for name, part in sorted(self._parts.items()):
            reasons = part.unknown if part.had else part.unknown + part.gone
            if reasons:
                count = reasons.total()
                what = f"{count} {'object' if count == 1 else 'objects'} of {name} could not be had"
                by_count = sorted(
                    reasons, key=lambda reason: (reason == _NOT_ASKED, -reasons[reason])
                )
                nothing = "" if part.had else ", and nothing else of it"
                lines.append(f"{what}{nothing}: {'; '.join(by_count)}")
        return lines

    def _part(self, url: str) -> Part:
        """What is known of the part that an object is in: its key up to the first slash."""
        name = self.url(url.removeprefix(f"{self.base}/").partition("/")[0])
        with self._lock:
            return self._parts.setdefault(name, Part())

    def _had(self, url: str, fetch: Callable[[], T]) -> T:
        """What `fetch` gives of an object of this store. Raises Gone and Unknown."""
        part = self._part(url)
        if part.in_a_row >= _GIVEN_UP_AFTER:
            raise self._unknown(part, _NOT_ASKED)
        for number in range(_TRIES):
            try:
                content = fetch()
            except TryLater as fault:
                if number + 1 == _TRIES:
                    raise self._unknown(part, str(fault)) from fault
            except MinerFault as fault:
                with self._lock:
                    part.gone[str(fault)] += 1
                    part.in_a_row = 0
                raise Gone(part, str(fault)) from fault
            else:
                break
            self._wait(_PAUSE * 2**number)
        with self._lock:
            part.had += 1
            part.in_a_row = 0
        return content

    def _unknown(self, part: Part, reason: str) -> Unknown:
        with self._lock:
            part.unknown[reason] += 1
            part.in_a_row += 1
        return Unknown(reason)
