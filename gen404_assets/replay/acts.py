"""What was done to a round's files beside the platform's ordinary work: by whom, before and after,
and whether it was the platform's to do.

A commit whose message is not the platform's is a person's: people may commit anything, and are
named. A commit that looks like the platform's is held to `permissions` and `following`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from gen404_assets.competition.audits import AuditOutcome, GenerationAudits
from gen404_assets.competition.builds import Builds, BuildStatus
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.commits import by_hand_alone
from gen404_assets.competition.duels import report_name
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.matches import Matrix, Pair
from gen404_assets.competition.round import (
    AGAIN,
    POOL,
    SHARED,
    STATE,
    round_of,
    round_path,
)
from gen404_assets.competition.state import Stage, State
from gen404_assets.competition.versions import Version
from gen404_assets.replay.compare import changed_lines, changes
from gen404_assets.replay.following import does_not_follow, outputs_changed
from gen404_assets.replay.permissions import Moment, objection, split
from gen404_assets.replay.result import Act

_MATRIX, _AUDITS = Asset.MATCHES_MATRIX.entry.name, Asset.AUDITS.entry.name
_GENERATED, _REPORTS = Asset.REGENERATED.entry.name, Asset.DUELS.entry.name
_DECIDED_BY = {
    _MATRIX: (),
    _AUDITS: (),
    Asset.AUDIT_REQUESTS.entry.name: (_MATRIX,),
    Asset.WINNER.entry.name: (_MATRIX, _AUDITS, Asset.SOURCE_AUDITS.entry.name),
    _GENERATED: (AGAIN, _AUDITS, Asset.SEED.entry.name, Asset.PROMPTS.entry.name),
    Asset.RENDERS.entry.name: (AGAIN,),
}
"""A file -> those of the round that, changed by a person, have the platform make it anew."""


@lru_cache(maxsize=2)
def acts(history: History, number: int) -> tuple[Act, ...]:
    """What people did to the round's files and, while it was under way, to those that all rounds
    share; and what was done in the platform's name that is not the platform's to do. In order of
    commits.
    """
    paths = [*history.ever_in_round(number), *history.ever_in_round(None)]
    numbered = _numbered(history, number, paths)
    return tuple(act for _, act in sorted(numbered, key=lambda each: (each[0], each[1].path)))


def acts_on(history: History, number: int, paths: Iterable[str]) -> list[Act]:
    """The acts of a round on some files."""
    return [act for _, act in _numbered(history, number, paths)]


def _numbered(history: History, number: int, paths: Iterable[str]) -> Iterator[tuple[int, Act]]:
    """(commit, act) of a round on some files, path by path."""
    under_way = _under_way(history)
    for path in paths:
        of_round = round_of(path) == number
        for version in history.versions(path):
            if of_round or under_way[version.index] == number:
                act = act_of(history, path, version)
                if act is not None:
                    yield version.index, act


@lru_cache(maxsize=2)
def _under_way(history: History) -> Sequence[int]:
    """The round under way just before each commit."""
    return [moment(history, index).round for index in range(len(history.commits))]


def act_of(history: History, path: str, version: Version) -> Act | None:
    """The act that a version of a file is; None where it is the platform's ordinary work, or no
    concern of the competition's.
    """
    if round_of(path) is None and path not in SHARED and not path.startswith("rounds/"):
        return None
    at = moment(history, version.index)
    before = history.last(path, version.index - 1)
    late, stray = _is_late(path, at), path.startswith("rounds/") and round_of(path) is None
    by_person = version.by_person or by_hand_alone(path)
    wrong = effect = ""
    if by_person:
        if not late and not stray and _is_preparing(history, at.round, version):
            return None
    else:
        wrong = objection(path, version.commit.message, at)
        wrong = wrong or _contradiction(history, path, before, version)
        effect = "" if wrong or before is None else _effect(history, path, before, version)
        if not (wrong or effect):
            return None
    what = verb(before, version)
    act = Act(path, str(version), by_person, late, stray, what, wrong, effect)
    return with_changes(history, act, before, version) if by_person or wrong else act


def moment(history: History, index: int) -> Moment:
    """Where the competition stands just before a commit. A pause counts as the stage that it holds
    up, a state that can't be read as the one before.
    """
    at, states = history.state_before(index), history.states
    if at is None:
        first = states[0][1].current_round if states else 0
        # Before any state people set the competition up.
        return Moment(first, frozenset({Stage.OPEN}))
    state = states[at][1]
    stages = {state.stage}
    if state.stage is Stage.PAUSED:
        running = next((s.stage for _, s in reversed(states[:at]) if s.stage != state.stage), None)
        stages |= {stage for stage in (state.interrupted_stage, running) if stage is not None}
    return Moment(state.current_round, frozenset(stages))


def _is_late(path: str, at: Moment) -> bool:
    number = round_of(path)
    if number is None:
        return False
    return number < at.round or (number == at.round and Stage.FINISHED in at.stages)


def _is_preparing(history: History, number: int, version: Version) -> bool:
    """Whether the competition's first round has not opened yet, so that people prepare it."""
    if number != min(history.rounds_under_way, default=number):
        return False
    opened = history.opened(number)
    return opened is None or version.index < opened.index


def verb(before: Version | None, version: Version) -> str:
    """What a version did to its file, after the one before it."""
    if version.link:
        return "made a symbolic link"
    if version.blob is None:
        return "deleted"
    return "written" if before is None or before.blob is None else "changed"


def with_changes(history: History, act: Act, before: Version | None, version: Version) -> Act:
    """The act with what its file said before and after it."""
    old = history.content(before) if before is not None else None
    new = history.content(version)
    if old is None or new is None:
        return act
    pool = act.path == POOL
    return replace(act, changes=changed_lines(old, new) if pool else changes(old, new))


def _contradiction(history: History, path: str, before: Version | None, version: Version) -> str:
    """Why a version does not follow from the one before it; empty where it does, or where a person
    stepped in between.
    """
    if version.link:
        return "the platform makes no links"
    if before is None or history.contents.is_lost(before) or history.contents.is_lost(version):
        return ""
    _, miner, name = split(path)
    is_report = miner is not None and name.startswith(_REPORTS)
    if is_report and version.blob is not None and not _is_played(history, path, version.index):
        return ""
    reason = does_not_follow(path, history.content(before), history.content(version))
    if not reason and name == _GENERATED and _is_judged(history, path, version.index):
        reason = outputs_changed(history.content(before), history.content(version))
    if not reason or version.blob is None:
        return reason
    return "" if _stepped_in(history, path, before.index, version.index) else reason


def _is_played(history: History, path: str, index: int) -> bool:
    """Whether the match of a report stood in the matrix before commit `index`."""
    number, miner, name = split(path)
    return any(
        right == miner and report_name(left) == name
        for left, right in _margins(history, number or 0, index - 1)
    )


def _is_judged(history: History, path: str, index: int) -> bool:
    """Whether a verdict on these outputs stood before commit `index`."""
    number, miner, _ = split(path)
    audits = Asset.AUDITS.path(number or 0)
    try:
        raw = history.at(index - 1).read(audits)
        known = GenerationAudits.parse(raw, audits) if raw is not None else None
    except MalformedFile:
        return False
    audit = known.get(miner or "") if known is not None else None
    return audit is not None and audit.outcome is not AuditOutcome.PENDING


def _margins(history: History, number: int, index: int) -> Mapping[Pair, float]:
    path = Asset.MATCHES_MATRIX.path(number)
    try:
        raw = history.at(index).read(path)
        return Matrix.parse(raw, path).margins if raw is not None else {}
    except MalformedFile:
        return {}


def _stepped_in(history: History, path: str, since: int, until: int) -> bool:
    """Whether a person changed the file, what it is decided by, or the state, between two
    commits.
    """
    number, _, name = split(path)
    deciding = _DECIDED_BY.get(name, (_MATRIX,))
    paths = {path, STATE, *(round_path(number or 0, each) for each in deciding)}
    if name == _GENERATED:  # of what was submitted
        paths.add(path.replace(name, Asset.RENDERS.entry.name))
    return any(
        since <= version.index < until for each in paths for version in history.by_person(each)
    )


def _effect(history: History, path: str, before: Version, version: Version) -> str:
    """What the platform may do, and a reader of the round wants to know; empty for its ordinary
    work.
    """
    number, miner, name = split(path)
    raw = history.content(version)
    if raw is None or (old := history.content(before)) is None:
        return ""
    if name.startswith(_REPORTS) and miner is not None:
        return "the match was judged again"
    if name == STATE:
        return _only_estimated(old, raw)
    if name == Asset.BUILDS.entry.name:
        lost = _no_longer_built(old, raw)
        return f"builds that had succeeded did no longer: {', '.join(lost)}" if lost else ""
    if name == _GENERATED and miner == LEADER and number is not None:
        margins = _margins(history, number, version.index - 1)
        if any(left == LEADER for left, _ in margins):
            return "the leader's baseline changed after matches against it were played"
    return ""


def _only_estimated(old: bytes, new: bytes) -> str:
    try:
        before, after = State.parse(old, STATE), State.parse(new, STATE)
    except MalformedFile:
        return ""
    if (before.current_round, before.stage) != (after.current_round, after.stage):
        return ""
    return f"next_stage_eta {before.next_stage_eta} → {after.next_stage_eta}, in the same stage"


def _no_longer_built(old: bytes, new: bytes) -> list[str]:
    try:
        before, after = Builds.parse(old, ""), Builds.parse(new, "")
    except MalformedFile:
        return []
    return [
        hotkey
        for hotkey, build in before.items()
        if build.status is BuildStatus.SUCCESS
        and (now := after.get(hotkey)) is not None
        and (now.status, now.docker_image) != (build.status, build.docker_image)
    ]
