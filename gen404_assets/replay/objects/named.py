"""Which objects a round's files name: the outputs with their files and previews, and the duels with
what the judge was shown.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gen404_assets.competition.duels import Duel, MatchReport
from gen404_assets.competition.evidence import Evidence
from gen404_assets.competition.files import MalformedFile, StateFile
from gen404_assets.competition.history import History
from gen404_assets.competition.output_formats import DEFAULT_FORMAT, OUTPUT_FORMATS
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.round import miner_path

F = TypeVar("F", bound=StateFile)
T = TypeVar("T")

_OBJECT = re.compile(
    r"(https?://[^\s?#]+)/rounds/\d+/[^\s/?#]+/(?:submitted|generated)/[^\s/?#]+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class NamedOutput:
    """An output in a state file, `path`. `submitted`: the URL of the preview that the distance of a
    regenerated output is measured to; None for what was submitted.
    """

    path: str
    stem: str
    output: Output
    submitted: str | None

    @property
    def format(self) -> str:
        """The output format that its 3D file is of."""
        return next((name for name in OUTPUT_FORMATS if getattr(self.output, name)), DEFAULT_FORMAT)

    @property
    def name(self) -> str:
        return f"{self.path} {self.stem}"


@dataclass(frozen=True, slots=True)
class NamedDuel:
    """A judged duel in a report, `path`. `place`: where in it."""

    path: str
    place: str
    duel: Duel
    evidence: Evidence

    @property
    def name(self) -> str:
        return f"{self.path} {self.place}"


def outputs_of(history: History, number: int) -> list[NamedOutput]:
    """The outputs of all the round's files that can be read, in order of path and stem."""
    return list(_outputs(history, number))


def _outputs(history: History, number: int) -> Iterator[NamedOutput]:
    for path in history.of_round(number):
        folder, _, name = path.rpartition("/")
        hotkey = folder.rpartition("/")[2]
        if name not in {"submitted.json", "generated.json"} or path != miner_path(
            number, hotkey, name
        ):
            continue
        outputs = _parsed(history, path, Outputs)
        submitted = None
        if name == "generated.json":
            submitted = _parsed(history, miner_path(number, hotkey, "submitted.json"), Outputs)
        for stem, output in outputs.items() if outputs is not None else ():
            before = submitted.get(stem) if submitted is not None else None
            yield NamedOutput(path, stem, output, before.png if before else None)


def duels_of(history: History, number: int) -> list[NamedDuel]:
    """The duels with evidence of all the round's reports that can be read."""
    return list(_duels(history, number))


def _duels(history: History, number: int) -> Iterator[NamedDuel]:
    for path in history.of_round(number):
        if not path.rpartition("/")[2].startswith("duels_"):
            continue
        report = _parsed(history, path, MatchReport)
        if report is None:
            continue
        for at, play in enumerate([report, *(report.others or ())]):
            before = f"others[{at - 1}]." if at else ""
            for duel in play.duels:
                if duel.evidence is not None:
                    yield NamedDuel(path, f"{before}duels.{duel.name}", duel, duel.evidence)


def _parsed(history: History, path: str, kind: type[F]) -> F | None:
    """A file at the head; None where there is none that can be read, which the replay tells."""
    try:
        raw = history.read(path)
        return None if raw is None else kind.parse(raw, path)
    except MalformedFile:
        return None


def store_of(outputs: Iterable[NamedOutput]) -> str | None:
    """The public base URL of the store: the one before the key in most of the outputs' URLs. None
    where none names an object of a round.
    """
    urls = (url for each in outputs for url in (each.output.model, each.output.png) if url)
    bases = Counter(match[1] for url in urls if (match := _OBJECT.fullmatch(url)))
    return min(bases, key=lambda base: (-bases[base], base)) if bases else None


def drawn(
    items: Sequence[T], name: Callable[[T], str], count: int | None, seed: int
) -> Sequence[T]:
    """`count` of the items, all where it is None, in their order.

    They are drawn by the SHA-256 of seed and name, so that the same seed gives the same sample to
    everybody, and a larger one holds the smaller.
    """
    if count is None or count >= len(items):
        return items

    def rank(at: int) -> bytes:
        return hashlib.sha256(f"{seed} {name(items[at])}".encode(errors="replace")).digest()

    return [items[at] for at in sorted(sorted(range(len(items)), key=rank)[:count])]
