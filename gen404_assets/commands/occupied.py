"""A platform's home is one platform's: one process, and one competition."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2

from gen404_assets.commands.refused import Refused
from gen404_assets.live.shared import Shared
from gpu.bounded_http import Bounds, bounded_client


@dataclass(frozen=True, slots=True)
class Competition:
    """Which competition a platform works on."""

    repository: str
    branch: str

    def folder(self) -> str:
        """A folder's name for it alone."""
        name = f"{self.repository} {self.branch}"
        return hashlib.sha256(name.encode()).hexdigest()[:16]


@contextmanager
def occupied(home: Path, competition: Competition, health: str) -> Iterator[None]:
    """Have the home for oneself; `health` is where others may ask how it goes. Raises Refused where
    another process has it, or where it holds another competition.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "platform.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"a platform runs in {home} already: end it, or choose another GEN404_HOME"
            ) from None
        _belongs(home / "competition.json", competition)
        lock.truncate(0)
        lock.write(json.dumps({"process": os.getpid(), "health": health}))
        lock.flush()
        yield


def is_of(shared: Shared, competition: Competition) -> None:
    """See that what machines share is of this competition. Raises Refused."""
    ours = competition.folder()
    if shared.notes.create("competition", ours.encode()).decode() != ours:
        raise Refused(
            f"the database (DATABASE_URL) holds another competition than {competition.repository} "
            f"({competition.branch}): choose another database"
        )


def platform_health(home: Path) -> dict[str, Any]:
    """What the platform that runs in a home says of itself (`/healthz`); its `faults` say so where
    none runs, or none answers.
    """
    try:
        with (home / "platform.lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        pass
    except BlockingIOError:
        return _ask((home / "platform.lock").read_text())
    return {"faults": [f"no `gen404 up` runs in {home}"], "waits": []}


def _ask(known: str) -> dict[str, Any]:
    try:
        with bounded_client(Bounds(10, 2**20), environment=False) as client:
            return dict(client.get(json.loads(known)["health"]).json())
    except (httpx2.HTTPError, ValueError, KeyError):
        return {"faults": ["the platform gives no answer to who asks for its health"], "waits": []}


def _belongs(path: Path, competition: Competition) -> None:
    known = Competition(**json.loads(path.read_bytes())) if path.exists() else competition
    if known != competition:
        raise Refused(
            f"{path.parent} holds the competition {known.repository} ({known.branch}), not "
            f"{competition.repository} ({competition.branch}): choose another GEN404_HOME"
        )
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(competition)))
    draft.replace(path)
