"""The sensor that shows in Dagster what anyone commits to the competition's repository, new rounds
included.
"""

from itertools import islice

import dagster as dg

from gen404_assets.assets.mirroring import missing_events, new_rounds
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.resource import NO_REPOSITORY, CompetitionResource
from gen404_assets.competition_repository import history_at
from gen404_assets.settings import platform_settings

EVENTS_A_TICK = 30
"""An event takes up to 25 ms, a tick less than a second; what is left over comes with the next.

What there is when the platform starts is imported before any tick."""


@dg.sensor(
    minimum_interval_seconds=platform_settings().sensor_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def mirror(
    context: dg.SensorEvaluationContext, competition: CompetitionResource
) -> dg.SensorResult | dg.SkipReason:
    """Log what the repository's head holds and Dagster has not seen."""
    if not competition.is_named():
        return dg.SkipReason(NO_REPOSITORY)
    head = competition.head()
    if head == context.cursor:
        return dg.SkipReason(f"the head is still {head[:7]}")
    history = history_at(competition.repository(), head)
    rounds = new_rounds(context.instance, history)
    events = list(
        islice(missing_events(context.instance, history, competition.chain_of), EVENTS_A_TICK + 1)
    )
    complete = len(events) <= EVENTS_A_TICK
    return dg.SensorResult(
        asset_events=events[:EVENTS_A_TICK],
        dynamic_partitions_requests=[ROUNDS.build_add_request(rounds)] if rounds else [],
        cursor=head if complete else context.cursor,
    )
