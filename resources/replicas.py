"""Several render services as one renderer: which of them draws a file."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gen404_assets.competition.faults import InfrastructureFault

_OUT_OF_ORDER_SECONDS = 30.0
_PATIENCE = 1800.0


class Busy(InfrastructureFault):
    """A service has no room now; it asks to be left alone for so many seconds."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Service(Protocol):
    """A renderer at an address, which raises Busy where it has no room."""

    address: str

    def render(self, path: Path, output_format: str) -> bytes:
        """See `resources.renderer.Renderer`."""

    def close(self) -> None:
        """See `resources.renderer.Renderer`."""


@dataclass
class _Replica:
    """One service: how many files it has of us, and until when, by the monotonic clock, it is left
    alone.
    """

    service: Service
    under_way: int = 0
    rests_until: float = 0.0


class Replicas:
    """Render services of which each file goes to the one that has the fewest of ours.

    One that is busy is left alone for as long as it asks, one that fails for half a minute; the
    file goes to the next. Where all are busy, the first that has room is waited for, up to
    `patience` seconds. Where all fail, it is an InfrastructureFault. Threads may share it.
    """

    def __init__(self, services: Sequence[Service], patience: float = _PATIENCE) -> None:
        self._replicas = [_Replica(service) for service in services]
        self._patience, self._lock = patience, threading.Lock()

    def render(self, path: Path, output_format: str) -> bytes:
        """See Renderer."""
        deadline = time.monotonic() + self._patience
        faults: dict[str, InfrastructureFault] = {}
        while True:
            left = [each for each in self._replicas if each.service.address not in faults]
            if not left:
                raise InfrastructureFault("; ".join(f"{at}: {why}" for at, why in faults.items()))
            with self._chosen(left) as replica:
                wait = replica.rests_until - time.monotonic()
                if time.monotonic() + max(wait, 0.0) > deadline:
                    raise InfrastructureFault(
                        f"no picture: all render services have been busy for {self._patience:g} s; "
                        "there must be more of them"
                    )
                time.sleep(max(wait, 0.0))
                try:
                    return replica.service.render(path, output_format)
                except Busy as busy:
                    replica.rests_until = time.monotonic() + busy.seconds
                except InfrastructureFault as fault:
                    replica.rests_until = time.monotonic() + _OUT_OF_ORDER_SECONDS
                    faults[replica.service.address] = fault

    def close(self) -> None:
        """See Renderer."""
        for replica in self._replicas:
            replica.service.close()

    @contextmanager
    def _chosen(self, replicas: Sequence[_Replica]) -> Iterator[_Replica]:
        """The one with the fewest files among those that don't rest, or else the first that ends
        its rest.
        """
        with self._lock:
            now = time.monotonic()
            chosen = min(replicas, key=lambda each: (max(each.rests_until, now), each.under_way))
            chosen.under_way += 1
        try:
            yield chosen
        finally:
            with self._lock:
                chosen.under_way -= 1
