"""The repository's past: which commit left which file how, and the files as they were at any commit."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol, TypeVar

from gen404_assets.competition.commits import by_person
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.round import Files, Round
from gen404_assets.competition.state import Stage

T = TypeVar("T")


class Commit(Protocol):
    """What a replay needs to know of a commit."""

    @property
    def sha(self) -> str: ...
    @property
    def time(self) -> datetime: ...
    @property
    def message(self) -> str: ...


class Change(Protocol):
    """One file as one commit left it."""

    @property
    def commit(self) -> Commit: ...
    @property
    def path(self) -> str: ...
    @property
    def blob(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Version:
    """A file as the commit at `index` of the history left it; `blob` is None where that commit deleted it."""

    index: int
    commit: Commit
    blob: str | None

    @property
    def by_person(self) -> bool:
        return by_person(self.commit.message)

    def __str__(self) -> str:
        return cite(self.commit)


def cite(commit: Commit) -> str:
    """A commit as a person would name it."""
    return f'{commit.sha[:7]} "{commit.message.splitlines()[0] if commit.message else ""}"'


class History:
    """All versions of all files up to the head, oldest first; reads as the files at the head."""

    def __init__(
        self,
        commits: Sequence[Commit],
        changes: Sequence[Change],
        read_blobs: Callable[[Iterable[str]], Mapping[str, bytes]],
    ) -> None:
        self.commits = commits
        self._read_blobs = read_blobs
        self._contents: dict[str, bytes] = {}
        self._versions: dict[str, list[Version]] = defaultdict(list)
        index = {commit.sha: number for number, commit in enumerate(commits)}
        for change in changes:
            number = index[change.commit.sha]
            self._versions[change.path].append(Version(number, change.commit, change.blob))
        self._rounds: dict[tuple[int, int], Round] = {}

    def versions(self, path: str) -> Sequence[Version]:
        """A file's versions, oldest first; empty if it never was."""
        return self._versions.get(path, ())

    def last(self, path: str, index: int | None = None) -> Version | None:
        """The version that stands at commit `index` (None: the head), deletion included."""
        versions = self.versions(path)
        at = len(versions) if index is None else bisect_right(versions, index, key=lambda version: version.index)
        return versions[at - 1] if at else None

    def content(self, version: Version) -> bytes | None:
        """A version's bytes."""
        if version.blob is None:
            return None
        if version.blob not in self._contents:
            self._contents |= self._read_blobs([version.blob])
        return self._contents[version.blob]

    def prefetch(self, versions: Iterable[Version | None]) -> None:
        """Read these versions at once, and forget those read before."""
        self._rounds.clear()
        wanted = {version.blob for version in versions if version is not None and version.blob is not None}
        known = {blob: self._contents[blob] for blob in wanted if blob in self._contents}
        self._contents = known | dict(self._read_blobs(wanted - known.keys()))

    def read(self, path: str) -> bytes | None:
        return self.at(len(self.commits)).read(path)

    def at(self, index: int) -> Files:
        """The files as commit `index` left them."""
        return _Moment(self, index)

    def round(self, number: int, index: int | None = None) -> Round:
        """A round as commit `index` left it (None: the head); each is read once."""
        key = (number, len(self.commits) if index is None else index)
        if key not in self._rounds:
            self._rounds[key] = Round(self.at(key[1]), number)
        return self._rounds[key]

    def is_past(self, number: int) -> bool:
        """Whether a round is behind the current one, or the competition is over."""
        state = self.round(number).state
        return state is not None and (number < state.current_round or state.stage is Stage.FINISHED)

    def readable(self, path: str, parse: Callable[[bytes], T]) -> Iterator[tuple[Version, T]]:
        """A file's versions, parsed; those that were deletions, or could not be read at their time, are left out."""
        for version in self.versions(path):
            raw = self.content(version)
            if raw is not None:
                with suppress(MalformedFile):
                    yield version, parse(raw)

    def written(self, path: str, entry: Callable[[bytes], object]) -> Version | None:
        """The version that brought what `entry` finds in the file's last version, and which all since have kept."""
        versions = list(self.versions(path))
        if not versions or (raw := self.content(versions[-1])) is None:
            return None
        wanted, found = entry(raw), versions[-1]
        for version in reversed(versions[:-1]):
            raw = self.content(version)
            if raw is None or entry(raw) != wanted:
                break
            found = version
        return found

    def by_person(self, path: str) -> list[Version]:
        """The versions of a file that people committed."""
        return [version for version in self.versions(path) if version.by_person]

    @cached_property
    def paths(self) -> Mapping[str, str]:
        """The files at the head, with their blobs, in order of path."""
        last = {path: versions[-1].blob for path, versions in sorted(self._versions.items())}
        return {path: blob for path, blob in last.items() if blob is not None}

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)


class _Moment:
    """The files at one commit of a history."""

    def __init__(self, history: History, index: int) -> None:
        self._history, self._index = history, index

    def read(self, path: str) -> bytes | None:
        version = self._history.last(path, self._index)
        return self._history.content(version) if version else None
