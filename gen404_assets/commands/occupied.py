"""A platform's home is one platform's: one process, and one competition."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2

from gen404_assets.commands.refused import Refused
from gen404_assets.live.shared import Shared, open_shared
from gen404_assets.live.sightings import Sightings
from gen404_assets.settings import RepositorySettings
from gpu.bounded_http import Bounds, bounded_client
from resources.file_lock import is_locked, try_lock
from resources.settings import read_settings, setting
from resources.whole_file import write_whole

PLATFORM, MONITOR = "platform", "monitor"
"""What runs at most once on a database, as its claims are named."""


@dataclass(frozen=True, slots=True)
class Competition:
    """Which competition a platform works on."""

    repository: str
    branch: str

    @classmethod
    def named_in(cls, environment: Mapping[str, str]) -> "Competition":
        """The one that the settings name; its repository is empty where none is. Raises
        BadSetting.
        """
        settings = read_settings(RepositorySettings, environment)
        return cls(settings.competition_repo or "", settings.github_branch)

    def folder(self) -> str:
        """A folder's name for it alone."""
        name = f"{self.repository} {self.branch}"
        return hashlib.sha256(name.encode()).hexdigest()[:16]


@contextmanager
def occupied(home: Path, competition: Competition) -> Iterator[Callable[[str], None]]:
    """Have the home for oneself; gives what is to be told where others may ask how it goes
    (`/healthz`), once they may. Raises Refused where another process has it, or where it holds
    another competition.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "platform.lock").open("a+") as lock:
        if not try_lock(lock):
            raise Refused(
                f"a platform runs in {home} already: end it, or choose another GEN404_HOME"
            )
        _belongs(home / "competition.json", competition)

        def write(**known: object) -> None:
            lock.truncate(0)
            lock.write(json.dumps({"process": os.getpid(), **known}))
            lock.flush()

        write()
        yield lambda health: write(health=health)


def is_of(shared: Shared, competition: Competition) -> None:
    """See that what machines share is of this competition. Raises Refused."""
    ours = competition.folder()
    if shared.notes.create("competition", ours.encode()).decode() != ours:
        raise Refused(
            f"the database (DATABASE_URL) holds another competition than {competition.repository} "
            f"({competition.branch}): choose another database"
        )


def platform_health(home: Path) -> dict[str, Any]:
    """What the platform that runs in a home says of itself (`/healthz`), or, where none does, what
    one on the same database has noted; its `faults` say so where none runs, or none answers. Raises
    BadSetting and InfrastructureFault.
    """
    lock = home / "platform.lock"
    if is_locked(lock):
        return _ask(lock.read_text())
    if not setting(os.environ, "DATABASE_URL"):
        return {"faults": [f"no `gen404 up` runs in {home}"], "waits": []}
    shared = open_shared()
    faults = []
    if not any(shared.claims.is_held(claim) for claim in (PLATFORM, MONITOR)):
        faults = ["neither `gen404 up` nor `gen404 start monitor` runs on the database"]
    return {"faults": faults, "waits": Sightings(shared.notes).waits()}


def _ask(known: str) -> dict[str, Any]:
    try:
        health = json.loads(known).get("health")
        if health is None:
            return {"faults": ["the platform starts, or stands by for another one"], "waits": []}
        with bounded_client(Bounds(10, 2**20), environment=False) as client:
            return dict(client.get(health).json())
    except (httpx2.HTTPError, ValueError):
        return {"faults": ["the platform gives no answer to who asks for its health"], "waits": []}


def _belongs(path: Path, competition: Competition) -> None:
    known = Competition(**json.loads(path.read_bytes())) if path.exists() else competition
    if known != competition:
        raise Refused(
            f"{path.parent} holds the competition {known.repository} ({known.branch}), not "
            f"{competition.repository} ({competition.branch}): choose another GEN404_HOME"
        )
    write_whole(path, json.dumps(asdict(competition)).encode())
