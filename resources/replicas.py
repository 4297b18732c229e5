"""Several services that do the same work: which of them is asked."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from gen404_assets.competition.faults import InfrastructureFault

_OUT_OF_ORDER_SECONDS = 30.0
"""For which a service that failed is left alone, so that the others' questions don't wait for
it."""
_PATIENCE = 1800.0
"""Seconds for which a question waits while all are busy."""


class Busy(InfrastructureFault):
    """A service has no room now; it asks to be left alone for so many seconds."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class NotTheService(InfrastructureFault):
    """Something is out of order that another service would find so too."""


class Service(Protocol):
    """A service at an address, which raises Busy where it has no room."""

    address: str

    def close(self) -> None:
        """End the connections."""


S = TypeVar("S", bound=Service)
A = TypeVar("A")


@dataclass
class _Replica(Generic[S]):
    """One service: how many questions it has of us, and until when, by the monotonic clock, it is
    left alone.
    """

    service: S
    under_way: int = 0
    rests_until: float = 0.0


class Replicas(Generic[S]):
    """Services of which each question goes to the one that has the fewest of ours.

    One that is busy is left alone for as long as it asks, one that fails for half a minute; the
    question goes to the next. Where all are busy, the first that has room is waited for, up to
    `patience` seconds. Where all fail, it is an InfrastructureFault. Threads may share it.
    """

    def __init__(self, services: Sequence[S], patience: float = _PATIENCE) -> None:
        self._replicas = [_Replica(service) for service in services]
        self._patience, self._lock = patience, threading.Lock()

    def ask(self, question: Callable[[S], A]) -> A:
        """What a service answers. Raises InfrastructureFault, and what `question` raises."""
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
                        f"all of {self._addresses} have been busy for {self._patience:g} s; there "
                        "must be more of them"
                    )
                # It counts as under way already, so that others who wait take another service.
                time.sleep(max(wait, 0.0))
                try:
                    return question(replica.service)
                except Busy as busy:
                    replica.rests_until = time.monotonic() + busy.seconds
                except NotTheService:
                    raise
                except InfrastructureFault as fault:
                    replica.rests_until = time.monotonic() + _OUT_OF_ORDER_SECONDS
                    faults[replica.service.address] = fault

    @property
    def _addresses(self) -> str:
        return ", ".join(each.service.address for each in self._replicas)

    def close(self) -> None:
        """End all connections."""
        for replica in self._replicas:
            replica.service.close()

    @contextmanager
    def _chosen(self, replicas: Sequence[_Replica[S]]) -> Iterator[_Replica[S]]:
        """The one with the fewest questions among those that don't rest, or else the first that
        ends its rest.
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
