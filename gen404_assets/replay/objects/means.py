"""What the checks of objects work with, and what they find."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from gen404_assets.replay.objects.store import Gone, Part, Store, Unknown
from gen404_assets.replay.result import Difference

T = TypeVar("T")


class Renderer(Protocol):
    """What draws previews again. Raises MinerFault for a file that can't be shown, and
    InfrastructureFault where nothing can be drawn here.
    """

    def render(self, path: Path, output_format: str) -> bytes: ...


class Distance(Protocol):
    """What measures distances again. Raises InfrastructureFault where it can't."""

    @property
    def model(self) -> str: ...

    def measure(self, url_a: str, url_b: str) -> float: ...


@dataclass
class Here:
    """What draws and measures on this machine; None where nothing does. Threads share it, and set
    to None what proves not to work. `folder` is for files in the making.

    `limits`: what can't be done here, each sentence once.
    """

    folder: Path
    renderer: Renderer | None = None
    distance: Distance | None = None
    limits: dict[str, None] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def tell(self, sentence: str) -> None:
        """Say what can't be done here."""
        self.limits[sentence] = None

    def path(self, name: str) -> Path:
        """Where a file may stand meanwhile; `name` is put in front of a number that no other
        has, and of its extension.
        """
        begin, _, extension = name.rpartition(".")
        return self.folder / f"{begin}-{next(self._numbers)}.{extension}"


@dataclass
class Means:
    """What the checks of a round work with; threads share it. `counts`: what was checked -> how
    many.
    """

    round: int
    store: Store
    here: Here
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        """One more of `what`."""
        with self._lock:
            self.counts[what] += 1


@dataclass(frozen=True, slots=True)
class Fault:
    """A finding on a file. `gone`: where what was found is that the store refuses an object, the
    part of the store that it belongs to.
    """

    path: str
    difference: Difference
    gone: Part | None = None


class Check:
    """The check of what one entry of a file names; `faults` are its findings. The entry's name
    goes before those of its parts.
    """

    def __init__(self, path: str, entry: str, means: Means) -> None:
        self.path, self.entry, self.means = path, entry, means
        self.faults: list[Fault] = []

    def differs(
        self, key: str, recorded: object, stored: object, url: str = "", gone: Part | None = None
    ) -> None:
        """A finding: what the file has, and what the store holds under the URL."""
        # In quotes, as commits' messages are: a URL may say anything, also that a person wrote it.
        origin = f'in the store: "{url}"' if url else ""
        difference = Difference(f"{self.entry}.{key}", str(recorded), str(stored), origin)
        self.faults.append(Fault(self.path, difference, gone))

    def had(self, key: str, url: str | None, fetch: Callable[[str], T]) -> T | None:
        """What `fetch` gives of a URL of the store; None where there is none, with a finding where
        the store is not asked, or refuses.
        """
        if url is None:
            return None
        if not self.means.store.holds(url):
            self.differs(key, url, f"a URL below {self.means.store.base}")
            return None
        try:
            return fetch(url)
        except Gone as gone:
            self.differs(key, "an object", f"none: {gone}", url, gone.part)
        except Unknown:  # the store counts those
            pass
        return None
