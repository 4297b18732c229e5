"""The recorded competition with its store, which anybody reaches over real HTTP."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from gen404_assets.competition.faults import MinerFault
from gen404_assets.replay.objects.checking import ObjectsReport, Sample, Tools, check_objects
from gen404_assets.replay.result import FileReplay, RoundReplay
from resources.store_downloads import StoreDownloads
from simulators.examples import MINERS
from simulators.memory_repository import MemoryRepository
from simulators.outside import SimulatedOutside
from simulators.public_store import PublicStore, public_store
from simulators.recording import recorded_outside

_OLD_BASE = b"https://store.example/"
_REGENERATED_SIZE = 9
_IN_THE_MATCH = re.compile(
    rf"^[^/]+$|^rounds/0/([^/]+|leader/[^/]+|{MINERS[0]}/(?!duels).*|{MINERS[0]}/duels_leader.json)$"
)
"""Round 0's files without those of all miners but the one who failed its audit: a match is enough
to check.
"""


@cache
def played() -> SimulatedOutside:
    """The recorded competition as it was played: over a second of work, once."""
    return recorded_outside()


class SameRenderer:
    """Draws what the recorded competition's renderer did: of a regenerated file, nothing."""

    def render(self, path: Path, output_format: str) -> bytes:
        assert output_format == "glb"
        content = path.read_bytes()
        if content.startswith(b"bad"):
            raise MinerFault("not a model")
        return b"" if content.startswith(b"made ") else b"picture of " + content


@dataclass
class Found:
    """What a check of the objects has found."""

    report: ObjectsReport
    rounds: list[RoundReplay]

    @property
    def files(self) -> dict[str, FileReplay]:
        return {file.path: file for each in self.rounds for file in each.files}

    def of(self, path: str) -> list[str]:
        return [str(difference) for difference in self.files[path].differences]


@dataclass
class StoredCompetition:
    """The files of the recorded competition, whose URLs lead to `store`. Tests change either."""

    store: PublicStore
    files: dict[str, bytes]
    tools: Tools

    def edit(self, path: str, change: Callable[[Any], None]) -> None:
        content = json.loads(self.files[path])
        change(content)
        self.files[path] = json.dumps(content, indent=2).encode()

    def path(self, number: int, name: str) -> str:
        """The first file of the round with this name that is not empty."""
        return next(
            path
            for path, content in sorted(self.files.items())
            if path.startswith(f"rounds/{number}/")
            and path.endswith(f"/{name}")
            and len(content) > 2
        )

    def key(self, url: str) -> str:
        return url.removeprefix(f"{self.store.url}/")

    def check(self, **asked: Any) -> Found:
        tools = replace(
            self.tools,
            **{key: asked.pop(key) for key in ("renderer", "distance", "judge") if key in asked},
        )
        repository = MemoryRepository()
        repository.commit(self.files, "All files")
        rounds = [RoundReplay(number) for number in asked.pop("rounds", (0,))]
        sample = Sample(**{"seed": 1} | asked)
        return Found(check_objects(repository.history(), rounds, sample, tools), rounds)


def rebased(content: bytes, base: bytes) -> bytes:
    """A file whose URLs lead to another store."""
    return content.replace(_OLD_BASE, base)


@contextmanager
def stored_competition(timeout: float = 30) -> Iterator[StoredCompetition]:
    outside = played()
    objects = dict(outside.store.objects)
    regenerated = [key for key in objects if "/generated/" in key and key.endswith(".glb")]
    objects |= {key: objects[key].ljust(_REGENERATED_SIZE) for key in regenerated}
    with public_store(objects) as store:
        base = f"{store.url}/".encode()
        files = outside.repository.head.files
        yield StoredCompetition(
            store,
            {path: rebased(files[path], base) for path in files if _IN_THE_MATCH.search(path)},
            Tools(
                lambda base, limit: StoreDownloads(
                    base, limit=limit, timeout=timeout, private=True
                ),
                SameRenderer(),
                wait=lambda _: None,
            ),
        )
