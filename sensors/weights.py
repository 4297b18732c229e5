"""The sensor that has a validator's weights set when it is time (`SET_WEIGHTS`)."""

import time

import dagster as dg

from gen404_assets.assets.resource import NO_REPOSITORY, CompetitionResource, watched_competition
from gen404_assets.assets.sight import in_seconds
from gen404_assets.assets.weights import WEIGHTS_TAG
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.round import LEADERS, read_file, required
from gen404_assets.competition.weights import StaleLeaders, why_not
from gen404_assets.live.weights import acted_on
from gen404_assets.settings import home, platform_settings

_PAUSE = 60.0
"""Seconds between two tries: one that failed says why in its run."""


@dg.sensor(
    target=["weights"],
    minimum_interval_seconds=platform_settings().sensor_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests that a validator's weights are set: every 30 minutes, and right after a "
    "change of the leader's entry.",
)
def weights(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """What the rule says at the head and the finalised block."""
    competition = watched_competition()
    if not competition.is_named():
        return dg.SkipReason(NO_REPOSITORY)
    return in_seconds("weights", context, lambda: _look(context, competition))


def _look(
    context: dg.SensorEvaluationContext, competition: CompetitionResource
) -> dg.SensorResult | dg.SkipReason:
    sight = competition.sight()
    head, block = sight.head(), sight.block().number
    repository = competition.repository()
    leaders = sight.read(
        lambda: required(LEADERS, read_file(repository.mirrored(head), LEADERS, Leader))
    )
    try:
        reason = why_not(leaders, block, acted_on(home())).text
    except StaleLeaders as stale:
        raise InfrastructureFault(str(stale)) from stale
    newest = context.instance.get_run_records(dg.RunsFilter(tags={WEIGHTS_TAG: "true"}), limit=1)
    reason = reason or (_busy(newest[0]) if newest else "")
    if reason:
        return dg.SkipReason(reason)
    last = newest[0].dagster_run.run_id if newest else "none"
    request = dg.RunRequest(
        # Dagster starts one run a key, ever: the last run makes it new.
        run_key=f"weights:{head}:{last}",
        asset_selection=[dg.AssetKey("weights")],
        tags={WEIGHTS_TAG: "true"},
    )
    return dg.SensorResult(run_requests=[request])


def _busy(newest: dg.RunRecord) -> str:
    """Why no run may begin now, or nothing."""
    run = newest.dagster_run
    if not run.is_finished:
        return f"run {run.run_id[:8]} is {run.status.value.lower()}"
    ended = newest.end_time or newest.update_timestamp.timestamp()
    # A date in the future is of before the clock was set back.
    if 0 <= time.time() - ended < _PAUSE:
        return f"run {run.run_id[:8]} has just ended ({run.status.value.lower()})"
    return ""
