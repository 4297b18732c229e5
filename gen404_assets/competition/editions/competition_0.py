"""Competition 0 (November and December 2025, Gaussian splats): its files and rules.

The operator's pods generated for every miner, so there are no CDNs and no audits. One match a
miner, in order of reveal, against whoever leads by then. Found by deriving its two public rounds.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import Field

from gen404_assets.competition.builds import Builds
from gen404_assets.competition.editions.facts import (
    LEFT,
    RIGHT,
    DuelFacts,
    MatchFacts,
    Participant,
    RoundFacts,
    RoundFiles,
)
from gen404_assets.competition.editions.rules import NO_VERSION, EditionFile, EditionRules
from gen404_assets.competition.files import MapFile, ObjectFile, Record
from gen404_assets.competition.hotkeys import LEADER, PATTERN
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.round import CONFIG, required
from gen404_assets.competition.seed import Seed

DEFENDS, LOSES = "leader_defends", "challenger_wins"
NO_PREVIEW = "Preview is missing"
LATE = "Generation time exceeded for "
LIMITS: Mapping[str, float] = {"35s": 35.0, NO_VERSION: float("inf")}
"""Version of the rule `overtime` -> seconds of a generation over which a duel is lost. No prompt is
forgiven. Round 0 was judged without a limit."""


class Config0(ObjectFile):
    """`config.json`; a round is a day, and miners have no time of their own to generate in."""

    name: str
    first_evaluation_date: date
    last_competition_date: date
    round_start_time: time
    finalization_buffer_hours: float = Field(ge=0, allow_inf_nan=False)
    win_margin: float = Field(ge=0, allow_inf_nan=False)
    weight_decay: float = Field(ge=0, allow_inf_nan=False)
    weight_floor: float = Field(ge=0, le=1, allow_inf_nan=False)
    prompts_per_round: int = Field(gt=0)
    carryover_prompts: int = Field(ge=0)
    round_duration_days: int = Field(default=1, gt=0)


class State0(ObjectFile):
    """`state.json`; round -1 stands for the time before the first."""

    current_round: int = Field(ge=-1)
    stage: str = Field(pattern="^(collecting|generating|duels|finalizing|finished|paused)$")


class Schedule0(ObjectFile):
    """The blocks between which, both included, commitments count."""

    earliest_reveal_block: int = Field(ge=0)
    latest_reveal_block: int = Field(ge=0)


class Submission0(Record):
    """A miner's published code."""

    repo: str
    commit: str
    round: str
    revealed_at_block: int


class Submissions0(MapFile[Submission0]):
    """hotkey -> submission, in order of reveal."""


class Generation(Record):
    """What the image made of one prompt: URLs or null, seconds, bytes."""

    ply: str | None
    png: str | None
    generation_time: float = Field(allow_inf_nan=False)
    size: int


class Generations(MapFile[Generation]):
    """prompt stem -> what was generated, in the order in which it was."""


class Outcome0(StrEnum):
    """Who won a duel."""

    LEADER = "leader"
    MINER = "miner"
    DRAW = "draw"
    SKIPPED = "skipped"


class Duel0(Record):
    """One prompt of a match."""

    name: str
    prompt: str
    leader_ply: str | None
    leader_png: str | None
    miner_ply: str | None
    miner_png: str | None
    winner: Outcome0
    issues: str


class Report0(ObjectFile):
    """A miner's only match, duels ordered by name; a positive score is the miner's."""

    leader: str
    hotkey: str
    score: int
    margin: float = Field(allow_inf_nan=False)
    outcome: str
    duels: list[Duel0]


class Progress(ObjectFile):
    """Who leads after the matches played, and who has played, in order."""

    leader: str
    completed_hotkeys: list[str]


@dataclass(frozen=True)
class Line0:
    """Who leads after each match: (leader before it, miner), and the leader in the end."""

    matches: Sequence[tuple[str, str]]
    leader: str


def line_of(order: Sequence[str], margins: Mapping[str, float], win_margin: float) -> Line0:
    """The matches as the rules pair them: each miner meets whoever leads. It ends at the first
    miner without a margin, whose match is then the last of `matches`.
    """
    leader = LEADER
    matches = []
    for hotkey in order:
        matches.append((leader, hotkey))
        margin = margins.get(hotkey)
        if margin is None:
            break
        if margin >= win_margin:
            leader = hotkey
    return Line0(matches, leader)


class Decision0(NamedTuple):
    """What came of a duel, and the text that goes with it."""

    outcome: Outcome0
    issues: str


def forced(leader: Generation | None, miner: Generation | None, limit: float) -> Decision0 | None:
    """The outcome and its text where no judge is asked; None where it is, or where the rules for
    the case are not known (no preview on either side).
    """
    shown = bool(leader and leader.png), bool(miner and miner.png)
    if shown == (False, False):
        return None
    if shown != (True, True):
        return Decision0(Outcome0.LEADER if shown[0] else Outcome0.MINER, NO_PREVIEW)
    late = [bool(side and side.generation_time > limit) for side in (leader, miner)]
    if all(late):
        return Decision0(Outcome0.DRAW, LATE + "both")
    if late[0]:
        return Decision0(Outcome0.MINER, LATE + "leader")
    return Decision0(Outcome0.LEADER, LATE + "challenger") if late[1] else None


def report_of(
    pair: tuple[str, str], duels: Sequence[Mapping[str, Any]], win_margin: float
) -> dict[str, Any]:
    """A report's keys and values from its duels."""
    outcomes = [duel["winner"] for duel in duels]
    score = outcomes.count(Outcome0.MINER) - outcomes.count(Outcome0.LEADER)
    margin = score / max(1, len(duels))
    return {
        "leader": pair[0],
        "hotkey": pair[1],
        "score": score,
        "margin": margin,
        "outcome": LOSES if margin >= win_margin else DEFENDS,
        "duels": list(duels),
    }


def facts(files: RoundFiles) -> RoundFacts:
    """A round as its files tell it. There is no qualification, and nobody is rejected."""
    config = required(CONFIG, files.at(CONFIG, Config0))
    submissions = files.file("submissions.json", Submissions0)
    order = submissions.names if submissions is not None else []
    by_hotkey = {hotkey: files.file(f"{hotkey}/duels.json", Report0) for hotkey in order}
    reports = {hotkey: report for hotkey, report in by_hotkey.items() if report is not None}
    builds = files.file("builds.json", Builds) or Builds({})
    progress, seed = files.file("judge_progress.json", Progress), files.file("seed.json", Seed)
    over = progress is not None and {*order} <= {*progress.completed_hotkeys}
    winner = progress.leader if progress is not None and over else None
    entry = submissions.get(winner) if submissions is not None and winner else None
    return RoundFacts(
        win_margin=config.win_margin,
        blocks=files.blocks(Schedule0),
        seed=seed.seed if seed else None,
        prompts=files.prompts,
        participants=[
            Participant(
                hotkey,
                each.repo,
                each.commit,
                each.revealed_at_block,
                build=str(build.status) if (build := builds.get(hotkey)) else None,
                margin=reports[hotkey].margin if hotkey in reports else None,
            )
            for hotkey, each in (submissions.items() if submissions is not None else ())
        ],
        matches=[_match_facts(report) for report in reports.values()],
        winner=winner,
        code=(entry.repo, entry.commit) if entry else None,
    )


def _match_facts(report: Report0) -> MatchFacts:
    side = {Outcome0.LEADER: LEFT, Outcome0.MINER: RIGHT}
    duels = [
        DuelFacts(duel.name, side.get(duel.winner, duel.winner.value), duel.prompt, duel.issues)
        for duel in report.duels
    ]
    return MatchFacts(report.leader, report.hotkey, report.margin, duels)


def _files() -> Iterator[EditionFile]:
    yield EditionFile("schedule", "schedule.json", r"schedule\.json", Schedule0, "collecting")
    yield EditionFile(
        "submissions", "submissions.json", r"submissions\.json", Submissions0, "collecting"
    )
    yield EditionFile(
        "seed", "seed.json", r"seed\.json", Seed, "generating", "it was drawn at random"
    )
    yield EditionFile("prompts", "prompts.txt", r"prompts\.txt", None, "generating")
    yield EditionFile("builds", "builds.json", r"builds\.json", Builds, "generating")
    yield EditionFile(
        "generations",
        "{hotkey}/generations.json",
        rf"({PATTERN}|{LEADER})/generations\.json",
        Generations,
        "generating",
        "what an image made on rented GPUs is evidence",
    )
    yield EditionFile(
        "duels",
        "{hotkey}/duels.json",
        rf"{PATTERN}/duels\.json",
        Report0,
        "duels",
        rule="overtime",
    )
    yield EditionFile(
        "judge_progress", "judge_progress.json", r"judge_progress\.json", Progress, "duels"
    )
    yield EditionFile("leader", "leader.json", "leader.json", Leader, "finalizing", shared=True)
    yield EditionFile("state", "state.json", "state.json", State0, "finalizing", shared=True)


COMPETITION_0 = EditionRules(
    name="competition-0",
    title="competition 0: Gaussian splats, generated by the operator",
    files=tuple(_files()),
    marks=re.compile(r"judge_progress\.json|[^/]+/(generations|duels)\.json"),
    platform=re.compile(
        r"Update .+ for round -?\d+(, miner \S+)?"
        r"|Match report: \S+ vs \S+"
        r"|Generate seed and pick prompts for round \d+"
        r"|Round: \d+\. Miner \S+ Progress update"
    ),
    by_hand=(),
    stages=("collecting", "generating", "duels", "finalizing"),
    facts=facts,
    versions={"overtime": tuple(LIMITS)},
    deps={
        "schedule": ["config"],
        "submissions": ["schedule"],
        "seed": ["schedule"],
        "prompts": ["seed", "prompt_pool", "config"],
        "builds": ["submissions"],
        "generations": ["builds", "prompts", "seed"],
        "duels": ["generations", "submissions", "config"],
        "judge_progress": ["duels"],
        "leader": ["judge_progress", "builds", "config"],
        "state": ["schedule", "prompts", "judge_progress", "leader"],
    },
)
