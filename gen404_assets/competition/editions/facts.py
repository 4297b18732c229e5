"""Who took part in a round and how it went by its files, in the same words for every edition, and
in the rows of the tables that `frames` has of competition 1.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gen404_assets.competition.files import ObjectFile, StateFile
from gen404_assets.competition.prompts import parse_prompts
from gen404_assets.competition.round import read_file, round_path

F = TypeVar("F", bound=StateFile)
Row = dict[str, Any]
LEFT, RIGHT, DRAW, SKIPPED = "left", "right", "draw", "skipped"


@dataclass(frozen=True)
class RoundFiles:
    """The files of one round. `names`: theirs below `rounds/{n}/`; `read`: by path."""

    number: int
    names: Sequence[str]
    read: Callable[[str], bytes | None]

    def file(self, name: str, kind: type[F]) -> F | None:
        """A file of the round; None where there is none. Raises MalformedFile."""
        return self.at(round_path(self.number, name), kind)

    def at(self, path: str, kind: type[F]) -> F | None:
        """A file by its path in the repository."""
        return read_file(self, path, kind)

    def blocks(self, kind: type[ObjectFile]) -> Mapping[str, int]:
        """The blocks that `schedule.json` names."""
        schedule = self.file("schedule.json", kind)
        return schedule.model_dump() if schedule is not None else {}

    @property
    def prompts(self) -> int | None:
        """How many prompts the round has; None while it has none."""
        path = round_path(self.number, "prompts.txt")
        raw = self.read(path)
        return None if raw is None else len(parse_prompts(raw, path))


@dataclass(frozen=True, slots=True)
class DuelFacts:
    """One prompt of a match. `winner`: left, right, draw or skipped."""

    name: str
    winner: str
    prompt: str | None = None
    issues: str | None = None


@dataclass(frozen=True, slots=True)
class MatchFacts:
    """A match; a positive margin is the right side's. `duels`: None without a report."""

    left: str
    right: str
    margin: float
    duels: Sequence[DuelFacts] | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """A submission. `margin`: of the match that decides whether it is in, None until it is played.
    `qualified`: None where the edition has no qualification.
    """

    hotkey: str
    repo: str
    commit: str
    revealed_at_block: int
    cdn_url: str | None = None
    build: str | None = None
    margin: float | None = None
    qualified: bool | None = None
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """A round by its files. `winner`: a hotkey, or `leader`; None while it is open.
    `code`: repository and commit of the winner, where they are known. `audits`: rows of the table
    of audits, without the round.
    """

    win_margin: float
    blocks: Mapping[str, int] = field(default_factory=dict)
    seed: int | None = None
    prompts: int | None = None
    participants: Sequence[Participant] = ()
    matches: Sequence[MatchFacts] = ()
    winner: str | None = None
    code: tuple[str, str] | None = None
    audits: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class RoundRows:
    """A round in the rows of each table."""

    round: Row
    submissions: Sequence[Row]
    matches: Sequence[Row]
    duels: Sequence[Row]
    audits: Sequence[Row]


def rows_of(number: int, facts: RoundFacts) -> RoundRows:
    """The facts of a round, in rows."""
    return RoundRows(
        _round_row(number, facts),
        list(_submission_rows(number, facts)),
        [_match_row(number, at, match) for at, match in enumerate(facts.matches)],
        [_duel_row(number, match, duel) for match in facts.matches for duel in match.duels or ()],
        [{"round": number} | row for row in facts.audits],
    )


def _round_row(number: int, facts: RoundFacts) -> Row:
    known = [each.qualified for each in facts.participants if each.qualified is not None]
    repo, commit = facts.code or (None, None)
    return {
        "round": number,
        "earliest_reveal_block": facts.blocks.get("earliest_reveal_block"),
        "latest_reveal_block": facts.blocks.get("latest_reveal_block"),
        "generation_deadline_block": facts.blocks.get("generation_deadline_block"),
        "seed": facts.seed,
        "prompts": facts.prompts,
        "submissions": len(facts.participants),
        "qualified": sum(known) if known else None,
        "matches": len(facts.matches),
        "winner": facts.winner,
        "winner_repo": repo,
        "winner_commit": commit,
    }


def _submission_rows(number: int, facts: RoundFacts) -> Iterator[Row]:
    for position, each in enumerate(facts.participants):
        yield {
            "round": number,
            "position": position,
            "hotkey": each.hotkey,
            "repo": each.repo,
            "commit": each.commit,
            "cdn_url": each.cdn_url,
            "revealed_at_block": each.revealed_at_block,
            "build": each.build,
            "complete": None,
            "bytes": None,
            "margin": each.margin,
            "qualified": each.qualified,
            "rejected": each.rejected,
            "won": None if facts.winner is None else facts.winner == each.hotkey,
        }


def _match_row(number: int, position: int, match: MatchFacts) -> Row:
    row: Row = {
        "round": number,
        "position": position,
        "left": match.left,
        "right": match.right,
        "margin": match.margin,
    }
    if match.duels is None:
        return row
    outcomes = Counter(duel.winner for duel in match.duels)
    return row | {
        "left_wins": outcomes[LEFT],
        "draws": outcomes[DRAW],
        "right_wins": outcomes[RIGHT],
        "skipped": outcomes[SKIPPED],
    }


def _duel_row(number: int, match: MatchFacts, duel: DuelFacts) -> Row:
    return {
        "round": number,
        "left": match.left,
        "right": match.right,
        "name": duel.name,
        "prompt": duel.prompt,
        "winner": duel.winner,
        "issues": duel.issues,
    }
