"""Steps of the machine's clock. Dagster spaces ticks and heartbeats by it: once it is set back,
they would wait until it has caught up.
"""

import time

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import SensorInstigatorData

_STEP = 10.0
"""Seconds; by less, ticks are late for so short a time that nothing is done."""


class Steps:
    """Notices that the clock was set back."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def back(self) -> float:
        """By how many seconds the clock was set back since the last call; 0 for less than a few."""
        before, self._offset = self._offset, time.time() - time.monotonic()
        stepped = before - self._offset
        return stepped if stepped > _STEP else 0.0


def forget_later_ticks(instance: dg.DagsterInstance) -> None:
    """Have the sensors tick although their last tick was, by the clock, in the future."""
    now = time.time()
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        data = state.instigator_data
        if not isinstance(data, SensorInstigatorData):
            continue
        later = max(data.last_tick_timestamp or 0.0, data.last_tick_start_timestamp or 0.0)
        if later > now:
            instance.update_instigator_state(
                state.with_data(
                    data._replace(last_tick_timestamp=now, last_tick_start_timestamp=now)
                )
            )
