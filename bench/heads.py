"""What a new head of the competition's repository costs, beside reading it whole.

`python -m bench.heads [--files 150000]`

A repository with so many files, 500 a round and five a commit, gets one commit more, of one
file in its last round. Measured are what a tick reads (the state, the files of the round, the
history), what a publication adds, and the baseline in the same run: the tree of all files and the
whole history.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from gen404_assets.assets.mirrored import data_versions
from gen404_assets.competition.history import History
from gen404_assets.competition.round import STATE
from gen404_assets.competition_repository import history_of
from gen404_assets.live.work import see
from resources.repository import Repository
from simulators.many_files import FILES_A_ROUND, many_files

RUNS = 5


def main() -> None:
    """Print milliseconds: the whole reading, a new head, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=150_000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        made = many_files(Path(folder) / "made.git", files)
        repository = Repository(str(made), mirror=Path(folder) / "mirror")
        first = repository.snapshot(repository.refresh())
        for number in history_of(first).round_numbers:
            data_versions(history_of(first), number)
        rows: dict[str, list[float]] = {}
        for run in range(RUNS):
            path = f"rounds/{files // FILES_A_ROUND - 1}/miner-0/new-{run}.json"
            message = f"Update {run} for round 1"
            _time(rows, "publish", partial(_publish, repository, message, path))
            head = repository.refresh()
            _time(rows, "new: round", partial(_round, repository, head))
            _time(rows, "new: history", partial(_looked_at, repository, head))
        for _ in range(RUNS):
            _time(rows, "whole: tree", partial(_tree, repository, head))
            _time(rows, "whole: history", partial(_whole, repository, head))
    for name, times in rows.items():
        print(f"{name:<16}{median(times):>10.0f} ms")
    whole, new = (
        sum(median(times) for name, times in rows.items() if name.startswith(start))
        for start in ("whole", "new")
    )
    costs = f"a new head costs {new:.0f} ms, reading it whole {whole:.0f} ms"
    print(f"{files} files: {costs}, ratio {whole / new:.1f}")


def _time(rows: dict[str, list[float]], name: str, call: Callable[[], object]) -> None:
    began = time.perf_counter()
    call()
    rows.setdefault(name, []).append(1000 * (time.perf_counter() - began))


def _publish(repository: Repository, message: str, path: str) -> None:
    repository.publish(message, lambda _: {path: b"{}"}, time=datetime(2028, 1, 1, tzinfo=UTC))


def _round(repository: Repository, head: str) -> None:
    """What the sensors of the lanes read."""
    see(repository.snapshot(head))


def _tree(repository: Repository, head: str) -> None:
    assert repository.snapshot(head).blobs


def _looked_at(repository: Repository, head: str) -> None:
    """What the sensor `mirror` reads."""
    history = history_of(repository.snapshot(head))
    for number in history.round_numbers:
        data_versions(history, number)


def _whole(repository: Repository, head: str) -> None:
    snapshot = repository.snapshot(head)
    history = History(snapshot.commits, snapshot.history, snapshot.read_blobs)
    assert history.read(STATE)
    for number in history.round_numbers:
        data_versions(history, number)


if __name__ == "__main__":
    main()
