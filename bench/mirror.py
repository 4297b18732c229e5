"""What the mirror costs: the first import of a competition's past into Dagster, and a tick after
each commit that somebody makes.

`python -m bench.mirror [--rounds 10] [--miners 16] [--prompts 16] [--ticks 5]`

All of it in seconds of the processor's time, git's processes included, so that what else the
machine does is not in them. The baseline of a tick is the same tick in a process that has read
nothing before: it reads the whole history, and the whole of Dagster's log.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import dagster as dg

from gen404_assets.assets import logged
from gen404_assets.assets.mirroring import mirrored_as
from gen404_assets.commands.importing import import_history
from gen404_assets.competition_repository import forget_histories, history_of, open_repository
from gen404_assets.replay.editions.choosing import COMPETITION_1
from resources.repository import Repository
from sensors.mirror import mirror
from simulators.histories import make_competition

_FRESH = 1.1
"""Seconds after which a tick looks at the head again."""


def main() -> None:
    """Print what an import, a tick and the baseline cost, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--miners", type=int, default=16)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--ticks", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"GEN404_HOME": f"{folder}/home", "COMPETITION_REPO": f"{folder}/made.git"}
        Path(folder, "home").mkdir()
        make_competition(
            Path(folder, "made.git"),
            rounds=options.rounds,
            miners=options.miners,
            prompts=options.prompts,
        )
        with dg.DagsterInstance.local_temp(f"{folder}/home") as instance:
            repository = open_repository(f"{folder}/made.git", "main")
            events, imported = _import(instance, repository)
            print(f"import: {imported:.2f} s, {events} files' states")
            ticks = _Ticks(instance, repository, options.rounds)
            ticks.once()  # the first reads the whole
            new = median(ticks.once() for _ in range(options.ticks))
            whole = median(ticks.once(anew=True) for _ in range(options.ticks))
    size = f"{options.rounds} rounds of {options.miners} miners and {options.prompts} prompts"
    costs = f"a tick after a commit costs {new:.3f} s, with nothing read before {whole:.3f} s"
    print(f"{size}: {costs}, ratio {whole / new:.1f}")


def _import(instance: dg.DagsterInstance, repository: Repository) -> tuple[int, float]:
    repository.refresh()
    history = history_of(repository.snapshot())
    counts: list[int] = []
    mirrored = mirrored_as(COMPETITION_1.name, instance)
    seconds = _seconds(lambda: counts.append(import_history(instance, history, mirrored)))
    return counts[0], seconds


class _Ticks:
    """Commits by a person to the round under way, each followed by a tick."""

    def __init__(self, instance: dg.DagsterInstance, repository: Repository, number: int) -> None:
        self._instance, self._repository, self._number = instance, repository, number
        self._cursor: str | None = None
        self._made = 0

    def once(self, *, anew: bool = False) -> float:
        """Commit a source audit; the seconds of the tick after it."""
        self._made += 1
        verdict = f'[{{"hotkey": "5a", "verdict": "failed", "reason": "{self._made}"}}]\n'
        path = f"rounds/{self._number}/source_audit.json"
        self._repository.publish(
            "Source audit",
            lambda _: {path: verdict.encode()},
            time=datetime(2031, 1, 1, 0, self._made, tzinfo=UTC),
        )
        time.sleep(_FRESH)
        if anew:
            forget_histories()
            logged.forget()
        return _seconds(self._tick)

    def _tick(self) -> None:
        with dg.build_sensor_context(self._instance, cursor=self._cursor) as context:
            result = mirror(context)
        assert isinstance(result, dg.SensorResult), result
        self._cursor = result.cursor
        for event in result.asset_events:
            assert isinstance(event, dg.AssetMaterialization)
            self._instance.report_runless_asset_event(event)


def _seconds(call: Callable[[], object]) -> float:
    """Of the processor's time, that of child processes included."""
    began = sum(os.times()[:4])
    call()
    return sum(os.times()[:4]) - began


if __name__ == "__main__":
    main()
