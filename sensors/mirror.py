"""The sensor that shows in Dagster what anyone commits to the competition's repository, new rounds
included.
"""

from itertools import islice

import dagster as dg

from gen404_assets.assets.mirroring import mirrored_as, missing_events, new_rounds
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.resource import NO_REPOSITORY, CompetitionResource, watched_competition
from gen404_assets.assets.sight import in_seconds
from gen404_assets.competition_repository import mirrored_history
from gen404_assets.live.importing import under_way
from gen404_assets.live.shared import open_shared
from gen404_assets.settings import platform_settings

EVENTS_A_TICK = 30
"""An event takes up to 25 ms, a tick less than a second; what is left over comes with the next.

What there is when the platform starts is imported beside it; until then ticks say how far that is.
"""


@dg.sensor(
    minimum_interval_seconds=platform_settings().sensor_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Shows in Dagster what anyone commits to the competition's repository, new rounds "
    "included.",
)
def mirror(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Log what the repository's head holds and Dagster has not seen."""
    competition = watched_competition()
    if not competition.is_named():
        return dg.SkipReason(NO_REPOSITORY)
    return in_seconds("mirror", context, lambda: _look(context, competition))


def _look(
    context: dg.SensorEvaluationContext, competition: CompetitionResource
) -> dg.SensorResult | dg.SkipReason:
    if progress := under_way(open_shared()):
        return dg.SkipReason(progress)
    sight = competition.sight()
    head = sight.head()
    if head == context.cursor:
        return dg.SkipReason(f"the head is still {head[:7]}")
    history = mirrored_history(competition.repository(), head)
    rounds = new_rounds(context.instance, history)

    mirrored = mirrored_as(competition.edition, context.instance, competition.seen_chain_of)

    def missing() -> list[dg.AssetMaterialization]:
        # One more says whether any is left over.
        return list(islice(missing_events(context.instance, history, mirrored), EVENTS_A_TICK + 1))

    events = sight.read(missing)
    complete = len(events) <= EVENTS_A_TICK
    return dg.SensorResult(
        asset_events=events[:EVENTS_A_TICK],
        dynamic_partitions_requests=[ROUNDS.build_add_request(rounds)] if rounds else [],
        cursor=head if complete else context.cursor,  # the next tick takes up the same head again
    )
