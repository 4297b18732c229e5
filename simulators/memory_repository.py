"""A competition's repository in memory: pinned reads, history, and publishing as
`resources.repository` promises it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from gen404_assets.competition.history import History
from resources.git_history import NO_COMMIT, Change, Commit


@dataclass(frozen=True)
class MemoryFiles:
    """Some files, of no commit."""

    files: Mapping[str, bytes]

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)


class MemorySnapshot:
    """The files at one commit: the last of a history."""

    def __init__(self, commit: Commit, history: History, repository: "MemoryRepository") -> None:
        self.commit, self.past, self.source = commit, history, repository

    @property
    def commits(self) -> Sequence[Commit]:
        return self.source.commits[: len(self.past.commits)]

    def recent(self, count: int) -> Sequence[Commit]:
        return self.commits[: -count - 1 : -1]

    @property
    def history(self) -> Sequence[Change]:
        return self._changes_from(0)

    def _changes_from(self, at: int) -> Sequence[Change]:
        by_commit = self.source.changes[at : len(self.past.commits)]
        return [change for changes in by_commit for change in changes]

    def since(self, known: str) -> tuple[Sequence[Commit], Sequence[Change]] | None:
        at = self.source.index.get(known, len(self.past.commits)) + 1
        if at > len(self.past.commits):
            return None
        return self.commits[at:], self._changes_from(at)

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        return {path: self.source.contents[blob] for path, blob in self.blobs.items()}

    @property
    def blobs(self) -> Mapping[str, str]:
        return self.past.paths

    def listed(self, paths: Iterable[str], *, below: bool = False) -> Mapping[str, str]:
        names = [*paths]
        if below:
            folders = [name for name in names if name.startswith("rounds/")]
            numbers = {int(folder.split("/")[1]) for folder in folders}
            names += [
                path
                for number in numbers
                for path in self.past.of_round(number)
                if any(path.startswith(f"{folder}/") for folder in folders)
            ]
        versions = {name: self.past.last(name) for name in names}
        return {name: last.blob for name, last in versions.items() if last and last.blob}

    def read_blobs(self, blobs: Iterable[str]) -> dict[str, bytes]:
        return {blob: self.source.contents[blob] for blob in blobs}

    def read_blob(self, blob: str) -> bytes:
        return self.source.contents[blob]

    def read(self, path: str) -> bytes | None:
        return self.read_many([path]).get(path)

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: self.source.contents[blob] for path, blob in self.listed(paths).items()}


class MemoryRepository:
    """One branch. `before_push` may commit as somebody else just before a publication, which then
    lost the race.
    """

    def __init__(self, contents: MutableMapping[str, bytes] | None = None) -> None:
        self.commits: list[Commit] = []
        self.changes: list[list[Change]] = []
        """What each commit changed."""
        self.index: dict[str, int] = {}
        self.contents: MutableMapping[str, bytes] = {} if contents is None else contents
        self.head = MemorySnapshot(NO_COMMIT, History([], [], self._blobs), self)
        self.before_push: Callable[[], None] = lambda: None

    def _blobs(self, blobs: Iterable[str]) -> dict[str, bytes]:
        return {blob: self.contents[blob] for blob in blobs}

    @property
    def messages(self) -> list[str]:
        """The commits' messages, oldest first."""
        return [commit.message for commit in self.commits]

    def refresh(self) -> str:
        return self.head.commit.sha

    def snapshot(self, commit: str | None = None) -> MemorySnapshot:
        """The files at a commit; those of the head are at hand, others are made."""
        if commit in {None, self.head.commit.sha}:
            return self.head
        if commit == NO_COMMIT.sha:
            return MemorySnapshot(NO_COMMIT, History([], [], self._blobs), self)
        at = self.index[str(commit)] + 1
        changes = [change for made in self.changes[:at] for change in made]
        return MemorySnapshot(
            self.commits[at - 1], History(self.commits[:at], changes, self._blobs), self
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
                if base.read(path) != content
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
        sha = _sha(f"{len(self.commits)} {message}".encode())
        commit = Commit(
            sha, "somebody <somebody@example.invalid>", time or self.head.commit.time, message
        )
        made: list[Change] = []
        for path, content in changes.items():
            blob = None if content is None else _sha(content)
            if content is not None and blob is not None:
                self.contents.setdefault(blob, content)
            made.append(Change(commit, path, blob))
        self.index[sha] = len(self.commits)
        self.commits.append(commit)
        self.changes.append(made)
        self.head = MemorySnapshot(
            commit, self.history().following([commit], made, self._blobs), self
        )
        return commit

    def history(self) -> History:
        """The history as a replay reads it."""
        return self.head.past


def _sha(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
