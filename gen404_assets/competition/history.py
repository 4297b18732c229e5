"""The repository's past: the versions of each file, and the files as they were at any commit."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import takewhile
from typing import TypeVar, cast

from gen404_assets.competition.commits import by_hand_alone
from gen404_assets.competition.config import Config
from gen404_assets.competition.contents import Contents, ReadBlobs
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.round import CONFIG, STATE, Files, Parsed, Round, round_of
from gen404_assets.competition.state import Stage, State
from gen404_assets.competition.versions import Change, Commit, Version, cite

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Derived:
    """What was derived of rounds up to commit `until`, but for the `stale` ones."""

    values: Mapping[tuple[int | None, str], object] = field(default_factory=dict)
    until: int = 0
    stale: Set[int | None] = frozenset()


class History:
    """All versions of all files up to the head, oldest first; reads as the files at the head.

    It never changes. `following` gives the next head's, which shares with it what is the same: the
    rounds of which no file changed. So a new head costs what changed, however long the history.
    """

    def __init__(
        self,
        commits: Sequence[Commit],
        changes: Iterable[Change],
        read_blobs: ReadBlobs,
        before: "History | None" = None,
    ) -> None:
        """`before`: the history that `commits` and `changes` come after."""
        known = before.commits if before else ()
        self.commits: Sequence[Commit] = [*known, *commits]
        self.contents = Contents(read_blobs)
        self._by_round: dict[int | None, dict[str, list[Version]]] = (
            dict(before._by_round) if before else {}
        )
        self._rounds: dict[tuple[int, int | None], Round] = {}
        self._parsed: Parsed = {}
        index = {commit.sha: at for at, commit in enumerate(commits, len(known))}
        changed = self._add(changes, index)
        self._states_before = before._states_read if before else None
        self._derived_before = before._derived_until(changed) if before else _Derived()

    def following(
        self, commits: Sequence[Commit], changes: Iterable[Change], read_blobs: ReadBlobs
    ) -> "History":
        """The history with commits that came after this one's head."""
        return History(commits, changes, read_blobs, self)

    def _add(self, changes: Iterable[Change], index: Mapping[str, int]) -> Set[int | None]:
        """Add versions; what is shared with the history before is copied first. The rounds that
        have new ones, None for the files that all share.
        """
        own: dict[int | None, set[str]] = {}
        for change in changes:
            number = round_of(change.path)
            if number not in own:
                own[number] = set()
                self._by_round[number] = dict(self._by_round.get(number, {}))
            files = self._by_round[number]
            if change.path not in own[number]:
                own[number].add(change.path)
                files[change.path] = [*files.get(change.path, ())]
            at = index[change.commit.sha]
            version = Version(at, change.commit, change.blob, change.link)
            files[change.path].append(version)
        return own.keys()

    # --- what was derived of rounds

    def derived(self, number: int | None, what: str, derive: Callable[[], T]) -> T:
        """What `derive` gives of a round at the head (None: of the files that all rounds share):
        derived once, and kept in the histories that follow for as long as nothing of it changes.

        It may depend on the round's files, on `state.json`, and on what `leader.json` was when the
        round changed its stage.
        """
        if (number, what) not in self._derived:
            self._derived[number, what] = derive()
        return cast("T", self._derived[number, what])

    @cached_property
    def _derived(self) -> dict[tuple[int | None, str], object]:
        """What was derived before and still holds, and what is derived now."""
        before = self._derived_before
        at = bisect_left(self.states, before.until, key=lambda entry: entry[0].index)
        rounds = [state.current_round for _, state in self.states[max(0, at - 1) :]]
        moved = range(min(rounds), max(rounds) + 1) if at < len(self.states) else ()
        stale = {*before.stale, *moved}
        return {key: value for key, value in before.values.items() if key[0] not in stale}

    def _derived_until(self, changed: Set[int | None]) -> "_Derived":
        """What was derived of rounds up to now, when these have changed since."""
        if "_derived" in self.__dict__:
            return _Derived(self._derived, len(self.commits), changed)
        before = self._derived_before
        return _Derived(before.values, before.until, before.stale | changed)

    # --- the versions of files

    def versions(self, path: str) -> Sequence[Version]:
        """A file's versions, oldest first; empty if it never was."""
        return self._by_round.get(round_of(path), {}).get(path, ())

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
        """See Contents.get."""
        return self.contents.get(version)

    def lost(self, paths: Iterable[str]) -> list[tuple[str, Version]]:
        """The versions of these files that were asked for and have no content here."""
        return [
            (path, version)
            for path in paths
            for version in self.contents.known_as_lost(self.versions(path))
        ]

    def prefetch(self, versions: Iterable[Version | None]) -> None:
        """Read these versions at once, and forget those read before."""
        self._rounds.clear()
        self._parsed.clear()
        self.contents.keep_only(versions)

    def readable(
        self, path: str, parse: Callable[[bytes], T], since: int = 0
    ) -> Iterator[tuple[Version, T]]:
        """A file's versions from commit `since` on, parsed; those that were deletions, or could not
        be read at their time, are left out.
        """
        versions = self.versions(path)
        versions = versions[bisect_left(versions, since, key=lambda version: version.index) :]
        self.contents.fetch(versions)
        for version in versions:
            raw = self.content(version)
            if raw is not None:
                with suppress(MalformedFile):
                    yield version, parse(raw)

    def written(self, path: str, entry: Callable[[bytes], object]) -> Version | None:
        """The version since which `entry` has read the same from the file as from its last version;
        None if the file isn't there.
        """
        versions = list(self.versions(path))
        self.contents.fetch(versions)
        if not versions or (raw := self.content(versions[-1])) is None:
            return None
        wanted, first = entry(raw), versions[-1]
        for version in reversed(versions[:-1]):
            raw = self.content(version)
            if raw is None or entry(raw) != wanted:
                break
            first = version
        return first

    def ever_in_round(self, number: int | None) -> Sequence[str]:
        """The files that a round has or had, in order of path; None: those that belong to none."""
        return sorted(self._by_round.get(number, ()))

    def cite(self, index: int) -> str:
        """A commit as a person would name it."""
        return cite(self.commits[index])

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
        everything = (entry for files in self._by_round.values() for entry in files.items())
        last = {path: versions[-1].blob for path, versions in sorted(everything)}
        return {path: blob for path, blob in last.items() if blob is not None}

    @cached_property
    def round_numbers(self) -> Sequence[int]:
        """The rounds that have files at the head, in order."""
        return sorted(
            number
            for number, files in self._by_round.items()
            if number is not None
            and any(versions[-1].blob is not None for versions in files.values())
        )

    @property
    def rounds_ever(self) -> Sequence[int]:
        """The rounds that have or had files, in order."""
        return sorted(number for number in self._by_round if number is not None)

    def of_round(self, number: int) -> Sequence[str]:
        """A round's files at the head, in order of path."""
        files = self._by_round.get(number, {})
        return sorted(path for path, versions in files.items() if versions[-1].blob is not None)

    def paths_of_round(self, number: int) -> Sequence[str]:
        """The files that a round has or has had."""
        return list(self._by_round.get(number, {}))

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
            self._rounds[key] = Round(_Moment(self, at, config), number, self._parsed)
        return self._rounds[key]

    @cached_property
    def states(self) -> Sequence[tuple[Version, State]]:
        """The versions of `state.json` that could be read."""
        read = partial(State.parse, path=STATE)
        if self._states_before is None:
            return list(self.readable(STATE, read))
        since, known = self._states_before
        return [*known, *self.readable(STATE, read, since)]

    def state_before(self, index: int) -> int | None:
        """The place in `states` of the one that stands before commit `index`; None: none does."""
        at = bisect_left(self.states, index, key=lambda entry: entry[0].index)
        return at - 1 if at else None

    @property
    def _states_read(self) -> tuple[int, Sequence[tuple[Version, State]]] | None:
        """Up to which commit states have been read, and those; None if none have."""
        if "states" in self.__dict__:
            return len(self.commits), self.states
        return self._states_before

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
            return self._content(path, self._config)
        version = self._history.last(path, self._index)
        if version is not None and version.link:
            raise MalformedFile(path, 1, "a symbolic link, where a file must be")
        return self._content(path, version) if version else None

    def _content(self, path: str, version: Version) -> bytes | None:
        return None if version.blob is None else self._history.contents.required(path, version)
