"""What a replay found: for each file whether it is what the rules give, and what a person
changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Finding(StrEnum):
    """`malformed`: the recorded file can't be read, so nothing can be compared."""

    IDENTICAL = "identical"
    DIFFERS = "differs"
    NOT_DERIVABLE = "not derivable"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry of a file that isn't what the rules give; `origin` says by which commits, and why,
    if that is known.
    """

    entry: str
    recorded: str
    derived: str
    origin: str = ""

    def __str__(self) -> str:
        origin = f" ({self.origin})" if self.origin else ""
        return f"{self.entry}: recorded {self.recorded}, derived {self.derived}{origin}"


@dataclass(slots=True)
class FileReplay:
    """One file compared. `reason`: why it can't be derived. `by_person`: the commits in which
    people changed it.

    `from_answers`, `as_recorded`: how many of its duels' outcomes follow from the judge's answers,
    and how many are taken as recorded, since its answers were not kept.
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

    @property
    def explained(self) -> bool:
        """Whether a person's commit is the origin of all that differs."""
        return bool(self.differences) and all(
            "a person" in difference.origin for difference in self.differences
        )


@dataclass(frozen=True, slots=True)
class RuleFit:
    """Which version of a rule explains a round best, and how many of the `files` each version tried
    explains.
    """

    rule: str
    fits: str
    explains: Mapping[str, int]
    files: int


@dataclass(slots=True)
class RoundReplay:
    """A round compared."""

    round: int
    files: list[FileReplay] = field(default_factory=list)
    versions: list[RuleFit] = field(default_factory=list)

    def of(self, asset: str) -> list[FileReplay]:
        """What was found on an asset's files."""
        return [found for found in self.files if found.asset == asset]

    @property
    def clean(self) -> bool:
        """Whether nothing differs."""
        return not any(
            found.finding in {Finding.DIFFERS, Finding.MALFORMED} for found in self.files
        )


def compared(
    asset: str, path: str, differences: Iterable[Difference], notes: Iterable[str] = ()
) -> FileReplay:
    """A file that was derived again."""
    found = list(differences)
    return FileReplay(
        asset,
        path,
        Finding.DIFFERS if found else Finding.IDENTICAL,
        differences=found,
        notes=list(notes),
    )


def underivable(asset: str, path: str, reason: str, notes: Iterable[str] = ()) -> FileReplay:
    """A file that is evidence: nothing else in the repository implies it."""
    return FileReplay(asset, path, Finding.NOT_DERIVABLE, reason=reason, notes=list(notes))
