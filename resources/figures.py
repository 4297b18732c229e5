"""Figures that only grow: counted in every process, added up where all of them see it, shown for
Prometheus.
"""

import atexit
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from gen404_assets.competition.faults import InfrastructureFault
from resources.disk import disk_faults
from resources.file_lock import locked
from resources.own_files import read_own
from resources.whole_file import write_whole

_EVERY = 5.0
"""Seconds between two writes of a process; a process that is killed loses what it counted since."""

Labels = tuple[tuple[str, str], ...]


Figure = tuple[str, Labels]


class Totals(Protocol):
    """What all processes have counted. Calls raise InfrastructureFault where the disk or the
    database fails.
    """

    def add(self, counted: Mapping[Figure, float]) -> None:
        """Add what a process has counted."""

    def read(self) -> dict[Figure, float]:
        """All that was added."""


class Figures:
    """What a process has counted since it last added that to the totals. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: defaultdict[Figure, float] = defaultdict(float)
        self._totals: Callable[[], Totals] | None = None
        self._written = time.monotonic()

    def keep_in(self, totals: Callable[[], Totals]) -> None:
        """Add what is counted to these totals from now on, opened when there is something to add;
        until then, it is held in memory.
        """
        self._totals = totals

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count. A figure that can't be written is counted again with the next."""
        with self._lock:
            self._counted[name, tuple(sorted(labels.items()))] += amount
            late = time.monotonic() - self._written > _EVERY
        if late:
            self.flush()

    def flush(self) -> None:
        """Add to the totals what was counted since the last time."""
        with self._lock:
            if self._totals is None or not self._counted:
                return
            self._written = time.monotonic()
            counted, self._counted = self._counted, defaultdict(float)
        try:
            # Outside the lock: a slow disk or database keeps nobody from counting.
            self._totals().add(counted)
        except InfrastructureFault:
            with self._lock:
                for key, amount in counted.items():
                    self._counted[key] += amount


FIGURES = Figures()
"""This process's."""
atexit.register(FIGURES.flush)


class FileTotals:
    """The totals of one machine, in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, counted: Mapping[Figure, float]) -> None:
        """See Totals."""
        with disk_faults("figures can't be kept"):
            self._file.parent.mkdir(parents=True, exist_ok=True)
        with disk_faults("figures can't be kept"), locked(self._file.with_suffix(".lock")):
            known = defaultdict(float, self.read())
            for key, amount in counted.items():
                known[key] += amount
            rows = [[name, dict(labels), value] for (name, labels), value in sorted(known.items())]
            write_whole(self._file, json.dumps(rows).encode())

    def read(self) -> dict[Figure, float]:
        """See Totals."""
        return read_own(self._file, _parsed) or {}


def exposition(figures: Iterable[tuple[str, str, Mapping[Labels, float]]]) -> str:
    """Figures (name, help, labels -> value) in Prometheus' text format, version 0.0.4.

    Source: https://prometheus.io/docs/instrumenting/exposition_formats. A name that ends with
    `_total` is a counter, any other a gauge.
    """
    lines = []
    for name, meaning, values in figures:
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_shown(labels)} {value!r}" for labels, value in values.items()]
    return "\n".join([*lines, ""])


def _shown(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _parsed(content: bytes) -> dict[Figure, float]:
    return {
        (str(name), as_labels(labels)): float(value) for name, labels, value in json.loads(content)
    }


def as_labels(labels: Mapping[str, str]) -> Labels:
    """The labels of a figure, as a key."""
    return tuple(sorted((str(key), str(text)) for key, text in labels.items()))
