"""The sensor that deletes our pods which no live run holds: they cost money by the minute."""

import dagster as dg

from gen404_assets.assets.resource import CompetitionResource
from gen404_assets.live.fleet import reap
from gen404_assets.settings import home, platform_settings


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING
    if platform_settings().gen404_operate
    else dg.DefaultSensorStatus.STOPPED,
    description="Deletes, by exact name, the pods of ours that no live run holds, on every "
    "provider.",
)
def reaper(context: dg.SensorEvaluationContext, competition: CompetitionResource) -> dg.SkipReason:
    """Reap; a provider that can't be asked makes the tick fail, after the others have been
    reaped.
    """
    names = reap(competition.outside().providers, home())
    for name in names:
        context.log.warning(f"{name}: deleted, no live run held it")
    return dg.SkipReason(
        f"deleted {', '.join(names)}" if names else "every pod of ours is held by a live run"
    )
