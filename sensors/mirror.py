"""The sensor that shows in Dagster what anyone commits to the competition's repository, new rounds included."""

from itertools import islice

import dagster as dg

from gen404_assets.competition_repository import history_at
from gen404_assets.mirroring import missing_events, new_rounds
from gen404_assets.partitions import ROUNDS
from gen404_assets.resource import CompetitionResource

EVENTS_A_TICK = 300
"""A tick has a minute, an event takes about 25 ms; what is left over comes with the next tick."""


@dg.sensor(minimum_interval_seconds=10, default_status=dg.DefaultSensorStatus.RUNNING)
def mirror(context: dg.SensorEvaluationContext, competition: CompetitionResource) -> dg.SensorResult | dg.SkipReason:
    """Log what the repository's head holds and Dagster has not seen."""
    repository = competition.repository()
    head = repository.refresh()
    if head == context.cursor:
        return dg.SkipReason(f"the head is still {head[:7]}")
    history = history_at(repository, head)
    rounds = new_rounds(context.instance, history)
    found = list(islice(missing_events(context.instance, history), EVENTS_A_TICK + 1))
    complete = len(found) <= EVENTS_A_TICK
    return dg.SensorResult(
        asset_events=found[:EVENTS_A_TICK],
        dynamic_partitions_requests=[ROUNDS.build_add_request(rounds)] if rounds else [],
        cursor=head if complete else context.cursor,
    )
