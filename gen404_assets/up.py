"""`gen404 up`: import a competition repository into Dagster and open its UI."""

import os
import shutil
import sys
from itertools import count
from pathlib import Path

import dagster as dg

from gen404_assets.competition.replay.history import History
from gen404_assets.competition_repository import history_at, home, open_repository
from gen404_assets.mirroring import missing_events, new_rounds
from gen404_assets.partitions import ROUNDS

ROOT = Path(__file__).resolve().parent.parent


def up(url: str, branch: str, port: int) -> int:
    """Import what the repository holds, then become `dagster dev`; Ctrl-C ends it with all it started."""
    local = Path(url).expanduser()
    dagster_home = home() / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "dagster.yaml", dagster_home / "dagster.yaml")
    os.environ |= {
        "COMPETITION_REPO": str(local.absolute()) if local.exists() else url,
        "GITHUB_BRANCH": branch,
        "GEN404_HOME": str(home()),
        "DAGSTER_HOME": str(dagster_home),
    }
    repository = open_repository(url, branch)
    imported = import_history(dg.DagsterInstance.get(), history_at(repository, repository.refresh()))
    print(f"imported {imported} files' states from {url}; the UI will be at http://127.0.0.1:{port}", flush=True)
    quiet = "ignore:Function `dev_command` is superseded"  # by `dg dev`, which wants a project of its own shape
    command = [sys.executable, "-W", quiet, "-m", "dagster", "dev", "-w", str(ROOT / "workspace.yaml"), "-p", str(port)]
    os.execv(sys.executable, command)  # noqa: S606 -- our own interpreter, no shell


def import_history(instance: dg.DagsterInstance, history: History) -> int:
    """Log what the repository holds and Dagster has not seen; returns how many events that took."""
    instance.add_dynamic_partitions(str(ROUNDS.name), new_rounds(instance, history))
    counted = count()
    for event in missing_events(instance, history):
        instance.report_runless_asset_event(event)
        next(counted)
    return next(counted)
