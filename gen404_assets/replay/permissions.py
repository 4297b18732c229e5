"""Who may write what and when: the files that a platform's commit may touch, by its message, the
round under way, and the stage that writes them (`docs/specification/state-files.md`, Order of
writing).

A message is no proof. Whoever writes like the platform is held to what the platform may do.
"""

import re
from dataclasses import dataclass

from gen404_assets.competition.duels import report_name
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.round import LEADERS, STATE, round_of
from gen404_assets.competition.state import Stage

_AFTER_OPENING = frozenset(
    {Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS, Stage.FINALIZING}
)
_AUDITED = frozenset({Stage.DUELS, Stage.FINALIZING})
"""A regeneration that was under way when the round was decided is committed a little later."""

_STAGES: dict[str, frozenset[Stage]] = {
    "submissions.json": frozenset({Stage.OPEN}),
    "seed.json": frozenset({Stage.OPEN}),
    "prompts.txt": frozenset({Stage.OPEN}),
    "builds.json": _AFTER_OPENING,
    "leader/generated.json": _AFTER_OPENING,
    "leader/pod_stats.json": _AFTER_OPENING,
    "generated.json": _AUDITED,
    "pod_stats.json": _AUDITED,
    "submitted.json": frozenset({Stage.DOWNLOADING}),
    "duels": frozenset({Stage.DUELS}),
    "matches_matrix.csv": frozenset({Stage.DUELS}),
    "require_audit.json": frozenset({Stage.DUELS}),
    "generation_audits.json": _AUDITED,
    "winner.json": frozenset({Stage.OPEN, Stage.DUELS, Stage.FINALIZING}),
    "schedule.json": frozenset({Stage.FINALIZING}),
    LEADERS: frozenset({Stage.FINALIZING}),
    STATE: frozenset(Stage) - {Stage.FINISHED},
}
"""A file of a round (or of all) -> the stages in which the platform writes it."""

_KEYWORDS = {
    "build": ("builds.json",),
    "generated": ("generated.json", "pod_stats.json"),
    "pod stat": ("pod_stats.json",),
    "submitted": ("submitted.json",),
    "matrix": ("matches_matrix.csv", "require_audit.json"),  # what a match calls for comes with it
    "audit request": ("require_audit.json",),
    "generation audit": ("generation_audits.json",),
    "state": (STATE,),
    "schedule": ("schedule.json",),
    "leader": (LEADERS,),
    "winner": ("winner.json",),
    "seed": ("seed.json",),
    "prompts": ("prompts.txt",),
    "submissions": ("submissions.json",),
}
"""A word in "Update ... for round n" -> the files it stands for."""

_UPDATE = re.compile(r"Update (?P<what>.+) for round (?P<round>\d+)(, miner (?P<miner>\S+))?")
_REPORT = re.compile(r"Match report: (?P<left>\S+) vs (?P<right>\S+)")
_STAGE = re.compile(r"Round (?P<round>\d+): \w+")
_WINNER = re.compile(r"Round (?P<round>\d+) winner: \S+")
_OPENING = re.compile(r"Seed, prompts and submissions for round (?P<round>\d+)")


@dataclass(frozen=True, slots=True)
class Named:
    """Files that a line of a message names. `round`: None where it names none; `miner`: what the
    miner's hotkey begins with, None for a file that isn't a miner's.
    """

    files: tuple[str, ...]
    round: int | None = None
    miner: str | None = None

    def covers(self, path: str) -> bool:
        """Whether the path is among them."""
        number, miner, name = split(path)
        if name not in self.files:
            return False
        if path == name:
            return True
        if self.round is not None and number != self.round:
            return False
        return miner is None if self.miner is None else (miner or "").startswith(self.miner)


def named(message: str) -> list[Named]:
    """The files that a platform's message names, line by line."""
    all_named = []
    for line in message.splitlines():
        text = line.strip()
        if match := _UPDATE.fullmatch(text):
            what = match["what"]
            files = [file for word, files in _KEYWORDS.items() if word in what for file in files]
            all_named.append(Named(tuple(files), int(match["round"]), match["miner"]))
        elif match := _REPORT.fullmatch(text):
            all_named.append(Named((report_name(match["left"]),), None, short(match["right"])))
        elif match := _WINNER.fullmatch(text) or _STAGE.fullmatch(text):
            files = ["winner.json"] if " winner: " in text else [STATE]
            all_named.append(Named(tuple(files), int(match["round"])))
        elif match := _OPENING.fullmatch(text):
            # A round without miners has its winner at once.
            opened = ("submissions.json", "seed.json", "prompts.txt", "winner.json", STATE)
            all_named.append(Named(opened, int(match["round"])))
    return all_named


def split(path: str) -> tuple[int | None, str | None, str]:
    """(round, miner, file) of a path; None for what it has not."""
    number = round_of(path)
    if number is None:
        return None, None, path
    miner, _, name = path.removeprefix(f"rounds/{number}/").rpartition("/")
    return number, miner or None, name


def stages_of(path: str) -> frozenset[Stage]:
    """The stages in which the platform writes a file; none where it never does."""
    _, miner, name = split(path)
    if miner is not None and name.startswith("duels_"):
        return _STAGES["duels"]
    if miner == "leader":
        return _STAGES.get(f"leader/{name}", frozenset())
    return _STAGES.get(name, frozenset())


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the competition stands before a commit: the round under way and the stages it may be
    taken to be in (a pause counts as what it holds up).
    """

    round: int
    stages: frozenset[Stage]


def objection(path: str, message: str, moment: Moment) -> str:
    """Why the platform may not write this file now, under this message; empty where it may."""
    if not (allowed := stages_of(path)):
        return "the platform never writes this file"
    if not any(each.covers(path) for each in named(message)):
        return "the commit's message does not name this file"
    number, _, name = split(path)
    under_way = moment.round
    if number is not None:
        following = name == "schedule.json"
        if number != under_way + following:
            return f"round {under_way} was under way, not round {number - following}"
    if not allowed & moment.stages:
        now = ", ".join(sorted(moment.stages))
        return f"the platform does not write it in the stage {now}"
    return ""
