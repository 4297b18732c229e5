"""The sensors that set rounds going: at the head and the finalised block they ask what is due, and
request its runs.

Nothing is remembered but Dagster's own runs: a lane with a run under way is left alone, one whose
last runs failed is taken up again with back-off, for as long as the work is due.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import dagster as dg
from dagster._core.storage.tags import PRIORITY_TAG

from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.resource import (
    NO_REPOSITORY,
    CompetitionResource,
    lane_is_free,
    watched_competition,
)
from gen404_assets.assets.sight import in_seconds
from gen404_assets.assets.tags import HEAD_TAG, LANE_TAG, ROUND_TAG
from gen404_assets.competition.catalogue import Asset, Lane, made_in
from gen404_assets.competition.due import Due, due
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.plain_text import plain
from gen404_assets.competition.round import Round
from gen404_assets.live.waiting import Waiting
from gen404_assets.live.work import see
from gen404_assets.settings import platform_settings
from resources.repository import Repository
from sensors.lane_runs import LaneRuns, Unheld

LANES = {
    "collection": (Lane.COLLECTION,),
    "generation": (Lane.BUILDS, Lane.BASELINE, Lane.AUDITS),
    "judging": (Lane.JUDGING,),
    "finalizing": (Lane.FINALIZING,),
}
_TOGETHER = (Asset.DUELS, Asset.MATCHES_MATRIX, Asset.AUDIT_REQUESTS)
"""What one step of a judging run publishes together."""
_UNHELD = Unheld()
_BEFORE_REPLAYS = "10"
"""Dagster's priority in the queue, as text because tags are; replays have none, which is 0."""
_FAIL = "a run that goes well"
"""How the wait of a lane begins whose runs fail."""


def lane_sensor(name: str, lanes: Sequence[Lane]) -> dg.SensorDefinition:
    """The sensor that requests the runs of some lanes."""

    @dg.sensor(
        name=name,
        target=[asset.value for lane in lanes for asset in made_in(lane)],
        minimum_interval_seconds=platform_settings().sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING
        if platform_settings().gen404_operate
        else dg.DefaultSensorStatus.STOPPED,
        description=f"Requests what is due at the finalised block: {', '.join(lanes)}.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        competition = watched_competition()
        if not competition.is_named():
            return dg.SkipReason(NO_REPOSITORY)
        return in_seconds(name, context, lambda: _look(context, competition, lanes))

    return look


def _look(
    context: dg.SensorEvaluationContext, competition: CompetitionResource, lanes: Sequence[Lane]
) -> dg.SensorResult | dg.SkipReason:
    """What is due at the head and the finalised block, requested; or what it waits for."""
    sight = competition.sight()
    head, block = sight.head(), sight.block().number
    due_now = sight.read(lambda: due(_round(competition.repository(), head).files, block))
    waiting = competition.outside().waiting
    at_work = [lane for lane in lanes if set(due_now.assets(lane)) & {*made_in(lane)}]
    reasons = [
        f"{lane} waits for {wait.on}"
        for lane in lanes
        if due_now.assets(lane) and (wait := waiting.for_lane(lane))
    ]
    requests: list[dg.RunRequest] = []
    for lane in at_work:
        seen = _look_at(context.instance, lane, due_now.round, head)
        if seen.lost:
            _mark_failed(context.instance, seen.lost)
        if seen.wait:
            reasons.append(f"{lane}: {seen.wait}")
            continue
        if seen.runs.failures >= LaneRuns.TELL_AFTER:
            _tell_of_failures(context, waiting, lane, seen.runs)
        requests.append(_request(due_now, lane, head, seen.runs))
    if not requests:
        waits = [
            f"waits for {wait.on}" + (f" (block {wait.until})" if wait.until else "")
            for wait in due_now.waits
        ]
        parts = [f"round {due_now.round} {due_now.stage} at block {block}", *reasons, *waits]
        return dg.SkipReason(plain("; ".join(parts)))
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[ROUNDS.build_add_request([str(due_now.round)])],
    )


@dataclass(frozen=True, slots=True)
class _LaneLook:
    """A lane's runs as a look sees them: `wait` says why the next may not begin yet, `lost` is the
    run whose process must be gone.
    """

    runs: LaneRuns
    wait: str
    lost: str | None


def _look_at(instance: dg.DagsterInstance, lane: Lane, number: int, head: str) -> _LaneLook:
    runs = LaneRuns.read(instance, lane, number)
    free = lane_is_free(lane)
    under_way = runs.under_way()
    lost = runs.lost(_UNHELD.seconds(under_way.run_id, free=free) if under_way else 0.0)
    return _LaneLook(runs, runs.busy(free) or runs.back_off(head), lost.run_id if lost else None)


def _mark_failed(instance: dg.DagsterInstance, lost: str) -> None:
    run = instance.get_run_by_id(lost)
    if run is not None:
        instance.report_run_failed(
            run, "its lane has been free for a minute: its process must be gone"
        )


def _request(due_now: Due, lane: Lane, head: str, runs: LaneRuns) -> dg.RunRequest:
    """The next run of a lane, for all that is due in it."""
    assets = [asset for asset in due_now.assets(lane) if asset in made_in(lane)]
    chosen = _TOGETHER if set(_TOGETHER) & set(assets) else assets
    return dg.RunRequest(
        # Dagster starts one run a key, ever: the last run makes it new.
        run_key=f"{lane}:{due_now.round}:{head}:{runs.last}",
        asset_selection=[dg.AssetKey(asset.value) for asset in chosen],
        partition_key=str(due_now.round),
        tags={
            LANE_TAG: lane.value,
            ROUND_TAG: str(due_now.round),
            HEAD_TAG: head,
            PRIORITY_TAG: _BEFORE_REPLAYS,
        },
    )


def _tell_of_failures(
    context: dg.SensorEvaluationContext, waiting: Waiting, lane: Lane, runs: LaneRuns
) -> None:
    """Have a lane whose runs fail again and again shown as one that waits. What its runs have said
    that they wait for stands; this is for those that a bug ends, or that never begin.
    """
    what = f"{_FAIL}: {runs.failures} in a row have failed, the last is {runs.last[:8]}"
    known = waiting.for_lane(lane)
    if known is not None and not known.on.startswith(_FAIL):
        return
    with suppress(InfrastructureFault):  # of the disk: the next run is requested all the same
        waiting.begin(lane, what, datetime.now(UTC))
    if runs.failures == LaneRuns.TELL_AFTER:
        context.log.error(f"{lane} waits for {what}; it is tried again")


@lru_cache(maxsize=2)
def _round(repository: Repository, head: str) -> Round:
    return see(repository.mirrored(head))


SENSORS = [lane_sensor(name, lanes) for name, lanes in LANES.items()]
