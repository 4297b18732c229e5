"""The sensor that deletes our pods which no live run holds: they cost money by the minute."""

from functools import lru_cache

import dagster as dg

from gen404_assets.assets.resource import CompetitionResource, watched_competition
from gen404_assets.assets.sight import in_seconds
from gen404_assets.competition.plain_text import plain
from gen404_assets.live.background import Background
from gen404_assets.live.fleet import reap
from gen404_assets.live.outside import Outside
from gen404_assets.settings import platform_settings


@dg.sensor(
    # Crashes and failed deletions leave few pods, and each look asks every provider.
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING
    if platform_settings().gen404_operate
    else dg.DefaultSensorStatus.STOPPED,
    description="Deletes, by exact name, the pods of ours that no live run holds, on every "
    "provider.",
)
def reaper(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Reap in the background; what was deleted is told by the tick that sees the end of it."""
    competition = watched_competition()
    return in_seconds("reaper", context, lambda: _reap(context, competition))


def _reap(context: dg.SensorEvaluationContext, competition: CompetitionResource) -> dg.SkipReason:
    names = _reaping(competition.outside()).result()
    for name in names:
        context.log.warning(plain(f"{name}: deleted, no live run held it"))
    return dg.SkipReason(
        plain(f"deleted {', '.join(names)}") if names else "every pod of ours is held by a live run"
    )


@lru_cache(maxsize=1)
def _reaping(outside: Outside) -> Background[list[str]]:
    def work() -> list[str]:
        return reap(outside.providers, outside.shared)

    return Background("the GPU providers", work)
