"""What DOWNLOADING has recorded of a miner's files, and the clock that it waits by."""

from queue import Empty, SimpleQueue
from typing import Any

from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import now


def submitted(outside: SimulatedOutside, hotkey: str = MINERS[0]) -> dict[str, object]:
    outputs = now(outside).submitted(hotkey)
    return dict(outputs.items()) if outputs is not None else {}


def reasons(outside: SimulatedOutside, hotkey: str) -> list[object]:
    outputs = now(outside).submitted(hotkey)
    assert outputs is not None
    return [(output.model_extra or {}).get("reason") for _, output in outputs.items()]


def attempts(outside: SimulatedOutside, hotkey: str) -> list[int]:
    outputs = now(outside).submitted(hotkey)
    assert outputs is not None
    return [output.attempts for _, output in outputs.items()]


class Clock:
    """The collection's clock: it stands still while files are fetched, and waiting moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


class WaitingQueue(SimpleQueue[Any]):
    """Waiting in vain for a try to end moves the clock, while none is under way."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return super().get(block, 0.05)
        except Empty:
            self.clock.seconds += timeout or 0.0
            raise
