"""Competition 2 (since April 2026, three.js): its files and rules.

An audit is more matches: the image generates everything again, several times, and each time it must
not lose to what was submitted, and must win against the defender. Numbers in brackets are those of
the sections of the notes on its public rounds that the rules were read from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

from gen404_assets.competition.config import Config
from gen404_assets.competition.files import ListFile, MapFile, ObjectFile, Record
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.winner import Winner

SUBMITTED = "submitted"
TIME_LIMIT = 7200.0
"""Seconds that one generation of all prompts may take."""
FAILED_LIMIT = 12
"""Prompts that may fail in one generation of all."""
LONGEST_REASON = 64
"""Characters, as its platform cut them."""
BY_REPORT, BY_SOURCE = "generation report", "source audit"
"""How a verdict begins whose reason stands before any match."""


class Config2(Config):
    """`config.json`; `audit_repeats` is how often an audit generates everything again."""

    audit_repeats: int = Field(default=3, gt=0)


class Request(Record):
    """Who must be audited, and whom it has beaten, as of the last time that this changed."""

    hotkey: str
    latest_defender: str


class Requests(ListFile[Request]):
    """`require_audit.json`; entries are never removed."""


class Repeat(Record):
    """One generation of all prompts: counts, and seconds."""

    repeat_index: int = Field(ge=1)
    generated_prompts: int = Field(ge=0)
    failed_prompts: int = Field(ge=0)
    generation_time: float = Field(ge=0, allow_inf_nan=False)


class ReportOutcome(StrEnum):
    """How the repeated generation stands."""

    PENDING = "pending"
    COMPLETED = "completed"
    REJECTED = "rejected"


class GenerationReport(Record):
    """The repeats made of a miner's submission."""

    hotkey: str
    outcome: ReportOutcome
    repeats: list[Repeat]
    reason: str


class GenerationReports(MapFile[GenerationReport]):
    """hotkey -> report, in order of time."""


class Verdict2(StrEnum):
    """What came of an audit."""

    PASSED = "passed"
    FAILED = "failed"


class Audit(Record):
    """A verdict; `reason` is empty where it passed."""

    hotkey: str
    verdict: Verdict2
    reason: str


class Audits(MapFile[Audit]):
    """hotkey -> verdict, in order of time."""


class Winner2(Winner):
    """`winner.json`; later rounds name the hardware."""

    hardware: list[str] | None = None


class Outcome2(StrEnum):
    """Who won a duel."""

    LEFT = "left"
    RIGHT = "right"
    DRAW = "draw"
    SKIPPED = "skipped"


class Duel2(Record):
    """One prompt of a match; what was shown stands under further keys."""

    name: str
    winner: Outcome2


class Report2(ObjectFile):
    """A match; a positive score is the right side's."""

    left: str
    right: str
    score: int
    margin: float = Field(allow_inf_nan=False)
    duels: list[Duel2]


class Output2(Record):
    """What there is of one prompt: URLs or null."""

    js: str | None = None


class Outputs2(MapFile[Output2]):
    """prompt stem -> output."""


class PodStats2(MapFile[Record]):
    """pod id -> what it did."""


# --- matches and audits


def score_of(outcomes: Sequence[str]) -> int:
    """Wins of the right side minus wins of the left [4]."""
    return outcomes.count("right") - outcomes.count("left")


def margin_without_report(*, left: bool, right: bool) -> float | None:
    """The margin where a side has delivered nothing; None where both have [4]."""
    if left and right:
        return None
    return 0.0 if left == right else (-1.0 if left else 1.0)


def rejection(report: GenerationReport | None) -> str | None:
    """The reason by which a generation report rejects, as a verdict words it; None if it doesn't
    [6, 2a].
    """
    if report is None or report.outcome is not ReportOutcome.REJECTED:
        return None
    return worded(BY_REPORT, report.reason)


def worded(what: str, reason: str) -> str:
    """A reason of 64 characters at most, after what it is of [6]."""
    return f"{what}: {reason[:LONGEST_REASON]}" if reason else what


def late_reason(report: GenerationReport) -> str | None:
    """Why the rules reject a report for a repeat's time; None if all were in time [10]."""
    return next(
        (
            f"Repeat {repeat.repeat_index}: time ({repeat.generation_time:.1f}s) exceeds limit "
            f"({TIME_LIMIT:.1f}s)"
            for repeat in report.repeats
            if repeat.generation_time > TIME_LIMIT
        ),
        None,
    )


def outcome_of(report: GenerationReport, repeats: int) -> ReportOutcome:
    """What a report's repeats come to, if an image was built and deployed [10]."""
    failed = any(repeat.failed_prompts > FAILED_LIMIT for repeat in report.repeats)
    if failed or late_reason(report):
        return ReportOutcome.REJECTED
    made = {repeat.repeat_index for repeat in report.repeats}
    complete = made >= set(range(1, repeats + 1))
    return ReportOutcome.COMPLETED if complete else ReportOutcome.PENDING


# --- the timeline


class Place(StrEnum):
    """How a submission stands in the round."""

    OUT = "not qualified"
    REJECTED = "rejected"
    PENDING = "pending"
    LOST = "lost"
    WON = "won"


@dataclass(frozen=True)
class Standing:
    """A submission's place; `defender` is whom it met, `reason` why it was rejected. `verified`:
    whether a win rests on audits that have all passed.
    """

    place: Place
    defender: str = LEADER
    reason: str = ""
    verified: bool = False


@dataclass(frozen=True)
class Findings:
    """What a round's timeline rests on: the margins of matches and of audits' matches, why
    generation reports and source audits reject, and who passed the source audit.
    """

    margins: Mapping[Pair, float]
    audits: Mapping[Pair, float]
    rejected: Mapping[str, str]
    source_passed: frozenset[str]


def timeline(
    order: Sequence[str], findings: Findings, win_margin: float, repeats: int
) -> Mapping[str, Standing]:
    """Every submission's place, in one pass in order of reveal [6]."""
    defender, verified = LEADER, True
    standings: dict[str, Standing] = {}
    for hotkey in order:
        qualifying = findings.margins.get((LEADER, hotkey))
        if qualifying is None or qualifying < win_margin:
            standings[hotkey] = Standing(Place.OUT)
            continue
        judged = _Audited(hotkey, defender, findings, win_margin, range(1, repeats + 1))
        reason = judged.rejection(defender_verified=verified)
        margin = findings.margins.get((defender, hotkey))
        if reason:
            standings[hotkey] = Standing(Place.REJECTED, defender, reason)
        elif margin is None:
            standings[hotkey] = Standing(Place.PENDING, defender)
        elif margin < win_margin:
            standings[hotkey] = Standing(Place.LOST, defender)
        else:
            verified = verified and judged.passed()
            standings[hotkey] = Standing(Place.WON, defender, verified=verified)
            defender = hotkey
    return standings


@dataclass(frozen=True)
class _Audited:
    """A qualified submission that challenges `defender`, with what its audit has come to."""

    hotkey: str
    defender: str
    findings: Findings
    win_margin: float
    repeats: Sequence[int]

    def _margin(self, left: str, repeat: int) -> float | None:
        return self.findings.audits.get((f"{left}_{repeat}", self.hotkey))

    def rejection(self, *, defender_verified: bool) -> str:
        """Why it is rejected; empty if it isn't [6, 2a to 2d]."""
        if reason := self.findings.rejected.get(self.hotkey):
            return reason
        for repeat in self.repeats:
            margin = self._margin(SUBMITTED, repeat)
            if margin is not None and margin < -self.win_margin:
                return f"submitted vs generated #{repeat}: {margin:+.2%}"
        for repeat in self.repeats if defender_verified else ():
            margin = self._margin(self.defender, repeat)
            if margin is not None and margin < self.win_margin:
                return f"{short(self.defender)} vs generated #{repeat}: {margin:+.2%}"
        return ""

    def passed(self) -> bool:
        """Whether the source audit and every repeat have passed [6, 5]."""
        lowest = {SUBMITTED: -self.win_margin, self.defender: self.win_margin}
        return self.hotkey in self.findings.source_passed and all(
            (margin := self._margin(left, repeat)) is not None and margin >= least
            for left, least in lowest.items()
            for repeat in self.repeats
        )


def winner_of(standings: Mapping[str, Standing]) -> str | None:
    """Who has won; None while a match or an audit is open [7]."""
    won = [hotkey for hotkey, each in standings.items() if each.place is Place.WON]
    open_still = any(each.place is Place.PENDING for each in standings.values())
    if open_still or any(not standings[hotkey].verified for hotkey in won):
        return None
    return won[-1] if won else LEADER
