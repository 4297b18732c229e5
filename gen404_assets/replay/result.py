"""The result of a replay: what differs from the rules in each file, and people's changes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gen404_assets.competition.contents import LOST
from gen404_assets.competition.round import CONFIG, LEADERS, POOL

_PLAYED_BY = (CONFIG, LEADERS, POOL)
_MESSAGE = re.compile(r'"[^"]*"')
"""A commit's message inside an origin, which may say anything."""


class Finding(StrEnum):
    """`malformed`: the recorded file can't be read, so nothing can be compared."""

    IDENTICAL = "identical"
    DIFFERS = "differs"
    NOT_DERIVABLE = "not derivable"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry of a file that differs from what the rules give; `origin`: the commit that brought
    it, and what is known of the reason. `by_person`: that commit is a person's.
    """

    entry: str
    recorded: str
    derived: str
    origin: str = ""
    by_person: bool = False

    def __str__(self) -> str:
        origin = f" ({self.origin})" if self.origin else ""
        return f"{self.entry}: recorded {self.recorded}, derived {self.derived}{origin}"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a file as it was before a commit, and after it."""

    entry: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Act:
    """A commit's change of a file that is not the platform's ordinary work. `what`: written,
    changed, deleted.

    `late`: the file's round was over. `stray`: a path below `rounds/` that is no round's. `wrong`:
    why the platform, in whose name the commit was made, may not have made it. `effect`: what it may
    do, and decides something. `changes`: before and after; none where a file came or went.
    """

    path: str
    commit: str
    by_person: bool
    late: bool
    stray: bool
    what: str
    wrong: str = ""
    effect: str = ""
    changes: Sequence[Change] = ()


@dataclass(slots=True)
class FileReplay:
    """The result for one file. `reason`: why it can't be derived, or read. `by_person`: the commits
    in which people changed it.

    `from_answers`, `as_recorded`: the number of judged duels whose outcome was derived from the
    judge's answers, and the number of those whose answers were not kept. `score`: of a match
    report, where its duels come to the score that it states.
    """

    asset: str
    path: str
    finding: Finding
    differences: Sequence[Difference] = ()
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    by_person: list[str] = field(default_factory=list)
    from_answers: int = 0
    as_recorded: int = 0
    score: int | None = None

    @property
    def lacks_content(self) -> bool:
        """Whether it, or what it is derived from, has no content in this repository."""
        return any(LOST in text for text in (self.reason, *self.notes))

    @property
    def explained(self) -> bool:
        """Whether a person's commit is the origin of all that differs, or can't be read."""
        if self.finding is Finding.MALFORMED:
            return "written by a person" in _MESSAGE.sub("", self.reason)
        return bool(self.differences) and all(
            difference.by_person or "a person" in _MESSAGE.sub("", difference.origin)
            for difference in self.differences
        )


@dataclass(frozen=True, slots=True)
class RuleFit:
    """The version of a rule that explains most of a round's `files`, and for each version that was
    tried the number of files that it explains. `others`: the files that this version does not
    explain and another does, with that version.
    """

    rule: str
    fits: str
    explains: Mapping[str, int]
    files: int
    others: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class RoundReplay:
    """The result for a round, by an `edition` of the rules."""

    round: int
    files: list[FileReplay] = field(default_factory=list)
    versions: list[RuleFit] = field(default_factory=list)
    edition: str = "competition-1"
    acts: Sequence[Act] = ()
    decided: Sequence[str] = ()
    """What decided the round, line by line (`deciding`)."""

    @property
    def wrong(self) -> bool:
        """Whether something differs, or can't be read, that no named person's commit explains."""
        return any(
            file.finding in {Finding.DIFFERS, Finding.MALFORMED}
            and not file.explained
            and not file.lacks_content
            for file in self.files
        )

    @property
    def incomplete(self) -> bool:
        """Whether the content of a file is missing in this repository."""
        return any(file.lacks_content for file in self.files)

    @property
    def changed_by_people(self) -> bool:
        """Whether people's commits made something differ, changed the round after its end, or
        changed what it was played by or who leads.
        """
        return any(file.explained for file in self.files) or any(
            act.by_person and (act.late or act.stray or act.path in _PLAYED_BY) for act in self.acts
        )


def compared(
    asset: str, path: str, differences: Iterable[Difference], notes: Iterable[str] = ()
) -> FileReplay:
    """A file that was derived again."""
    shown = list(differences)
    finding = Finding.DIFFERS if shown else Finding.IDENTICAL
    return FileReplay(asset, path, finding, differences=shown, notes=list(notes))


def underivable(asset: str, path: str, reason: str, notes: Iterable[str] = ()) -> FileReplay:
    """The result for a file that can't be derived from others in the repository."""
    return FileReplay(asset, path, Finding.NOT_DERIVABLE, reason=reason, notes=list(notes))
