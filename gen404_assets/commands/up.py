"""Dagster on a competition: `gen404 up` runs one, `gen404 browse` looks at one. Ctrl-C ends all
that was started.
"""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from functools import partial
from itertools import count
from pathlib import Path

import dagster as dg

from gen404_assets.assets.mirroring import missing_events, new_rounds
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.commands.refused import Refused
from gen404_assets.competition.history import History
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition_repository import history_at, open_repository
from gen404_assets.live.fleet import is_held, reap
from gen404_assets.live.outside import Outside
from gen404_assets.live.work import Pace
from gen404_assets.settings import PlatformSettings, RepositorySettings, home
from resources.local_network import process
from resources.ports import is_free
from resources.providers.opening import open_providers
from resources.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
_LIVE = [
    *(dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING),
    *(dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING),
]


def check(environment: Mapping[str, str]) -> None:
    """Read every setting before anything starts. Raises BadSetting."""
    for model in (PlatformSettings, RepositorySettings, Pace, PodRules):
        read_settings(model, environment)
    outside = Outside(environment)
    for name in (
        "rules",
        "chain",
        "store",
        "downloads",
        "judge",
        "distance",
        "providers",
        "builds",
    ):
        getattr(outside, name)
    outside.close()


def operate(environment: Mapping[str, str], port: int) -> int:
    """Run a competition until Dagster ends or a signal comes; no pod is left when it has. Raises
    BadSetting.
    """
    check(environment)
    try:
        return serve(environment, port)
    finally:
        reap(open_providers(environment), partial(is_held, home()))


def serve(environment: Mapping[str, str], port: int) -> int:
    """Import what the repository holds, and run Dagster on it until it ends or a signal comes; its
    exit code.
    """
    if not is_free(port):
        raise Refused(f"port {port} is taken: choose another with --port")
    dagster_home = home() / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "dagster.yaml", dagster_home / "dagster.yaml")
    settings = {**environment, "GEN404_HOME": str(home()), "DAGSTER_HOME": str(dagster_home)}
    os.environ.update(settings)
    repository = open_repository(
        settings["COMPETITION_REPO"], settings.get("GITHUB_BRANCH", "main")
    )
    with dg.DagsterInstance.get() as instance:
        end_left_over(instance)
        imported = import_history(instance, history_at(repository, repository.refresh()))
    print(
        f"imported {imported} files' states; Dagster's UI will be at http://127.0.0.1:{port}",
        flush=True,
    )
    # By `dg dev`, which wants a project of its own shape.
    quiet = "ignore:Function `dev_command` is superseded"
    command = [
        sys.executable,
        "-W",
        quiet,
        "-m",
        "dagster",
        "dev",
        "-w",
        str(ROOT / "workspace.yaml"),
        "-p",
        str(port),
    ]
    log = home() / "dagster.log"
    dagster = process.start(command, log, settings)
    print(f"Dagster's log: {log}. Ctrl-C ends everything.", flush=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while dagster.poll() is None and not stop.wait(0.5):
        pass
    ended_by_itself = not stop.is_set()
    if ended_by_itself:
        print(
            f"Dagster has ended by itself, with exit code {dagster.returncode}: its log says why",
            flush=True,
        )
    else:
        print("stopping", flush=True)
    process.stop([dagster], patience=10)
    return 1 if ended_by_itself else 0


def end_left_over(instance: dg.DagsterInstance) -> None:
    """Runs that a start before this one left unfinished have died with it: say so, so that their
    work is taken up.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_LIVE)):
        instance.report_run_failed(run, "it ended with the process that ran it")


def import_history(instance: dg.DagsterInstance, history: History) -> int:
    """Log what the repository holds and Dagster has not seen; returns how many events that took."""
    instance.add_dynamic_partitions(str(ROUNDS.name), new_rounds(instance, history))
    counted = count()
    for event in missing_events(instance, history):
        instance.report_runless_asset_event(event)
        next(counted)
    return next(counted)
