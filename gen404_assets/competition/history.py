"""The repository's past: the versions of each file, and the files as they were at any commit."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import takewhile
from typing import NamedTuple, TypeVar, cast

from gen404_assets.competition.config import Config
from gen404_assets.competition.contents import ReadBlobs
from gen404_assets.competition.file_versions import FileVersions
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.round import CONFIG, STATE, Files, Parsed, Round
from gen404_assets.competition.state import Stage, State
from gen404_assets.competition.versions import Change, Commit, Version

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Derived:
    """What was derived of rounds up to commit `until`, but for the `stale` ones."""

    values: Mapping[tuple[int | None, str], object] = field(default_factory=dict)
    until: int = 0
    stale: Set[int | None] = frozenset()


class StateChange(NamedTuple):
    """A version of `state.json`, what it says, and what the one before says."""

    version: Version
    before: State | None
    after: State


class History(FileVersions):
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
        super().__init__(commits, changes, read_blobs, before)
        self._rounds: dict[tuple[int, int | None], Round] = {}
        self._parsed: Parsed = {}
        self._states_before = before._states_read if before else None
        self._places_before = before._places_read if before else None
        self._derived_before = before._derived_until(self.changed) if before else _Derived()

    def following(
        self, commits: Sequence[Commit], changes: Iterable[Change], read_blobs: ReadBlobs
    ) -> "History":
        """The history with commits that came after this one's head."""
        return History(commits, changes, read_blobs, self)

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
        # From the state before the new ones on: what changed lies between two.
        rounds = [state.current_round for _, state in self.states[max(0, at - 1) :]]
        moved = range(min(rounds), max(rounds) + 1) if at < len(self.states) else ()
        stale = {*before.stale, *moved}
        return {key: value for key, value in before.values.items() if key[0] not in stale}

    def _derived_until(self, changed: Set[int | None]) -> "_Derived":
        """What was derived of rounds up to now, when these have changed since."""
        # There the cached property keeps its value, once it was asked for.
        if "_derived" in self.__dict__:
            return _Derived(self._derived, len(self.commits), changed)
        before = self._derived_before
        return _Derived(before.values, before.until, before.stale | changed)

    # --- the files at a commit

    def read(self, path: str) -> bytes | None:
        return self.at(len(self.commits)).read(path)

    def at(self, index: int) -> Files:
        """The files as commit `index` left them."""
        return _Moment(self, index)

    def prefetch(self, versions: Iterable[Version | None]) -> None:
        """Read these versions at once, and forget those read before."""
        self._rounds.clear()
        self._parsed.clear()
        self.contents.keep_only(versions)

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
    def rounds_under_way(self) -> Set[int]:
        """The rounds that some version of `state.json` has said to be under way."""
        return self._places.keys()

    def states_of(self, number: int) -> list[StateChange]:
        """The versions of `state.json` that a round has a part in, since it was under way before
        or after.
        """
        states = self.states
        return [
            StateChange(states[at][0], states[at - 1][1] if at else None, states[at][1])
            for at in self._places.get(number, ())
        ]

    @cached_property
    def _places(self) -> Mapping[int, Sequence[int]]:
        """Round -> the places in `states` of those that `states_of` gives."""
        until, known = self._places_before or (0, {})
        places: dict[int, Sequence[int]] = dict(known)
        for at in range(until, len(self.states)):
            around = {state.current_round for _, state in self.states[max(0, at - 1) : at + 1]}
            for number in around:
                places[number] = [*places.get(number, ()), at]
        return places

    @property
    def _places_read(self) -> tuple[int, Mapping[int, Sequence[int]]] | None:
        """Up to which place of `states` they are sorted by round, and these; None if none are."""
        if "_places" in self.__dict__:
            return len(self.states), self._places
        return self._places_before

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
        for version, _, state in self.states_of(number):
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
