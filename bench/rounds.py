"""How soon a block reached is a stage committed, over rounds of a local competition, beside a bare
watcher.

`python -m bench.rounds [--rounds 20]`

The baseline is a loop in this process that looks at the chain as often as the sensors do and does
nothing else: what it takes to see a block. Times are this machine's; the last rows are the ticks of
each sensor.
"""

import argparse
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from gen404_assets.competition.settings import BLOCK_SECONDS as CHAIN_BLOCK_SECONDS
from resources.chain.local import LocalChain
from simulators.local_competition import LocalCompetition

BLOCK_SECONDS = 0.01
SENSOR_SECONDS = 2
STAGES = {
    "miner_generation": ("Seed, prompts and submissions for round {}", "latest_reveal_block"),
    "downloading": ("Round {}: downloading", "generation_deadline_block"),
}


class Watcher(threading.Thread):
    """Notes the heights it sees, every SENSOR_SECONDS."""

    def __init__(self, chain: LocalChain) -> None:
        super().__init__(daemon=True)
        self.chain, self.seen, self.stop = chain, [chain.finalized()], threading.Event()

    def run(self) -> None:
        while not self.stop.wait(SENSOR_SECONDS):
            self.seen.append(self.chain.finalized())

    def delay(self, block: int) -> float:
        """Seconds from a block being final to being seen."""
        return next((seen - block for seen in self.seen if seen >= block), 0) * BLOCK_SECONDS


def main() -> None:
    """Run the rounds, then print a row a stage and one for the ticks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        settings = {"LOCAL_BLOCK_SECONDS": f"{BLOCK_SECONDS}", "LOCAL_PROMPTS": "4"}
        settings["SENSOR_SECONDS"] = f"{SENSOR_SECONDS}"
        competition = LocalCompetition(Path(folder), settings=settings)
        competition.start()
        try:
            competition.wait_for(0, "open", 120)
            chain = LocalChain(Path(folder) / "network" / "chain")
            watcher = Watcher(chain)
            watcher.start()
            competition.wait_for(rounds, "open", 300 * rounds)
            watcher.stop.set()
            _report(competition, chain, watcher, rounds)
        finally:
            competition.interrupt()


def _report(
    competition: LocalCompetition, chain: LocalChain, watcher: Watcher, rounds: int
) -> None:
    commits = {lines[0]: time_ for _, time_, lines in competition.commits()}
    print(f"{'stage':<18}{'rounds':>8}{'median, s':>11}{'p95, s':>9}{'watcher, s':>12}{'ratio':>7}")
    for stage, (subject, key) in STAGES.items():
        delays, seen = [], []
        for number in range(rounds):
            block = int(competition.read(f"rounds/{number}/schedule.json")[key])
            committed = commits[subject.format(number)]
            delays.append(
                (committed - chain.time(block).timestamp()) / CHAIN_BLOCK_SECONDS * BLOCK_SECONDS
            )
            seen.append(watcher.delay(block))
        row = (_share(delays, 0.5), _share(delays, 0.95), _share(seen, 0.95))
        print(
            f"{stage:<18}{rounds:>8}{row[0]:>11.1f}{row[1]:>9.1f}"
            f"{row[2]:>12.1f}{row[1] / max(row[2], 0.01):>7.1f}"
        )
    for sensor, ticks in _ticks(competition.home):
        print(
            f"{f'{sensor} ticks':<18}{len(ticks):>8}"
            f"{_share(ticks, 0.5):>11.2f}{_share(ticks, 0.95):>9.2f}"
        )


def _ticks(home: Path) -> Iterator[tuple[str, list[float]]]:
    """Each sensor that ticked, and the seconds that each of its ticks took."""
    os.environ["DAGSTER_HOME"] = str(home / "dagster")
    import dagster as dg  # noqa: PLC0415 -- it reads the environment

    with dg.DagsterInstance.get() as instance:
        for sensor in instance.all_instigator_state():
            ticks = instance.get_ticks(sensor.instigator_origin_id, sensor.selector_id)
            ended = [
                tick.end_timestamp - tick.timestamp
                for tick in ticks
                if tick.end_timestamp is not None
            ]
            if ended:
                yield sensor.instigator_name, ended


def _share(values: Sequence[float], share: float) -> float:
    """The value below which that share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


if __name__ == "__main__":
    main()
