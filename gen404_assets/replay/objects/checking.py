"""The objects of rounds checked: all that their files name, or a sample; what was found is told
with the files that name it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from gen404_assets.competition.faults import MinerFault
from gen404_assets.competition.history import History
from gen404_assets.competition.round import round_of
from gen404_assets.replay.objects.duels import check_duel
from gen404_assets.replay.objects.judging import Agreement, Judge, judge_again
from gen404_assets.replay.objects.means import Distance, Fault, Here, Means, Renderer
from gen404_assets.replay.objects.named import (
    NamedDuel,
    NamedOutput,
    drawn,
    duels_of,
    edition_outputs_of,
    outputs_of,
    store_of,
)
from gen404_assets.replay.objects.outputs import check_output
from gen404_assets.replay.objects.store import Fetch, Store
from gen404_assets.replay.result import FileReplay, Finding, RoundReplay
from gpu.formats import FILE_BYTES

SMALL_BYTES = 20 * 2**20
"""Most bytes of a picture or an answer."""
_AT_ONCE = 8  # entries checked at a time; each is fetched and drawn
LACKING = {
    "competition-0": (
        "the files of competition 0 hold no digests, distances or answers of the judge, and its "
        "previews were drawn by a renderer that isn't here: what is checked is that each object is "
        "there, the size of each 3D file, and that each preview is a picture"
    ),
    "competition-2": (
        "the files of competition 2 hold no digests, distances or answers of the judge, and its "
        "scripts are not run here: what is checked is that each object is there, its size where it "
        "is recorded, and that each preview is a picture"
    ),
}
"""Edition -> what its files don't carry."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Which objects are checked: `count` outputs and as many judged duels of each round, drawn by
    `seed`; all where it is None. `judged`: how many duels of each round are judged again.
    """

    seed: int
    count: int | None = None
    judged: int = 0


@dataclass(frozen=True)
class Tools:
    """What fetches, draws, measures and judges here; None for what is not here, or not asked.

    `downloads`: those from the store at a base URL, with a limit of bytes; raises MinerFault where
    that is no URL. `distance`: what measures, given how a picture is read; it may give None.
    `wait`: what passes the seconds before a store is asked again.
    """

    downloads: Callable[[str, int], Fetch]
    renderer: Renderer | None = None
    distance: Callable[[Callable[[str], bytes]], Distance | None] | None = None
    judge: Judge | None = None
    wait: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Checked:
    """What came of a round's objects. `store`: its base URL, None where the files name none.

    `outputs`, `duels`: how many the files name. `counts`: what was checked -> how many.
    """

    round: int
    store: str | None
    outputs: int
    duels: int
    counts: Mapping[str, int] = field(default_factory=dict)
    agreement: Agreement | None = None


@dataclass(frozen=True)
class ObjectsReport:
    """What came of the objects of rounds. `unchecked`: what the stores did not give, so that
    nothing is known of it. `limits`: what can't be done here. `findings`: how many there are.
    """

    sample: Sample
    rounds: Sequence[Checked]
    findings: int
    unchecked: Sequence[str]
    limits: Sequence[str]


def check_objects(
    history: History, replayed: Sequence[RoundReplay], sample: Sample, tools: Tools
) -> ObjectsReport:
    """Check the objects that the files of rounds name, and add what was found to the files'
    replays. What the files of a round's edition don't carry is told.

    Raises InfrastructureFault where this machine's disk or memory fails.
    """
    with TemporaryDirectory(prefix="gen404-objects-") as folder:
        checking = _Checking(history, sample, tools, Path(folder))
        checked = [checking.check(each) for each in replayed]
    # A part of a store that gave nothing at all is no finding on each of its objects.
    faults = [fault for fault in checking.faults if fault.gone is None or fault.gone.had]
    for each in replayed:
        _add(each, [fault for fault in faults if round_of(fault.path) == each.round])
    unchecked = [line for store in checking.stores.values() for line in store.unchecked()]
    limits = list(checking.here.limits)
    return ObjectsReport(sample, checked, len(faults), [*checking.refused, *unchecked], limits)


class _Checking:
    """The check under way. `stores`: by their base URLs; `refused`: what is no store's address."""

    def __init__(self, history: History, sample: Sample, tools: Tools, folder: Path) -> None:
        self._history, self._sample, self._tools = history, sample, tools
        self.stores: dict[str, Store] = {}
        self.refused: list[str] = []
        self.faults: list[Fault] = []
        distance = tools.distance(self._read) if tools.distance is not None else None
        self.here = Here(folder, tools.renderer, distance)

    def check(self, replayed: RoundReplay) -> Checked:
        """Check a round's objects."""
        number = replayed.round
        if lacking := LACKING.get(replayed.edition):
            self.here.tell(lacking)
            outputs, duels = edition_outputs_of(self._history, number), []
        else:
            outputs, duels = outputs_of(self._history, number), duels_of(self._history, number)
        base = store_of(outputs)
        store = self._store(base) if base is not None else None
        if store is None:
            return Checked(number, base, len(outputs), len(duels))
        means = Means(number, store, self.here)
        count, seed = self._sample.count, self._sample.seed
        chosen = drawn(outputs, _name, count, seed)
        shown = drawn(duels, _name, count, seed)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            results = [*pool.map(partial(check_output, means=means), chosen)]
            results += pool.map(partial(check_duel, means=means), shown)
        self.faults += [fault for faults in results for fault in faults]
        agreement = None
        if self._tools.judge is not None:
            asked = drawn(duels, _name, self._sample.judged, seed)
            agreement = judge_again(asked, means, self._tools.judge)
        return Checked(number, base, len(outputs), len(duels), dict(means.counts), agreement)

    def _store(self, base: str) -> Store | None:
        """The store at a base URL; None where it is no store's."""
        if base not in self.stores:
            try:
                files, small = (
                    self._tools.downloads(base, limit) for limit in (FILE_BYTES, SMALL_BYTES)
                )
            except MinerFault as fault:
                self.refused.append(f"{base} is no store's address: {fault}")
                return None
            self.stores[base] = Store(base, files, small, wait=self._tools.wait)
        return self.stores[base]

    def _read(self, url: str) -> bytes:
        """A picture in whichever store holds it."""
        return next(each for each in self.stores.values() if each.holds(url)).picture(url)


def _name(item: NamedOutput | NamedDuel) -> str:
    return item.name


def _add(replayed: RoundReplay, faults: Sequence[Fault]) -> None:
    """Add findings to the files that they are on."""
    files = {file.path: file for file in replayed.files}
    for fault in faults:
        if fault.path not in files:
            files[fault.path] = FileReplay("objects", fault.path, Finding.DIFFERS)
            replayed.files.append(files[fault.path])
        file = files[fault.path]
        file.differences = [*file.differences, fault.difference]
        file.finding = Finding.DIFFERS
