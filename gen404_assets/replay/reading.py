"""The history of a competition's repository, as the git adapter reads it."""

from functools import lru_cache

from gen404_assets.replay.history import History
from resources.repository import Repository, Snapshot


@lru_cache(maxsize=2)
def history_at(repository: Repository, commit: str) -> History:
    """The history up to a commit that the mirror has."""
    return history_of(repository.snapshot(commit))


def history_of(snapshot: Snapshot) -> History:
    """The history up to a snapshot's commit."""
    return History(snapshot.commits, snapshot.history, snapshot.read_blobs)
