"""Who may write what and when: the files that a platform's commit may touch, by its message, the
round under way, and the stage that writes them (`docs/specification/state-files.md`, Order of
writing).

A message is no proof. Whoever writes like the platform is held to what the platform may do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gen404_assets.competition.catalogue import POD_STATS, REPLAYED, Asset
from gen404_assets.competition.duels import report_name
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.round import round_of
from gen404_assets.competition.state import Stage

_AFTER_OPENING = frozenset(
    {Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS, Stage.FINALIZING}
)
_AUDITED = frozenset({Stage.DUELS, Stage.FINALIZING})
"""A regeneration that was under way when the round was decided is committed a little later."""

_NOT_ITS_STAGE: Mapping[Asset, frozenset[Stage]] = {
    Asset.SCHEDULE: frozenset({Stage.FINALIZING}),
    Asset.BUILDS: _AFTER_OPENING,
    Asset.BASELINE: _AFTER_OPENING,
    Asset.REGENERATED: _AUDITED,
    Asset.AUDITS: _AUDITED,
    Asset.SOURCE_AUDITS: frozenset(),
    Asset.WINNER: frozenset({Stage.OPEN, Stage.DUELS, Stage.FINALIZING}),
    Asset.STATE: frozenset(Stage) - {Stage.FINISHED},
}
"""An asset -> the stages in which the platform writes it, where that isn't the one of its work."""


def _names(*assets: Asset) -> tuple[str, ...]:
    return tuple(name for asset in assets for name in asset.entry.names)


_OF_THE_LEADER = (Asset.BASELINE.entry.file, f"{LEADER}/{POD_STATS}")
_STAGES: Mapping[str, frozenset[Stage]] = {
    name: _NOT_ITS_STAGE.get(asset, frozenset({asset.entry.stage}))
    for asset in REPLAYED
    for name in (_OF_THE_LEADER if asset is Asset.BASELINE else _names(asset))
}
"""A file of a round (or of all) -> the stages in which the platform writes it."""

_KEYWORDS = {
    "build": _names(Asset.BUILDS),
    "generated": _names(Asset.REGENERATED),
    "pod stat": (POD_STATS,),
    "submitted": _names(Asset.RENDERS),
    # What a match calls for comes with it.
    "matrix": _names(Asset.MATCHES_MATRIX, Asset.AUDIT_REQUESTS),
    "audit request": _names(Asset.AUDIT_REQUESTS),
    "generation audit": _names(Asset.AUDITS),
    "state": _names(Asset.STATE),
    "schedule": _names(Asset.SCHEDULE),
    "leader": _names(Asset.LEADER),
    "winner": _names(Asset.WINNER),
    "seed": _names(Asset.SEED),
    "prompts": _names(Asset.PROMPTS),
    "submissions": _names(Asset.SUBMISSIONS),
}
"""A word in "Update ... for round n" -> the files it stands for."""

# A round without miners has its winner at once.
_OPENED = _names(Asset.SUBMISSIONS, Asset.SEED, Asset.PROMPTS, Asset.WINNER, Asset.STATE)
_REPORTS = Asset.DUELS.entry.name
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
            files = tuple(
                name for word, names in _KEYWORDS.items() if word in what for name in names
            )
            all_named.append(Named(files, int(match["round"]), match["miner"]))
        elif match := _REPORT.fullmatch(text):
            all_named.append(Named((report_name(match["left"]),), None, short(match["right"])))
        elif match := _WINNER.fullmatch(text) or _STAGE.fullmatch(text):
            files = _names(Asset.WINNER if " winner: " in text else Asset.STATE)
            all_named.append(Named(files, int(match["round"])))
        elif match := _OPENING.fullmatch(text):
            all_named.append(Named(_OPENED, int(match["round"])))
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
    if miner is not None and name.startswith(_REPORTS):
        return _STAGES[_REPORTS]
    if miner == LEADER:
        return _STAGES.get(f"{LEADER}/{name}", frozenset())
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
        following = name == Asset.SCHEDULE.entry.name
        if number != under_way + following:
            return f"round {under_way} was under way, not round {number - following}"
    if not allowed & moment.stages:
        now = ", ".join(sorted(moment.stages))
        return f"the platform does not write it in the stage {now}"
    return ""
