"""Figures that only grow: counted in every process, added up in one file, shown for Prometheus."""

import atexit
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from gen404_assets.competition.faults import InfrastructureFault
from resources.disk import disk_faults
from resources.file_lock import locked
from resources.own_files import read_own
from resources.whole_file import write_whole

_EVERY = 5.0
"""Seconds between two writes of a process; a process that is killed loses what it counted since."""

Labels = tuple[tuple[str, str], ...]


class Figures:
    """What a process has counted since it last added that to the file. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: defaultdict[tuple[str, Labels], float] = defaultdict(float)
        self._file: Path | None = None
        self._written = time.monotonic()

    def keep_in(self, file: Path) -> None:
        """Add what is counted to `file` from now on; until then, it is held in memory."""
        self._file = file

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count. A figure that can't be written is counted again with the next."""
        with self._lock:
            self._counted[name, tuple(sorted(labels.items()))] += amount
            late = time.monotonic() - self._written > _EVERY
        if late:
            self.flush()

    def flush(self) -> None:
        """Add to the file what was counted since the last time."""
        with self._lock:
            if self._file is None or not self._counted:
                return
            self._written = time.monotonic()
            counted, self._counted = self._counted, defaultdict(float)
            try:
                _add(self._file, counted)
            except InfrastructureFault:
                self._counted = counted


FIGURES = Figures()
"""This process's."""
atexit.register(FIGURES.flush)


def totals(file: Path) -> dict[tuple[str, Labels], float]:
    """What all processes have counted in a file."""
    return read_own(file, _parsed) or {}


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


def _add(file: Path, counted: Mapping[tuple[str, Labels], float]) -> None:
    with disk_faults("figures can't be kept"):
        file.parent.mkdir(parents=True, exist_ok=True)
    with disk_faults("figures can't be kept"), locked(file.with_suffix(".lock")):
        known = defaultdict(float, totals(file))
        for key, amount in counted.items():
            known[key] += amount
        rows = [[name, dict(labels), value] for (name, labels), value in sorted(known.items())]
        write_whole(file, json.dumps(rows).encode())


def _parsed(content: bytes) -> dict[tuple[str, Labels], float]:
    rows = json.loads(content)
    return {
        (str(name), tuple(sorted((str(key), str(text)) for key, text in labels.items()))): float(
            value
        )
        for name, labels, value in rows
    }
