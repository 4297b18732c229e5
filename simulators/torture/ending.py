"""How a round ended, and whether that is how an undisturbed one ends, given the same answers."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from simulators.torture.world import World

_LEFT_OUT = {"pod_stats.json"}
"""Files that say how long which pod worked: a pod more, and other times, are no other result."""

_MEASURED = ("generation_time", "attempts")
"""Of a regenerated output, and of a verdict on them: how long it took here, and how often a pod
that was cut off was asked."""

_REGENERATED = {"generated.json", "generation_audits.json"}
"""The files in which that stands."""

_NOT_OURS = {"started"}
"""Objects that the store's own start has made."""

_BY_THE_CLOCK = ("canaries/", "provisional/")
"""How many canary duels there were, and which of them came before an answer, depends on the clock;
nothing that is published rests on these objects."""


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
        key: hashlib.sha256(world.object(key) or b"").hexdigest()
        for key in world.stored()
        if key not in _NOT_OURS and not key.startswith(_BY_THE_CLOCK)
    }
    kept = {
        path: _normal(path, content)
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


def _normal(path: str, content: bytes) -> Any:
    """A file's content to the byte; of what is regenerated, without what is measured."""
    if PurePosixPath(path).name not in _REGENERATED:
        return content
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
