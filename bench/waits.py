"""How long a lane's runs wait between being created and starting, in a local competition that
Dagster runs: in a round with nothing beside it, and in one beside backfills of past rounds.

    python -m bench.waits [--backfills 32]

Both rounds are played by one platform, one after the other. The backfills are launched as the UI
launches them, each of one past round's assets. The baseline is the round without.
"""

import argparse
import os
import re
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from simulators.local_competition import LocalCompetition

_ROUND_SECONDS = 3600.0
_ASSETS = "{ assetNodes { assetKey { path } isPartitioned isMaterializable } }"
_LAUNCH = """mutation($backfill: LaunchBackfillParams!) {
    launchPartitionBackfill(backfillParams: $backfill) { __typename }
}"""


@dataclass(frozen=True)
class Run:
    """A run: its lane (None: a replay), and when it was created, launched, started and ended."""

    lane: str | None
    created: float
    launched: float
    started: float
    ended: float | None

    def meets(self, other: "Run") -> bool:
        """Whether the other was still to be done when this one was created."""
        return other.created <= self.created and (other.ended or self.created) >= self.created


def main() -> None:
    """Play two rounds, the second beside backfills, and print what the runs waited."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backfills", type=int, default=32)
    backfills: int = parser.parse_args().backfills
    with tempfile.TemporaryDirectory() as folder:
        settings = {"LOCAL_PROMPTS": "4", "LOCAL_BLOCK_SECONDS": "0.05"}
        competition = LocalCompetition(Path(folder), settings=settings)
        competition.start()
        try:
            competition.wait_for(1, "downloading", _ROUND_SECONDS)
            launch(ui_of(competition.home), 0, backfills)
            competition.wait_for(2, "open", _ROUND_SECONDS)
            report(list(runs(competition.home)))
        finally:
            competition.interrupt()


def ui_of(home: Path) -> str:
    """Where the platform of a home has said that its UI is."""
    return str(re.findall(r"UI will be at (\S+)", (home / "up.log").read_text())[-1])


def launch(ui: str, number: int, backfills: int) -> None:
    """So many backfills of a past round, each a run."""
    with httpx2.Client(base_url=ui, timeout=600) as client:
        nodes = _asked(client, _ASSETS)["assetNodes"]
        assets = [node["assetKey"] for node in nodes if _replays(node)]
        backfill = {"assetSelection": assets, "partitionNames": [str(number)]}
        for _ in range(backfills):
            answer = _asked(client, _LAUNCH, backfill=backfill)["launchPartitionBackfill"]
            if answer["__typename"] != "LaunchBackfillSuccess":
                raise SystemExit(f"no backfill was launched: {answer}")


def _replays(node: dict[str, Any]) -> bool:
    """Whether an asset is made anew for a round: what people or others write is not."""
    return bool(node["isPartitioned"] and node["isMaterializable"])


def _asked(client: httpx2.Client, query: str, **variables: Any) -> Any:
    answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    if "errors" in answer:
        raise SystemExit(str(answer["errors"]))
    return answer["data"]


def runs(home: Path) -> Iterator[Run]:
    """Every run of a home's platform that has started, as Dagster recorded it."""
    os.environ["DAGSTER_HOME"] = str(home / "dagster")
    import dagster as dg  # noqa: PLC0415 -- it reads the environment

    from gen404_assets.assets.tags import LANE_TAG  # noqa: PLC0415 -- imports Dagster

    launched = [dg.DagsterEventType.PIPELINE_STARTING]
    with dg.DagsterInstance.get() as instance:
        for record in instance.get_run_records():
            if record.start_time is None:
                continue
            events = instance.get_records_for_run(record.dagster_run.run_id, of_type=set(launched))
            yield Run(
                record.dagster_run.tags.get(LANE_TAG),
                record.create_timestamp.timestamp(),
                min((each.timestamp for each in events.records), default=record.start_time),
                record.start_time,
                record.end_time,
            )


def report(runs: list[Run]) -> None:
    """A row a lane and kind of round: seconds until the run was launched, and until it ran, as
    medians, and the longest.
    """
    replays = [run for run in runs if run.lane is None]
    print(f"{'runs of':<12}{'beside':>12}{'runs':>6}{'launched':>10}{'started':>9}{'longest':>9}")
    for lane in sorted({run.lane for run in runs if run.lane is not None}):
        ours = [run for run in runs if run.lane == lane]
        for beside in (False, True):
            chosen = [run for run in ours if any(map(run.meets, replays)) is beside]
            if chosen:
                _row(lane, "backfills" if beside else "nothing", chosen)
    if replays:
        _row("replays", "", replays)


def _row(name: str, beside: str, runs: list[Run]) -> None:
    launched = statistics.median(run.launched - run.created for run in runs)
    started = [run.started - run.created for run in runs]
    print(
        f"{name:<12}{beside:>12}{len(runs):>6}{launched:>10.1f}"
        f"{statistics.median(started):>9.1f}{max(started):>9.1f}"
    )


if __name__ == "__main__":
    main()
