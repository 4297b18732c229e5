"""Which objects a round's files name: the outputs with their files and previews, and the duels with
what the judge was shown.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.duels import Duel, MatchReport
from gen404_assets.competition.editions.competition_0 import Generations
from gen404_assets.competition.editions.competition_2 import Outputs2
from gen404_assets.competition.evidence import Evidence
from gen404_assets.competition.files import MalformedFile, StateFile
from gen404_assets.competition.history import History
from gen404_assets.competition.output_formats import DEFAULT_FORMAT, OUTPUT_FORMATS
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.round import miner_path

F = TypeVar("F", bound=StateFile)
T = TypeVar("T")
_SUBMITTED, _GENERATED = Asset.RENDERS.entry.name, Asset.REGENERATED.entry.name

_OBJECT = re.compile(
    r"(https?://[^\s?#]+)/rounds/\d+/[^\s/?#]+/(?:[^\s/?#]+/)?[^\s/?#]+", re.IGNORECASE
)


_GENERATED_2 = re.compile(r"(submitted|generated(_[0-9]+)?)\.json")


@dataclass(frozen=True, slots=True)
class EditionOutput:
    """An output of another edition, as far as its files carry it: URLs or None, bytes or None. Its
    preview was drawn by a renderer that isn't here, and no distance was measured.
    """

    model: str | None
    png: str | None
    size: int | None
    extension: str
    distance: float | None = None

    @property
    def model_extra(self) -> dict[str, object]:
        """Nothing of ours stands in files of then."""
        return {}


@dataclass(frozen=True, slots=True)
class NamedOutput:
    """An output in a state file, `path`. `submitted`: the URL of the preview that the distance of a
    regenerated output is measured to; None for what was submitted.
    """

    path: str
    stem: str
    output: Output | EditionOutput
    submitted: str | None

    @property
    def format(self) -> str:
        """The output format that its 3D file is of."""
        if isinstance(self.output, EditionOutput):
            return self.output.extension
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
        if name not in {_SUBMITTED, _GENERATED} or path != miner_path(number, hotkey, name):
            continue
        outputs = _parsed(history, path, Outputs)
        submitted = None
        if name == _GENERATED:
            submitted = _parsed(history, Asset.RENDERS.path(number, hotkey), Outputs)
        for stem, output in outputs.items() if outputs is not None else ():
            before = submitted.get(stem) if submitted is not None else None
            yield NamedOutput(path, stem, output, before.png if before else None)


def edition_outputs_of(history: History, number: int) -> list[NamedOutput]:
    """The outputs of a round of competition 0 or 2, in order of path and stem."""
    return list(_edition_outputs(history, number))


def _edition_outputs(history: History, number: int) -> Iterator[NamedOutput]:
    for path in history.of_round(number):
        name = path.rpartition("/")[2]
        if name == "generations.json":
            made = _parsed(history, path, Generations)
            for stem, each in made.items() if made is not None else ():
                output = EditionOutput(each.ply, each.png, each.size, "ply")
                yield NamedOutput(path, stem, output, None)
        elif _GENERATED_2.fullmatch(name):
            scripts = _parsed(history, path, Outputs2)
            for stem, script in scripts.items() if scripts is not None else ():
                more = script.model_extra or {}
                png, size = more.get("png"), more.get("size")
                output = EditionOutput(
                    script.js,
                    png if isinstance(png, str) else None,
                    size if isinstance(size, int) else None,
                    "js",
                )
                yield NamedOutput(path, stem, output, None)


def duels_of(history: History, number: int) -> list[NamedDuel]:
    """The duels with evidence of all the round's reports that can be read."""
    return list(_duels(history, number))


def _duels(history: History, number: int) -> Iterator[NamedDuel]:
    for path in history.of_round(number):
        if not path.rpartition("/")[2].startswith(Asset.DUELS.entry.name):
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
