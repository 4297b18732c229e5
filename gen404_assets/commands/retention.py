"""What Dagster and the logs may keep: old runs are deleted with what they logged; logs rotate."""

import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

FAILED_RUNS = 100
"""Runs without success that are kept; a standing failure adds one every ten minutes and lane."""

_OLDER_LOGS = 3
_AT_ONCE = 200
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_ENDED = [dg.DagsterRunStatus.SUCCESS, *_FAILED]


def tick_retention(days: int) -> str:
    """The part of dagster.yaml that has ticks purged: a look that found nothing to do is kept for a
    day, everything else as long as runs are.
    """
    kept = f"skipped: 1, success: {days}, failure: {days}, started: {days}"
    return f"retention:\n  sensor:\n    purge_after_days: {{ {kept} }}\n"


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
    found = {run.run_id for run in [*old, *failed[FAILED_RUNS:]]}
    for run_id in found:
        instance.delete_run(run_id)
    return len(found)


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
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)
