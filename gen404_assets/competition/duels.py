"""`duels_*.json`: a match, duel by duel. The outcomes that the rules decide without the judge, and
those that follow from its answers.
"""

from collections.abc import Mapping, Sequence, Set
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import Field

from gen404_assets.competition.evidence import Evidence
from gen404_assets.competition.files import ObjectFile, Record
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.judgement import Answer
from gen404_assets.competition.margins import middle
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.outputs import Output, Outputs, Urls
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.settings import Rules

DRAW_WITHIN = 1.0
"""Points of penalty, of the mean of both orders (`rules.md`, Judge)."""
NO_OUTPUT_MARGIN = 100.0
"""Far beyond what can be played: that is at most 1."""
NOT_JUDGED = "Internal error"
"""The text of draws in older reports that no judge decided (`rules.md`, Judge, No answer)."""
NO_USABLE_ANSWER = "The judge gave no usable answer"
"""The text of a draw after five unusable answers (`rules.md`, Judge, Attempts)."""


class Outcome(StrEnum):
    """Who won a duel. `skipped` counts for neither side: the prompt's picture is missing. Older
    reports skip duels also for reasons that are not recorded."""

    LEFT = "left"
    RIGHT = "right"
    DRAW = "draw"
    SKIPPED = "skipped"


class Decision(NamedTuple):
    """What came of a duel: an `Outcome`, and the text that goes with it (`issues`).

    Where a replay finds that nothing has decided the duel, `outcome` says why.
    """

    outcome: str
    issues: str


class Duel(Record):
    """One prompt of a match. The pictures and 3D files are named by URL; `issues` is the judge's
    text.

    `evidence` is there where the judge decided (not in old reports).
    """

    name: str
    prompt: str
    left_glb: str | None = None
    left_ply: str | None = None
    left_png: str | None
    right_glb: str | None = None
    right_ply: str | None = None
    right_png: str | None
    winner: Outcome
    issues: str
    evidence: Evidence | None = None


class Clinched(Record):
    """Why a match could stop before its last duel (`rules.md`, Clinched matches).

    `played` of `prompts` duels were played; `least` to `most` are the scores still possible.
    """

    played: int
    prompts: int
    least: int
    most: int


class Play(Record):
    """A match as played once; a positive score is the right side's. See `margins` for a clinched
    one's score.
    """

    score: int
    margin: float = Field(allow_inf_nan=False)
    duels: list[Duel]
    clinched: Clinched | None = None


class MatchReport(ObjectFile):
    """A match on every prompt of the round, its duels ordered by name; a positive score is the
    right side's.

    A close match is played three times: this is the play that counts, `others` are the other two.
    """

    left: str
    right: str
    score: int
    margin: float = Field(allow_inf_nan=False)
    duels: list[Duel]
    clinched: Clinched | None = None
    others: list[Play] | None = None


def report_name(defender: str) -> str:
    """The report's file name in the challenger's folder."""
    return f"duels_{short(defender)}.json"


def judged_outcome(first: Answer, swapped: Answer) -> Outcome:
    """The outcome of two answers, the second to the question with the sides swapped.

    `rules.md`, Duels: a side's penalty is its mean; a difference of at most 1 is a draw.
    """
    defender = (first.penalty_1 + swapped.penalty_2) / 2
    challenger = (first.penalty_2 + swapped.penalty_1) / 2
    if abs(defender - challenger) <= DRAW_WITHIN:
        return Outcome.DRAW
    return Outcome.LEFT if defender < challenger else Outcome.RIGHT


def duel_decision(evidence: Evidence) -> Decision:
    """The outcome and its text that the judge's answers give.

    `rules.md`, Duels: five unusable answers in either order are a draw. Raises NotJudged where
    these are not the attempts that the rules allow.
    """
    judged = evidence.judged()
    if judged is None:
        return Decision(Outcome.DRAW, NO_USABLE_ANSWER)
    first, swapped = judged
    return Decision(judged_outcome(first, swapped), first.issues)


def without_usable_answer(duels: Sequence[Duel]) -> int:
    """How many duels are draws because the judge gave no usable answer."""
    return sum(duel.evidence is not None and duel.issues == NO_USABLE_ANSWER for duel in duels)


def overtime(
    outputs: Outputs, prompts: Sequence[str], rules: Rules, missing: Set[str] = frozenset()
) -> frozenset[str]:
    """The stems that lose for their time (`rules.md`, Duels, Overtime), those of prompts without a
    picture not counted.

    Of those over `max_generation_time`, the first in the order of the prompts are forgiven.
    """
    limit = rules.max_generation_time
    if outputs.slowest <= limit:
        return frozenset()
    counted = outputs.without(missing).root.items()
    over = {name for name, output in counted if output.generation_time > limit}
    slow = [name for name in map(stem, prompts) if name in over]
    # `int` rounds down: a part of a prompt forgives none.
    return frozenset(slow[int(len(prompts) * rules.overtime_tolerance_ratio) :])


def forced_decision(
    name: str,
    defender: Output | None,
    challenger: Output | None,
    *,
    defender_late: bool,
    challenger_late: bool,
) -> Decision | None:
    """The outcome and its text where the rules decide (`rules.md`, Duels, 2 and 3); None where
    the judge does. `defender_late`, `challenger_late`: whether that side's output is in overtime.
    """
    defender_shown = bool(defender and defender.png)
    challenger_shown = bool(challenger and challenger.png)
    if not defender_shown and not challenger_shown:
        return Decision(Outcome.DRAW, f"No previews for {name}")
    if not defender_shown:
        return Decision(Outcome.RIGHT, f"No preview for {name} from left")
    if not challenger_shown:
        return Decision(Outcome.LEFT, f"No preview for {name} from right")
    if defender_late and challenger_late:
        return Decision(Outcome.DRAW, f"Both generations of {name} took too long")
    if defender_late:
        return Decision(Outcome.RIGHT, f"Generation of {name} from left took too long")
    if challenger_late:
        return Decision(Outcome.LEFT, f"Generation of {name} from right took too long")
    return None


def without_judge(
    prompts: Sequence[str], defender: Outputs, challenger: Outputs, missing: Set[str], rules: Rules
) -> Mapping[str, Decision | None]:
    """Prompt stem -> the duel's outcome and text where the rules decide, None where the judge does.

    `missing`: the stems of the prompts without a picture. Their duels are skipped, whatever the
    sides have, and their times use up none of the forgiven overtime (`rules.md`, OPEN).
    """
    defender_late, challenger_late = (
        overtime(side, prompts, rules, missing) for side in (defender, challenger)
    )
    judged = (defender.shown & challenger.shown) - defender_late - challenger_late - missing
    decisions: dict[str, Decision | None] = dict.fromkeys(map(stem, prompts))
    for name in decisions.keys() - judged:
        if name in missing:
            text = f"The picture of prompt {name} could not be had"
            decisions[name] = Decision(Outcome.SKIPPED, text)
        else:
            decisions[name] = forced_decision(
                name,
                defender.root.get(name),
                challenger.root.get(name),
                defender_late=name in defender_late,
                challenger_late=name in challenger_late,
            )
    return decisions


def has_output(outputs: Outputs | None, missing: Set[str]) -> bool:
    """Whether a side has any output, those for prompts without a picture not counted."""
    if outputs is None or not missing:
        return outputs is not None and outputs.has_any
    return any(any(urls) for name, urls in outputs.urls.items() if name not in missing)


def duel_entry(
    prompt: str, defender: Urls, challenger: Urls, decision: Decision, output_format: str
) -> dict[str, Any]:
    """A `Duel`'s keys and values, in the format's order."""
    defender_file, defender_png = defender
    challenger_file, challenger_png = challenger
    outcome, issues = decision
    return {
        "name": stem(prompt),
        "prompt": prompt,
        f"left_{output_format}": defender_file,
        "left_png": defender_png,
        f"right_{output_format}": challenger_file,
        "right_png": challenger_png,
        "winner": outcome,
        "issues": issues,
    }


def play_entry(
    duels: Sequence[Mapping[str, Any]], prompts: int, clinched_at: int | None = None
) -> dict[str, Any]:
    """A `Play`'s keys and values, in the format's order, from the entries of its duels in any
    order.

    `prompts`: how many the round has; `clinched_at`: the score where the match stopped before its
    end.
    """
    score = match_score([duel["winner"] for duel in duels])
    counted = score if clinched_at is None else clinched_at
    ordered = sorted(duels, key=lambda duel: str(duel["name"]))
    entry = {"score": counted, "margin": counted / prompts, "duels": ordered}
    if clinched_at is None:
        return entry
    open_duels = prompts - len(duels)
    bounds = {"least": score - open_duels, "most": score + open_duels}
    return entry | {"clinched": {"played": len(duels), "prompts": prompts} | bounds}


def report_of(defender: str, challenger: str, plays: Sequence[Play]) -> MatchReport:
    """The report of a match played once, or three times in this order."""
    entries = [play.model_dump(exclude_unset=True) for play in plays]
    return MatchReport.model_validate(report_entry((defender, challenger), entries))


def report_entry(pair: Pair, plays: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A `MatchReport`'s keys and values from the entries of its plays, one or three, in their
    order.
    """
    counted = middle([play["score"] for play in plays])
    others = [play for number, play in enumerate(plays) if number != counted]
    entry = {"left": pair[0], "right": pair[1]} | dict(plays[counted])
    return entry | ({"others": others} if others else {})


def judged_duels(duels: Sequence[Duel]) -> int:
    """How many duels the judge decided.

    Older reports hold no evidence. There, those count in which both sides have a preview.
    """
    with_evidence = sum(duel.evidence is not None for duel in duels)
    played = [duel for duel in duels if duel.winner is not Outcome.SKIPPED]
    with_previews = sum(duel.left_png is not None and duel.right_png is not None for duel in played)
    return with_evidence or with_previews


def match_score(outcomes: Sequence[str]) -> int:
    """The challenger's wins minus the defender's; what is no outcome counts for neither."""
    return outcomes.count(Outcome.RIGHT) - outcomes.count(Outcome.LEFT)


def margin_without_report(defender: bool, challenger: bool) -> float | None:
    """The margin of a match in which a side has no output (`rules.md`, Duels, Match); None if both
    have some. `defender`, `challenger`: whether that side has any output.
    """
    if defender and challenger:
        return None
    if defender == challenger:
        return 0.0
    return -NO_OUTPUT_MARGIN if defender else NO_OUTPUT_MARGIN
