"""The repository's past: the versions of each file, and the files as they were at any commit."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from itertools import takewhile
from typing import Protocol, TypeVar

from gen404_assets.competition.commits import by_hand_alone, by_person
from gen404_assets.competition.config import Config
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.round import CONFIG, STATE, Files, Round, round_of
from gen404_assets.competition.state import Stage, State

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
    """A file as the commit at `index` of the history left it; `blob` is None where that commit
    deleted it.
    """

    index: int
    commit: Commit
    blob: str | None

    @property
    def by_person(self) -> bool:
        return by_person(self.commit.message)

    @property
    def who(self) -> str:
        return "a person" if self.by_person else "the platform"

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
        self._rounds: dict[tuple[int, int | None], Round] = {}

    # --- the versions of files

    def versions(self, path: str) -> Sequence[Version]:
        """A file's versions, oldest first; empty if it never was."""
        return self._versions.get(path, ())

    def last(self, path: str, index: int | None = None) -> Version | None:
        """The version that stands at commit `index` (None: the head), deletion included."""
        versions = self.versions(path)
        at = (
            len(versions)
            if index is None
            else bisect_right(versions, index, key=lambda version: version.index)
        )
        return versions[at - 1] if at else None

    def moments(self, paths: Iterable[str], index: int) -> list[int]:
        """The commits up to `index` that changed any of the files, the latest first."""
        indices = {
            version.index
            for path in paths
            for version in self.versions(path)
            if version.index <= index
        }
        return sorted(indices, reverse=True)

    def content(self, version: Version) -> bytes | None:
        """A version's bytes."""
        if version.blob is None:
            return None
        self._fetch([version])
        return self._contents[version.blob]

    def _fetch(self, versions: Iterable[Version]) -> None:
        missing = {
            version.blob for version in versions if version.blob is not None
        } - self._contents.keys()
        if missing:
            self._contents |= self._read_blobs(missing)

    def prefetch(self, versions: Iterable[Version | None]) -> None:
        """Read these versions at once, and forget those read before."""
        self._rounds.clear()
        wanted = {
            version.blob for version in versions if version is not None and version.blob is not None
        }
        known = {blob: self._contents[blob] for blob in wanted if blob in self._contents}
        self._contents = known | dict(self._read_blobs(wanted - known.keys()))

    def readable(self, path: str, parse: Callable[[bytes], T]) -> Iterator[tuple[Version, T]]:
        """A file's versions, parsed; those that were deletions, or could not be read at their time,
        are left out.
        """
        self._fetch(self.versions(path))
        for version in self.versions(path):
            raw = self.content(version)
            if raw is not None:
                with suppress(MalformedFile):
                    yield version, parse(raw)

    def written(self, path: str, entry: Callable[[bytes], object]) -> Version | None:
        """The version since which `entry` has read the same from the file as from its last version;
        None if the file isn't there.
        """
        versions = list(self.versions(path))
        self._fetch(versions)
        if not versions or (raw := self.content(versions[-1])) is None:
            return None
        wanted, first = entry(raw), versions[-1]
        for version in reversed(versions[:-1]):
            raw = self.content(version)
            if raw is None or entry(raw) != wanted:
                break
            first = version
        return first

    def by_person(self, path: str) -> list[Version]:
        """The versions of a file that people committed."""
        return [
            version for version in self.versions(path) if by_hand_alone(path) or version.by_person
        ]

    def is_typed(self, path: str) -> bool:
        """Whether a file is there and stands as a person committed it."""
        version = self.last(path)
        return version is not None and version.blob is not None and version.by_person

    # --- the files at a commit

    def read(self, path: str) -> bytes | None:
        return self.at(len(self.commits)).read(path)

    def at(self, index: int) -> Files:
        """The files as commit `index` left them."""
        return _Moment(self, index)

    @cached_property
    def paths(self) -> Mapping[str, str]:
        """The files at the head, with their blobs, in order of path."""
        last = {path: versions[-1].blob for path, versions in sorted(self._versions.items())}
        return {path: blob for path, blob in last.items() if blob is not None}

    def of_round(self, number: int) -> Sequence[str]:
        """A round's files at the head, in order of path."""
        return self._by_round.get(number, ())

    @cached_property
    def _by_round(self) -> Mapping[int, Sequence[str]]:
        by_round: dict[int, list[str]] = defaultdict(list)
        for path in self.paths:
            number = round_of(path)
            if number is not None:
                by_round[number].append(path)
        return by_round

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    # --- rounds

    def round(self, number: int, index: int | None = None) -> Round:
        """A round as commit `index` left it (None: the head, with the configuration it ended by);
        each is read once.
        """
        key = (number, index)
        if key not in self._rounds:
            at = len(self.commits) if index is None else index
            ended = self.end(number) if index is None else index
            config = self.last(CONFIG) if ended is None else self._config_at(ended)
            self._rounds[key] = Round(_Moment(self, at, config), number)
        return self._rounds[key]

    @cached_property
    def states(self) -> Sequence[tuple[Version, State]]:
        """The versions of `state.json` that could be read."""
        return list(self.readable(STATE, partial(State.parse, path=STATE)))

    def end(self, number: int) -> int | None:
        """The commit by which a round was left behind for good; None if it is under way, or to
        come.
        """

        def is_over(entry: tuple[Version, State]) -> bool:
            _, state = entry
            return state.current_round > number or (
                state.current_round == number and state.stage is Stage.FINISHED
            )

        over = list(takewhile(is_over, reversed(self.states)))
        return over[-1][0].index if over else None

    def opened(self, number: int) -> Version | None:
        """The commit by which a round left OPEN, the last time it did; None if it never has.

        A pause counts as the stage that it holds up.
        """
        opened: Version | None = None
        before = Stage.OPEN
        for version, state in self.states:
            if state.current_round != number:
                continue
            stage = (
                (state.interrupted_stage or before) if state.stage is Stage.PAUSED else state.stage
            )
            if before is Stage.OPEN and stage is not Stage.OPEN:
                opened = version
            before = stage
        return opened

    def is_past(self, number: int) -> bool:
        """Whether a round is behind the current one, or the competition is over."""
        return self.end(number) is not None

    @cached_property
    def _configs(self) -> Sequence[Version]:
        return [version for version, _ in self.readable(CONFIG, partial(Config.parse, path=CONFIG))]

    def _config_at(self, index: int) -> Version | None:
        """The configuration in force at a commit: the last that can be read, or the first if none
        could be yet.
        """
        at = bisect_right(self._configs, index, key=lambda version: version.index)
        return self._configs[max(0, at - 1)] if self._configs else self.last(CONFIG)


class _Moment:
    """The files at one commit of a history. `config`: another version of `config.json`."""

    def __init__(self, history: History, index: int, config: Version | None = None) -> None:
        self._history, self._index, self._config = history, index, config

    def read(self, path: str) -> bytes | None:
        if path == CONFIG and self._config is not None:
            return self._history.content(self._config)
        version = self._history.last(path, self._index)
        return self._history.content(version) if version else None
