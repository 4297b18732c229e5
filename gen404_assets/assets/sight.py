"""What a sensor's tick sees of the outside: all sensors share one look at the repository and one at
the chain, and none waits for them longer than a few seconds.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import dagster as dg

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.plain_text import plain
from gen404_assets.live.background import Background, Look, NotSeen
from gen404_assets.live.sightings import CHAIN, REPOSITORY, Sightings
from resources.git_mirror import NotFetched
from resources.repository import Repository

if TYPE_CHECKING:
    from resources.chain.subtensor import Block, Chain

T = TypeVar("T")

_LONGEST_TICK = 6.0
"""Seconds after which no further file is waited for: each fetch takes up to
`background.PATIENCE`."""
Tick = dg.SensorResult | dg.SkipReason


class Sight:
    """The repository at `url` and the chain, as ticks see them; others read `sightings`."""

    def __init__(
        self, url: str, repository: Repository, chain: "Callable[[], Chain]", sightings: Sightings
    ) -> None:
        self._repository, self._chain, self._sightings = repository, chain, sightings
        name = f"the repository {url}"
        self._head = Look(
            name,
            repository.refresh,
            lambda sha: sightings.saw(REPOSITORY, sha),
            lambda fault: sightings.failed(REPOSITORY, fault),
        )
        self._block: Look[Block] = Look(
            "the chain",
            lambda: chain().finalized(),
            lambda block: sightings.saw(CHAIN, str(block.number)),
            lambda fault: sightings.failed(CHAIN, fault),
        )
        self._wanted: set[str] = set()
        self._fetching = Background(f"files of {name}", self._fetch)
        self._reveals: dict[int, Background[dict[str, list[tuple[int, str]]]]] = {}

    def head(self) -> str:
        """The repository's head, at most a second old. Raises NotSeen."""
        return self._head.now()

    def block(self) -> "Block":
        """The last finalised block, seen at most a second ago. Raises NotSeen."""
        return self._block.now()

    def read(self, read: Callable[[], T]) -> T:
        """What `read` gives of the mirror as it stands (`Repository.mirrored`); what the mirror
        lacks is fetched, and it is called again. Raises NotSeen where that takes long.
        """
        until = time.monotonic() + _LONGEST_TICK
        while True:
            try:
                return read()
            except NotFetched as missing:
                if time.monotonic() > until:
                    raise NotSeen(f"waits for files of the repository: {missing}") from None
                self._wanted |= set(missing.blobs)
                self._fetching.result()

    def note(self, what: str, words: str) -> None:
        """What a tick says of another platform (OTHER) or of files that can't be read (FILES);
        empty: there is nothing to say.
        """
        if words:
            self._sightings.failed(what, words)
        else:
            self._sightings.ended(what)

    def reveals(self, at: int) -> dict[str, list[tuple[int, str]]]:
        """What the chain's `reveals` gives. Raises NotSeen, or its InfrastructureFault."""
        work = self._reveals.setdefault(
            at, Background("the chain's commitments", lambda: self._chain().reveals(at))
        )
        outcome = work.result()
        self._reveals.pop(at, None)
        return outcome

    def _fetch(self) -> None:
        wanted, self._wanted = self._wanted, set()
        self._repository.fetch_blobs(wanted)


_IN_OUTAGE: set[str] = set()


def in_seconds(name: str, context: dg.SensorEvaluationContext, tick: Callable[[], Tick]) -> Tick:
    """What the tick of sensor `name` gives, or a skip that says what it waits for, where it can't
    see. A person is told once in an outage.
    """
    try:
        outcome = tick()
    except NotSeen as reason:
        return _skip(context, str(reason), first=reason.first)
    except (InfrastructureFault, MalformedFile) as fault:
        first = name not in _IN_OUTAGE
        _IN_OUTAGE.add(name)
        waits = "waits until this is mended" if isinstance(fault, MalformedFile) else "waits"
        return _skip(context, f"{waits}: {fault}", first=first)
    _IN_OUTAGE.discard(name)
    return outcome


def _skip(context: dg.SensorEvaluationContext, reason: str, *, first: bool) -> dg.SkipReason:
    if first:  # the context's log opens Dagster's storage
        context.log.error(plain(reason))
    return dg.SkipReason(plain(reason))
