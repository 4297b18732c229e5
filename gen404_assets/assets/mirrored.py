"""The assets of a round as the mirror shows them: which there are, the data versions of their
files, and their metadata. Those of competition 1, which the platform operates, stand here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import dagster as dg

from gen404_assets.assets import refusals
from gen404_assets.assets.events import recorded_metadata, recorded_version
from gen404_assets.competition.catalogue import OF_EACH_MINER, Asset
from gen404_assets.competition.history import History
from gen404_assets.competition.round import CONFIG
from gen404_assets.competition.versions import Version
from gen404_assets.replay.recorded import recorded_files

ChainOf = Callable[[History, int], Callable[[], refusals.Commitments] | None]
"""The chain of a round, where it may be asked whose commitments were refused."""
_EACH_MINERS = tuple(name for asset in OF_EACH_MINER for name in asset.entry.names)
"""How the names of files begin that each miner of a round has."""


class Mirrored(Protocol):
    """The assets of a round that an edition has."""

    @property
    def assets(self) -> Sequence[str]:
        """Their names."""

    def versions(self, history: History, number: int) -> Mapping[str, str | None]:
        """Asset -> the data version of a round's files; None while the round hasn't come so far."""

    def prefetch(self, history: History, number: int, assets: Sequence[str]) -> None:
        """Read what `metadata` of these assets takes in one go."""

    def metadata(self, history: History, number: int, asset: str) -> dict[str, Any]:
        """What is shown of an asset's files."""


class Competition1:
    """The assets of competition 1."""

    assets: Sequence[str] = tuple(Asset)

    def __init__(
        self, instance: dg.DagsterInstance, chain_of: ChainOf = lambda _history, _number: None
    ) -> None:
        self._instance, self._chain_of = instance, chain_of

    def versions(self, history: History, number: int) -> Mapping[str, str | None]:
        """See Mirrored."""
        return data_versions(history, number)

    def prefetch(self, history: History, number: int, assets: Sequence[str]) -> None:
        """See Mirrored. That is little beside what a replay reads: each file as it is, and of those
        that every miner has, only the ones of these assets.
        """
        wanted = {Asset(asset) for asset in assets}
        versions: list[Version | None] = [*history.versions(CONFIG)]
        for path in history.of_round(number):
            name = path.rsplit("/", 1)[1]
            # The view of the audits compares what was submitted with what was made again.
            compared = Asset.AUDITS in wanted and not name.startswith(Asset.DUELS.entry.name)
            if compared or not name.startswith(_EACH_MINERS):
                versions.append(history.last(path))
        for asset in wanted:
            versions += recorded_files(history, number, asset).values()
        history.prefetch(versions)

    def metadata(self, history: History, number: int, asset: str) -> dict[str, Any]:
        """See Mirrored."""
        metadata = recorded_metadata(history, number, Asset(asset))
        if asset == Asset.SUBMISSIONS:
            chain = self._chain_of(history, number)
            metadata |= refusals.refusal_metadata(history.round(number), self._instance, chain)
        return metadata


def data_versions(history: History, number: int) -> Mapping[str, str | None]:
    """Asset -> the data version of a round's files, None while it has none; derived anew only when
    the round has changed.
    """
    return history.derived(
        number,
        "data versions",
        lambda: {asset: recorded_version(history, number, asset) for asset in Asset},
    )
