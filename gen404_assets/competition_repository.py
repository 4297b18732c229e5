"""The competition's repository as the platform opens it: by the operator's settings, with a mirror
of its own.
"""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from gen404_assets.replay.history import History
from resources.repository import Repository, Snapshot


def home() -> Path:
    """Where the platform keeps what it can make again: `GEN404_HOME`, by default `.gen404` in the
    user's home.
    """
    return Path(os.environ.get("GEN404_HOME") or Path.home() / ".gen404").absolute()


def open_repository(url: str, branch: str) -> Repository:
    """The repository at a git URL, path or bundle file. Nothing is read yet."""
    local = Path(url).expanduser()
    address = str(local.absolute()) if local.exists() else url
    name = hashlib.sha256(f"{address} {branch}".encode()).hexdigest()[:16]
    token = os.environ.get("GITHUB_TOKEN") or None
    return Repository(address, branch, mirror=home() / "mirrors" / name, token=token)


@lru_cache(maxsize=2)
def history_at(repository: Repository, commit: str) -> History:
    """The history up to a commit that the mirror has."""
    return history_of(repository.snapshot(commit))


def history_of(snapshot: Snapshot) -> History:
    """The history up to a snapshot's commit."""
    return History(snapshot.commits, snapshot.history, snapshot.read_blobs)


def create_repository(path: Path) -> None:
    """An empty bare repository at `path`; one that is there is left as it is."""
    from git import Repo  # noqa: PLC0415 -- nothing but this needs it

    if not path.exists():
        Repo.init(path, bare=True, initial_branch="main")
