"""`matches_matrix.csv`: every match's margin, a row a match, in the order played."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from gen404_assets.competition.files import MalformedFile, decode_text

Pair = tuple[str, str]
"""(left, right): left defends, right challenges."""

HEADER = "left,right,margin"


@dataclass(frozen=True, slots=True)
class Match:
    """A played match; a positive margin is the challenger's (right)."""

    left: str
    right: str
    margin: float

    @property
    def pair(self) -> Pair:
        return self.left, self.right


@dataclass(frozen=True)
class Matrix:
    """The matches of a round in the order played; each pair meets once."""

    matches: Sequence[Match] = ()

    @cached_property
    def margins(self) -> Mapping[Pair, float]:
        return {match.pair: match.margin for match in self.matches}

    @classmethod
    def parse(cls, raw: bytes, path: str) -> "Matrix":
        """Read the CSV. Raises MalformedFile."""
        lines = decode_text(raw, path).splitlines()
        if not lines or lines[0].strip() != HEADER:
            raise MalformedFile(path, 1, f"the header must be {HEADER}")
        matches: list[Match] = []
        seen: set[Pair] = set()
        for number, line in enumerate(lines[1:], start=2):
            if not line.strip():
                continue
            match = _match(line, path, number)
            if match.pair in seen:
                raise MalformedFile(path, number, f"{match.left} and {match.right} have met above")
            seen.add(match.pair)
            matches.append(match)
        return cls(tuple(matches))

    def to_bytes(self, replacing: bytes | None = None) -> bytes:
        """The CSV, without a final newline; `replacing` itself if it says the same."""
        if replacing is not None and Matrix.parse(replacing, "the file replaced").matches == tuple(
            self.matches
        ):
            return replacing
        # `repr` gives the very float back when read.
        rows = [f"{match.left},{match.right},{match.margin!r}" for match in self.matches]
        return "\n".join([HEADER, *rows]).encode()

    def plus(self, match: Match) -> "Matrix":
        """The matrix with one more match played."""
        return Matrix((*self.matches, match))


@lru_cache(maxsize=4096)  # each version of a matrix holds the rows of the one before
def _match(line: str, path: str, number: int) -> Match:
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != 3 or not all(fields):
        raise MalformedFile(path, number, "a row is left,right,margin")
    try:
        margin = float(fields[2])
    except ValueError as error:
        raise MalformedFile(path, number, f"margin {fields[2]!r} is no number") from error
    if not math.isfinite(margin):
        raise MalformedFile(path, number, f"margin {fields[2]!r} is not finite")
    return Match(fields[0], fields[1], margin)
