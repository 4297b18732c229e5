"""Several nodes of one chain, of which one that answers and keeps up with the clock is believed."""

import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar, cast

from gen404_assets.competition.faults import InfrastructureFault
from resources.chain.subtensor import AskedChain, Block, Chain

if TYPE_CHECKING:
    from bittensor import Client, Substrate

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A node; `name` is shown, and holds no key."""

    name: str
    chain: Chain


class Endpoints:
    """The chain behind `endpoints`, in order of preference. Threads may share it.

    A node whose last finalised block is more than `longest_lag` seconds old is out of order: it has
    lost its peers, or still catches up. What it takes for the present has been.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        longest_lag: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._endpoints = list(endpoints)
        self._longest_lag, self._now = longest_lag, now
        self._lock = threading.Lock()
        self._first = 0
        self._last: Block | None = None

    def finalized(self) -> Block:
        """The last finalised block; never one before a block that was seen already."""
        answer = self._ask(self._up_to_date)
        with self._lock:
            if self._last is None or answer.number > self._last.number:
                self._last = answer
            return self._last

    def block(self, number: int) -> Block:
        """See `Chain.block`."""
        return self._ask(lambda endpoint: endpoint.chain.block(number))

    def reveals(self, at: int) -> dict[str, list[tuple[int, str]]]:
        """See `Chain.reveals`."""
        return self._ask(lambda endpoint: endpoint.chain.reveals(at))

    def ask(self, what: str, read: "Callable[[Client, Substrate], Awaitable[T]]") -> T:
        """See `AskedChain.ask`."""

        def question(endpoint: Endpoint) -> T:
            self._up_to_date(endpoint)
            return cast("AskedChain", endpoint.chain).ask(what, read)

        return self._ask(question)

    def close(self) -> None:
        """End all connections. A later call opens another."""
        for endpoint in self._endpoints:
            endpoint.chain.close()

    def _ask(self, question: Callable[[Endpoint], T]) -> T:
        """The answer of the first node that has one, beginning with the one that had the last."""
        count, first = len(self._endpoints), self._first
        faults: list[str] = []
        for number in [*range(first, count), *range(first)]:
            endpoint = self._endpoints[number]
            try:
                answer = question(endpoint)
            except InfrastructureFault as fault:
                faults.append(f"{endpoint.name}: {fault}" if count > 1 else str(fault))
            else:
                self._first = number
                return answer
        raise InfrastructureFault("; ".join(faults))

    def _up_to_date(self, endpoint: Endpoint) -> Block:
        block = endpoint.chain.finalized()
        lag = (self._now() - block.time).total_seconds()
        if lag > self._longest_lag:
            endpoint.chain.close()  # the next connection may be to a better node of the same name
            raise InfrastructureFault(
                f"chain: the node {endpoint.name} lags: its last finalised block {block.number} is "
                f"{lag / 60:.0f} minutes old (or this machine's clock is ahead)"
            )
        return block
