"""What a season costs, and whether it stays flat: 100 rounds with 64 miners, months of them, played
by the platform's own work on a simulated chain and clock.

`python -m bench.season [--rounds 100] [--miners 64]`

Each row is ten rounds: seconds a round and milliseconds a tick, both of the processor's time, so
that what else the machine does is not in them; memory of the process (RSS, the simulated outside
included); what the platform keeps in GEN404_HOME. A tick is one look at a new head: what is due,
and which assets of all rounds are newer than known. The first rows are the baseline of the
last: their ratio is printed in the end. Then all rounds are replayed, and schedule and weights
compared with a reckoning of their own (`simulators.reckoning`).
"""

import argparse
import gc
import os
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from gen404_assets.assets.mirrored import data_versions
from gen404_assets.competition.due import due
from gen404_assets.competition.settings import Rules
from gen404_assets.competition_repository import history_of
from gen404_assets.replay.result import Finding
from gen404_assets.replay.rounds import replay_round
from simulators.rounds import now
from simulators.season import Plan, Season, unlike_the_reckoning

ROUNDS_A_ROW = 10
COLUMNS = ("rounds", "until", "s a round", "RSS, MB", "home, kB", "tick, ms", "commits")


@dataclass(frozen=True)
class Row:
    """Ten rounds."""

    seconds: float
    memory: float
    home: float
    tick: float


def main() -> None:
    """Print a row for ten rounds, the ratios, and what replay and reckoning find."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--miners", type=int, default=64)
    options = parser.parse_args()
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Season(Plan(options.rounds, options.miners), Path(folder))) as season,
    ):
        rows = _play(season)
        _compare(rows)
        print(f"{options.rounds} rounds played in {time.perf_counter() - began:.0f} s")
        wrong = [*unlike_the_reckoning(season), *_replayed(season)]
    print("\n".join(wrong) or "schedule and weights are the reckoning's, and all rounds replay")
    sys.exit(bool(wrong))


def _play(season: Season) -> list[Row]:
    print("".join(f"{name:>12}" for name in COLUMNS))
    rows: list[Row] = []
    ticks: list[float] = []
    seconds: list[float] = []
    began = time.process_time()
    for number in season.play():
        seconds.append(time.process_time() - began)
        ticks.append(_tick(season))
        if len(seconds) == ROUNDS_A_ROW:
            row = Row(mean(seconds), _memory(), _kept(season.outside.home), 1000 * median(ticks))
            rows.append(row)
            cells = (
                *(f"{number - ROUNDS_A_ROW + 1}-{number}", f"{season.outside.now():%Y-%m-%d}"),
                *(f"{row.seconds:.2f}", f"{row.memory:.0f}", f"{row.home:.1f}", f"{row.tick:.1f}"),
                len(season.outside.repository.commits),
            )
            print("".join(f"{cell:>12}" for cell in cells), flush=True)
            ticks, seconds = [], []
        began = time.process_time()
    return rows


def _tick(season: Season) -> float:
    """Seconds that the sensors take to look at the head."""
    began = time.thread_time()
    due(now(season.outside).files, season.outside.chain.number)
    history = history_of(season.outside.repository.head)  # type: ignore[arg-type]
    for number in history.round_numbers:
        data_versions(history, number)
    return time.thread_time() - began


def _memory() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _kept(home: Path) -> float:
    return sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) / 1000


def _compare(rows: list[Row]) -> None:
    if len(rows) < 2:
        return
    first, last = rows[0], rows[-1]
    ratios = (
        f"{last.seconds / first.seconds:.2f} of the seconds",
        f"{last.memory / first.memory:.2f} of the memory",
        f"{last.home / max(first.home, 0.001):.2f} of the disk",
        f"{last.tick / first.tick:.2f} of a tick",
    )
    print(f"last row / first: {', '.join(ratios)}")


def _replayed(season: Season) -> list[str]:
    history = season.outside.repository.history()
    fine = {Finding.IDENTICAL, Finding.NOT_DERIVABLE}
    return [
        f"round {number}: {file.path} {file.finding}: {file.differences or file.reason}"
        for number in range(season.plan.rounds)
        for file in replay_round(history, number, Rules()).files
        if file.finding not in fine
    ]


if __name__ == "__main__":
    main()
