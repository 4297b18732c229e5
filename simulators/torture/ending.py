"""How a round ended, and whether that is how an undisturbed one ends, given the same answers."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from simulators.torture.answers import first_name
from simulators.torture.world import World

_LEFT_OUT = {"pod_stats.json"}
"""Files that say how long which pod worked: a pod more, and other times, are no other result."""

_MEASURED = ("generation_time", "attempts")
"""Of an output, and of a verdict on outputs: how long it took here, and how often a CDN or a pod
that was cut off was asked."""

_WITH_ATTEMPTS = {"submitted.json", "generated.json", "generation_audits.json"}
"""The files in which that stands."""

_NO_RESULTS = ("started", "canaries/", "provisional/")
"""Objects that the store's own start has made, and those of canary duels: how many there were, on
which prompts, and which of them came before an answer, depends on the clock."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The branch's files, with what may differ taken out; the SHA-256 of every object by key; and
    the stages through which the branch went."""

    files: Mapping[str, Any]
    objects: Mapping[str, str]
    stages: list[tuple[int, str]] = field(default_factory=list)


def ending_of(world: World) -> Ending:
    """How it stands now."""
    repository = world.repository()
    snapshot = repository.snapshot(repository.refresh())
    files = snapshot.read_many(snapshot.blobs)
    objects = {
        first_name(key): hashlib.sha256(world.store.get(key) or b"").hexdigest()
        for key in world.store.all_keys()
        if not key.startswith(_NO_RESULTS)
    }
    kept = {
        path: first_name(_normal(path, content))
        for path, content in files.items()
        if PurePosixPath(path).name not in _LEFT_OUT
    }
    return Ending(kept, objects, _stages(world))


def differences(expected: Ending, actual: Ending) -> list[str]:
    """What is not as in the undisturbed round, one line each; nothing where all is."""
    lines = [f"file {line}" for line in _compared(expected.files, actual.files)]
    lines += [f"object {line}" for line in _compared(expected.objects, actual.objects)]
    if actual.stages != expected.stages:
        lines.append(f"stages {actual.stages}")
    return lines


def _compared(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    missing = [f"{name} is missing" for name in sorted(expected.keys() - actual.keys())]
    more = [f"{name} is too much" for name in sorted(actual.keys() - expected.keys())]
    other = [
        f"{name}: {str(actual[name])[:300]} instead of {str(expected[name])[:300]}"
        for name in sorted(expected.keys() & actual.keys())
        if expected[name] != actual[name]
    ]
    return missing + more + other


def _normal(path: str, content: bytes) -> str:
    """A file's content to the byte; of files and verdicts, without what is measured."""
    if PurePosixPath(path).name not in _WITH_ATTEMPTS:
        return content.decode()
    entries = json.loads(content)
    for entry in entries.values():
        for key in _MEASURED:
            entry.pop(key, None)
    return json.dumps(entries)


def _stages(world: World) -> list[tuple[int, str]]:
    """(round, stage) as the commits on the branch left them, each change once."""
    git = ["git", "-C", str(world.bare)]
    log = [*git, "log", "--reverse", "--format=%H", "main", "--", "state.json"]
    stages: list[tuple[int, str]] = []
    for sha in subprocess.run(log, capture_output=True, text=True, check=True).stdout.split():
        show = subprocess.run([*git, "show", f"{sha}:state.json"], capture_output=True, check=True)
        state = json.loads(show.stdout)
        if not stages or stages[-1] != (state["current_round"], state["stage"]):
            stages.append((state["current_round"], state["stage"]))
    return stages
