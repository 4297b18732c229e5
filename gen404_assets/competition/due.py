"""The stage machine: what is due, and what is waited for, by the repository's files and the chain's
block.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gen404_assets.competition.audits import AuditOutcome, verdicts
from gen404_assets.competition.builds import BuildStatus
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.round import (
    STATE,
    Files,
    Round,
    is_in,
    read_file,
    require_files,
    required,
)
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.state import Stage, State
from gen404_assets.competition.timeline import Verdicts

ATTEMPTS = 3
"""How often a prompt is generated at most (`interfaces.md`, Pods)."""


@dataclass(frozen=True, slots=True)
class DueAsset:
    """An asset of the round that can be made now, and the hotkeys it is about, the next first."""

    asset: Asset
    lane: Lane
    hotkeys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """What keeps the stage where it is: `until` a block, or None where a person or our work
    decides.
    """

    on: str
    until: int | None = None


@dataclass(slots=True)
class Due:
    """What is due in a round. `to` is the stage that the work, once done, leads to; None while it
    leads nowhere yet.
    """

    round: int
    stage: Stage
    to: Stage | None = None
    work: list[DueAsset] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    pairs: Sequence[Pair] = ()
    """The matches that may be played now, the next first."""

    def assets(self, lane: Lane) -> list[Asset]:
        """The names of what is due in `lane`."""
        return [work.asset for work in self.work if work.lane is lane]

    def hotkeys(self, asset: str) -> Sequence[str] | None:
        """The hotkeys that an asset's work is about, the next first; None if it isn't due."""
        return next((work.hotkeys for work in self.work if work.asset == asset), None)


def due(files: Files, block: int) -> Due:
    """What is due at the finalised `block`. Raises MalformedFile if the files it takes to know
    can't be read.
    """
    state = required(STATE, read_file(files, STATE, State))
    result = Due(state.current_round, state.stage)
    current = Round(files, state.current_round)
    require_files(current, state.stage)
    match state.stage:
        case Stage.OPEN:
            _open(result, current.required_schedule, block)
        case Stage.MINER_GENERATION:
            _miner_generation(result, current, block)
        case Stage.DOWNLOADING:
            _downloading(result, current)
        case Stage.DUELS:
            _duels(result, current)
        case Stage.FINALIZING:
            result.to = Stage.OPEN
            result.work = [
                DueAsset(asset, Lane.FINALIZING)
                for asset in (Asset.SCHEDULE, Asset.LEADER, Asset.STATE)
            ]
        case Stage.PAUSED:
            paused = state.interrupted_stage or "the round"
            result.waits.append(Wait(f"a person to resume {paused}"))
        case Stage.FINISHED:
            result.waits.append(Wait("nothing: the competition is over"))
    return result


def _open(result: Due, schedule: Schedule, block: int) -> None:
    if block < schedule.latest_reveal_block:
        result.waits.append(Wait("miners to reveal", schedule.latest_reveal_block))
        return
    result.to = Stage.MINER_GENERATION
    result.work = [
        DueAsset(asset, Lane.COLLECTION)
        for asset in (Asset.SUBMISSIONS, Asset.SEED, Asset.PROMPTS, Asset.STATE)
    ]


def _miner_generation(result: Due, current: Round, block: int) -> None:
    deadline = current.required_schedule.generation_deadline_block
    if block < deadline:
        result.waits.append(Wait("miners to generate", deadline))
    else:
        result.to = Stage.DOWNLOADING
        result.work += [
            DueAsset(Asset.RENDERS, Lane.COLLECTION),
            DueAsset(Asset.STATE, Lane.COLLECTION),
        ]
    _regenerate(result, current)


def _downloading(result: Due, current: Round) -> None:
    missing = [
        hotkey
        for hotkey in current.required_submissions.names
        if not is_in(current.submitted(hotkey), current.stems)
    ]
    result.to = Stage.DUELS
    result.work += [
        DueAsset(Asset.RENDERS, Lane.COLLECTION, missing),
        DueAsset(Asset.STATE, Lane.COLLECTION),
    ]
    _regenerate(result, current)


def _duels(result: Due, current: Round) -> None:
    _regenerate(result, current)
    known = verdicts(current.audits, current.source_audits)
    if not current.baseline_is_closed(ATTEMPTS):
        result.waits.append(Wait("the leader's baseline"))
        return
    timeline, margins = current.timeline, current.matrix.margins
    result.pairs = timeline.by_need(margins, known)
    if result.pairs:
        result.work += [
            DueAsset(asset, Lane.JUDGING) for asset in (Asset.DUELS, Asset.MATCHES_MATRIX)
        ]
    wanted = [hotkey for hotkey, _ in timeline.audits_due(margins, known)]
    unasked = [hotkey for hotkey in wanted if current.requests.for_hotkey(hotkey) is None]
    if unasked:
        result.work.append(DueAsset(Asset.AUDIT_REQUESTS, Lane.JUDGING, unasked))
    if timeline.winner(margins, known) is not None:
        result.to = Stage.FINALIZING
        result.work += [DueAsset(Asset.WINNER, Lane.JUDGING), DueAsset(Asset.STATE, Lane.JUDGING)]
        return
    _audits(result, current, wanted, known)


def _regenerate(result: Due, current: Round) -> None:
    """The work of every stage from MINER_GENERATION on: builds and baseline."""
    builds = current.builds
    open_builds = [
        hotkey
        for hotkey in current.required_submissions.names
        if builds is None or hotkey not in builds or not builds[hotkey].status.ended
    ]
    if open_builds:
        result.work.append(DueAsset(Asset.BUILDS, Lane.BUILDS, open_builds))
    if not current.baseline_is_closed(ATTEMPTS):
        result.work.append(DueAsset(Asset.BASELINE, Lane.BASELINE, [LEADER]))


def _audits(result: Due, current: Round, wanted: Sequence[str], known: Verdicts) -> None:
    """What is owed to the line's defenders, and whom the line waits for."""
    ready: list[str] = []
    for request in current.requests.root:
        hotkey = request.hotkey
        if hotkey not in wanted or hotkey in known.rejected:
            continue
        if hotkey not in current.source_audits.verdicts():
            result.waits.append(Wait(f"a person's source audit of {hotkey}"))
        audit = current.audits.get(hotkey)
        if audit is None or audit.outcome is AuditOutcome.PENDING:
            build = current.builds.get(hotkey) if current.builds is not None else None
            if build is not None and build.status.ended:
                ready.append(hotkey)
            else:
                status = build.status if build else BuildStatus.PENDING
                result.waits.append(Wait(f"the build of {hotkey} ({status})"))
    if ready:
        result.work += [
            DueAsset(asset, Lane.AUDITS, ready) for asset in (Asset.REGENERATED, Asset.AUDITS)
        ]
