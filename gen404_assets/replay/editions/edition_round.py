"""A round as the derivations of an edition see it: its files at any commit, read once each, when it
began and ended, and what people did in between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeVar, cast

from gen404_assets.competition.editions.rules import EditionRules
from gen404_assets.competition.files import StateFile
from gen404_assets.competition.history import History
from gen404_assets.competition.leader import Leader, Transition
from gen404_assets.competition.prompts import parse_prompts
from gen404_assets.competition.round import CONFIG, LEADERS, POOL, STATE, required, round_path
from gen404_assets.competition.versions import Version

F = TypeVar("F", bound=StateFile)
PROMPTS = "prompts.txt"


class StageOfRound(NamedTuple):
    """Which stage of which round."""

    round: int
    stage: str

    def __str__(self) -> str:
        return f"{self.stage} (round {self.round})"


class StageChange(NamedTuple):
    """A version of `state.json` that changed the round or the stage."""

    version: Version
    before: StageOfRound
    after: StageOfRound


@dataclass(eq=False)
class EditionRound:
    """Round `number` of a history by an edition's rules. `chosen`: rule -> the version in force.
    `until`: the commit as of which its files are read, None for the head.
    """

    history: History
    number: int
    rules: EditionRules
    chosen: Mapping[str, str] = field(default_factory=dict)
    until: int | None = None
    _parsed: dict[tuple[str, str], StateFile] = field(default_factory=dict)

    def under(self, rule: str, version: str) -> "EditionRound":
        """The same round by another version of a rule; what was read is shared."""
        return EditionRound(
            self.history,
            self.number,
            self.rules,
            {**self.chosen, rule: version},
            self.until,
            self._parsed,
        )

    def as_of(self, index: int) -> "EditionRound":
        """The same round by its files as commit `index` left them."""
        return EditionRound(self.history, self.number, self.rules, self.chosen, index, self._parsed)

    def path(self, name: str) -> str:
        return round_path(self.number, name)

    def has(self, name: str, number: int | None = None) -> bool:
        """Whether a file of the round (or of round `number`) is there at the head."""
        path = round_path(self.number if number is None else number, name)
        last = self.history.last(path, self.until)
        return last is not None and last.blob is not None

    def at(self, path: str, kind: type[F], index: int | None = None) -> F | None:
        """A file at a commit (None: as of `until`); None where there is none. Raises
        MalformedFile.
        """
        version = self.history.last(path, self.until if index is None else index)
        if version is None or version.blob is None:
            return None
        key = (path, version.blob)
        if key not in self._parsed:
            self._parsed[key] = kind.parse(self.history.contents.required(path, version), path)
        return cast("F", self._parsed[key])

    def file(self, name: str, kind: type[F], number: int | None = None) -> F | None:
        """A file of the round, or of round `number`."""
        return self.at(round_path(self.number if number is None else number, name), kind)

    def required(self, name: str, kind: type[F]) -> F:
        """A file of the round without which nothing follows. Raises MalformedFile."""
        return required(self.path(name), self.file(name, kind))

    def read(self, path: str) -> bytes | None:
        if self.until is None:
            return self.history.read(path)
        return self.history.at(self.until).read(path)

    def raw(self, path: str) -> bytes:
        return self.read(path) or b""

    def prompts(self, number: int | None = None) -> list[str] | None:
        """The prompts of the round, or of round `number`."""
        path = round_path(self.number if number is None else number, PROMPTS)
        raw = self.read(path)
        return None if raw is None else parse_prompts(raw, path)

    def pools(self, index: int) -> list[Version]:
        """The versions of the pool up to a commit, the latest first."""
        versions = self.history.versions(POOL)
        return [each for each in reversed(versions) if each.index <= index and each.blob]

    # --- when it was

    def states(self, kind: type[F]) -> Sequence[tuple[Version, Any]]:
        """The versions of `state.json` that could be read."""
        return list(self.history.readable(STATE, partial(kind.parse, path=STATE)))

    @cached_property
    def state_numbers(self) -> Sequence[tuple[Version, int, str]]:
        """The versions of the state, each with its round and stage. All rounds share it; the mirror
        asks each of them at every new head.
        """
        what = f"states of {self.rules.name}"
        return self.history.derived(None, what, self._read_numbers)

    def _read_numbers(self) -> Sequence[tuple[Version, int, str]]:
        kind = next(each.kind for each in self.rules.files if each.asset == "state")
        states = self.states(kind) if kind is not None else ()
        return [(version, state.current_round, state.stage) for version, state in states]

    @cached_property
    def began(self) -> int:
        """The commit with which the competition last came to this round from an earlier one, as
        from tests before the first; 0 where no commit says.
        """
        began, before = 0, -2
        for version, number, _ in self.state_numbers:
            if number == self.number and before < number:
                began = version.index if before > -2 else 0
            before = number
        return began

    @cached_property
    def first_began(self) -> int:
        """The commit with which the competition last came to its first round, before which people
        prepared it.
        """
        first = min((number for _, number, _ in self.state_numbers if number >= 0), default=0)
        return EditionRound(self.history, first, self.rules).began

    @cached_property
    def ended(self) -> int | None:
        """The commit by which the round was left behind for good; None if it is not over."""
        ended: int | None = None
        for version, number, stage in reversed(self.state_numbers):
            if number < self.number or (number == self.number and stage != "finished"):
                break
            ended = version.index
        return ended

    @property
    def is_current(self) -> bool:
        """Whether the competition stands at this round."""
        return bool(self.state_numbers) and self.state_numbers[-1][1] == self.number

    @property
    def is_newest(self) -> bool:
        """Whether the competition has come to no later round."""
        return self.number == max((number for _, number, _ in self.state_numbers), default=-1)

    @cached_property
    def stage_changes(self) -> list[StageChange]:
        """The changes of round or stage from the round's begin to its end."""
        return _stage_changes(self)

    def people(self, path: str) -> list[Version]:
        """The commits in which people changed a file since the round began; of a file that all
        rounds share, those made until it ended."""
        versions = [
            version
            for version in self.history.versions(path)
            if version.index >= self.began
            and (path.endswith(self.rules.by_hand) or self.rules.by_person(version.commit.message))
        ]
        if path in {LEADERS, STATE}:
            return [
                each
                for each in versions
                if each.index > self.began and (self.ended is None or each.index <= self.ended)
            ]
        return versions

    @cached_property
    def is_copy(self) -> bool:
        """Whether the round's files came all with one commit: a copy without the history between,
        in which a file that isn't there may only not have been copied.
        """
        schedule = self.path("schedule.json")
        return (
            len(
                {
                    version.index
                    for path in self.history.paths_of_round(self.number)
                    if path != schedule
                    for version in self.history.versions(path)
                }
            )
            == 1
        )

    def who(self, version: Version) -> str:
        return "a person" if self.rules.by_person(version.commit.message) else "the platform"

    # --- what rounds share

    def config(self, kind: type[F]) -> F:
        """The configuration by which the round ended: the last before that could be read."""
        read = [*self.history.readable(CONFIG, partial(kind.parse, path=CONFIG))]
        until = len(self.history.commits) if self.ended is None else self.ended
        then = [content for version, content in read if version.index <= until]
        known = then[-1:] or [content for _, content in read[:1]]
        return known[0] if known else required(CONFIG, self.at(CONFIG, kind))

    @cached_property
    def leaders(self) -> Leader:
        return required(LEADERS, self.at(LEADERS, Leader))

    def leader_at(self, block: int) -> Transition | None:
        """The leader that a round with this `latest_reveal_block` had to beat."""
        return self.leaders.at(block)


def _stage_changes(this_round: EditionRound) -> list[StageChange]:
    changes = []
    before: StageOfRound | None = None
    for version, number, stage in this_round.state_numbers:
        after = StageOfRound(number, stage)
        within = version.index >= this_round.began and (
            this_round.ended is None or version.index <= this_round.ended
        )
        if (
            before is not None
            and within
            and before != after
            and this_round.number in (before.round, number)
        ):
            changes.append(StageChange(version, before, after))
        before = after
    return changes
