"""What Dagster and the logs may keep: old runs are deleted with what they logged; logs rotate."""

import os
import shutil
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

PRUNE_SECONDS = 600.0
"""How often `prune` is due."""

FAILED_RUNS = 100
"""Runs without success that are kept; a standing failure adds one every ten minutes and lane."""

_OLDER_LOGS = 3  # of each log, beside the one that is written to
_IDLE_TICKS_SECONDS = 3600.0  # that ticks which found nothing to do are kept
_AT_ONCE = 200
"""Runs deleted in one go; what is left is deleted with the next."""
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_ENDED = [dg.DagsterRunStatus.SUCCESS, *_FAILED]


def prune(instance: dg.DagsterInstance, days: int) -> None:
    """Delete what is older than it is kept."""
    prune_runs(instance, days)
    prune_idle_ticks(instance)


def prune_idle_ticks(instance: dg.DagsterInstance) -> None:
    """Delete the ticks of before the last hour that found nothing to do: six sensors make 88,000 of
    them a day, of 1.5 kB each, and Dagster itself counts in days.
    """
    before = time.time() - _IDLE_TICKS_SECONDS
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        instance.purge_ticks(
            state.instigator_origin_id, state.selector_id, before, [TickStatus.SKIPPED]
        )


def prune_runs(instance: dg.DagsterInstance, days: int) -> int:
    """Delete the ended runs that are older than `days`, and all but the newest that failed; how
    many were.

    A materialisation that goes with its run is logged again by the sensor `mirror`, from the
    repository.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    old = instance.get_runs(
        dg.RunsFilter(statuses=_ENDED, created_before=before), limit=_AT_ONCE, ascending=True
    )
    failed = instance.get_runs(dg.RunsFilter(statuses=_FAILED), limit=FAILED_RUNS + _AT_ONCE)
    old_runs = {run.run_id for run in [*old, *failed[FAILED_RUNS:]]}
    for run_id in old_runs:
        instance.delete_run(run_id)
    return len(old_runs)


def rotate(logs: Iterable[Path], size: int) -> None:
    """Put aside what logs of more than `size` bytes hold. Whoever appends to one goes on in the
    emptied file.
    """
    for log in logs:
        if log.stat().st_size <= size:
            continue
        for number in range(_OLDER_LOGS, 1, -1):
            older = log.with_name(f"{log.name}.{number - 1}")
            if older.exists():
                older.replace(log.with_name(f"{log.name}.{number}"))
        # Copied and emptied, not renamed: the processes keep the file open, and would write to the
        # old one.
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)
