"""A made-up competition: people's commits to it, its import into Dagster, and a round's replay."""

import os
import subprocess
from pathlib import Path

import dagster as dg

from gen404_assets.assets.mirrored import Competition1
from gen404_assets.commands.importing import import_history
from gen404_assets.competition_repository import history_of, open_repository
from gen404_assets.definitions import definitions

GRAPH = definitions({}).resolve_asset_graph()


def git(repository: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A Person", "-c", "user.email=person@example.invalid"]
    done = subprocess.run(
        ["git", "-C", str(repository), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit_by_hand(competition: Path, path: str, content: str, message: str) -> None:
    clone = competition.with_name("clone")
    if not clone.exists():
        git(competition.parent, "clone", "-q", str(competition), str(clone))
    (clone / path).parent.mkdir(parents=True, exist_ok=True)
    (clone / path).write_text(content)
    git(clone, "add", path)
    git(clone, "commit", "-qm", message)
    git(clone, "push", "-q")


def import_all(instance: dg.DagsterInstance, competition: Path) -> int:
    repository = open_repository(str(competition), "main")
    repository.refresh()
    return import_history(instance, history_of(repository.snapshot()), Competition1(instance))


def replay(instance: dg.DagsterInstance, number: int) -> dg.ExecuteInProcessResult:
    job = definitions(os.environ).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance, partition_key=str(number), raise_on_error=False
    )
