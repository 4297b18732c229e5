"""A competition's repository in memory: pinned reads, history, and publishing as
`resources.repository` promises it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gen404_assets.competition.history import History
from resources.git_history import NO_COMMIT, Change, Commit

_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class MemorySnapshot:
    """The files at one commit."""

    commit: Commit
    files: Mapping[str, bytes]
    commits: Sequence[Commit] = ()
    history: Sequence[Change] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)

    def read_blobs(self, blobs: Iterable[str]) -> dict[str, bytes]:
        return {blob: self.contents[blob] for blob in blobs}

    @property
    def blobs(self) -> Mapping[str, str]:
        return {path: _sha(content) for path, content in self.files.items()}

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: self.files[path] for path in paths if path in self.files}


class MemoryRepository:
    """One branch. `before_push` may commit as somebody else just before a publication, which then
    lost the race.
    """

    def __init__(self) -> None:
        self.snapshots = [MemorySnapshot(NO_COMMIT, {})]
        self.changes: list[Change] = []
        self.contents: dict[str, bytes] = {}
        self.before_push: Callable[[], None] = lambda: None

    @property
    def head(self) -> MemorySnapshot:
        return self.snapshots[-1]

    @property
    def messages(self) -> list[str]:
        """The commits' messages, oldest first."""
        return [snapshot.commit.message for snapshot in self.snapshots[1:]]

    def refresh(self) -> str:
        return self.head.commit.sha

    def snapshot(self, commit: str | None = None) -> MemorySnapshot:
        return next(
            known for known in reversed(self.snapshots) if commit in {None, known.commit.sha}
        )

    def publish(
        self,
        message: str,
        derive: Callable[[MemorySnapshot], Mapping[str, bytes | None]],
        *,
        time: datetime | None = None,
    ) -> Commit:
        while True:
            base = self.head
            changes = {
                path: content
                for path, content in derive(base).items()
                if base.files.get(path) != content
            }
            if not changes:
                return base.commit
            before_push, self.before_push = self.before_push, lambda: None
            before_push()
            if self.head is base:
                return self.commit(changes, message, time)

    def commit(
        self, changes: Mapping[str, bytes | None], message: str, time: datetime | None = None
    ) -> Commit:
        """Commit as anybody."""
        sha = _sha(f"{len(self.snapshots)} {message}".encode())
        commit = Commit(
            sha, "somebody <somebody@example.invalid>", time or self.head.commit.time, message
        )
        files = {**self.head.files, **changes}
        for path, content in changes.items():
            self.changes.append(Change(commit, path, None if content is None else _sha(content)))
            if content is not None:
                self.contents[_sha(content)] = content
        kept = {path: content for path, content in files.items() if content is not None}
        commits = (*self.head.commits, commit)
        self.snapshots.append(
            MemorySnapshot(commit, kept, commits, tuple(self.changes), self.contents)
        )
        return commit

    def history(self) -> History:
        """The history as a replay reads it."""
        commits = [snapshot.commit for snapshot in self.snapshots[1:]]
        return History(
            commits, self.changes, lambda blobs: {blob: self.contents[blob] for blob in blobs}
        )


def _sha(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
