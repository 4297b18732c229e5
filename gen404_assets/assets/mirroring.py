"""The mirror: which events bring Dagster's log up to what the repository holds, whoever committed
it.
"""

from collections.abc import Iterator, Mapping

import dagster as dg

from gen404_assets.assets import inputs, shown
from gen404_assets.assets.editions import EditionMirror
from gen404_assets.assets.events import DATA_VERSION_TAG, NO_FILE
from gen404_assets.assets.logged import logged_versions
from gen404_assets.assets.mirrored import ChainOf, Competition1, Mirrored
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.competition.history import History
from gen404_assets.competition.versions import cite
from gen404_assets.replay.editions.choosing import COMPETITION_1, EDITIONS


def mirrored_as(
    edition: str,
    instance: dg.DagsterInstance,
    chain_of: ChainOf = lambda _history, _number: None,
) -> Mirrored:
    """The assets of a round by the edition of this name; only competition 1 asks `chain_of`."""
    if edition == COMPETITION_1.name:
        return Competition1(instance, chain_of)
    return EditionMirror(EDITIONS[edition])


def new_rounds(instance: dg.DagsterInstance, history: History) -> list[str]:
    """The rounds that the repository has and Dagster does not know as partitions."""
    known = set(instance.get_dynamic_partitions(str(ROUNDS.name)))
    return [str(number) for number in history.round_numbers if str(number) not in known]


def missing_events(
    instance: dg.DagsterInstance, history: History, mirrored: Mirrored
) -> Iterator[dg.AssetMaterialization]:
    """A materialisation for each asset whose last one isn't of the data that the repository now
    holds.
    """
    yield from _shared(instance, history)
    for number, changed in unseen(instance, history, mirrored):
        mirrored.prefetch(history, number, list(changed))
        for asset, version in changed.items():
            yield dg.AssetMaterialization(
                asset,
                metadata=mirrored.metadata(history, number, asset),
                partition=str(number),
                tags={DATA_VERSION_TAG: version},
            )


def unseen(
    instance: dg.DagsterInstance, history: History, mirrored: Mirrored
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each round with assets whose files Dagster has no materialisation of; asset -> data
    version.
    """
    known = logged_versions(instance, mirrored.assets)
    for number in history.round_numbers:
        changed = {
            asset: version
            for asset, version in mirrored.versions(history, number).items()
            if version is not None and version != known[asset].get(str(number))
        }
        if changed:
            yield number, changed


def _shared(instance: dg.DagsterInstance, history: History) -> Iterator[dg.AssetMaterialization]:
    """The files that all rounds share. One that a copy of a competition lacks is not waited for."""
    for asset, path in inputs.SHARED.items():
        version = history.last(path)
        blob = version.blob if version is not None else None
        last = instance.get_latest_materialization_event(dg.AssetKey(asset))
        known = last.asset_materialization.tags if last and last.asset_materialization else {}
        if (known or {}).get(DATA_VERSION_TAG) == (blob or NO_FILE) or not history.commits:
            continue
        metadata = {"file": path if blob else "none: the repository has no such file"}
        if version is not None:
            metadata["commit"] = cite(version.commit)
        yield dg.AssetMaterialization(
            asset_key=asset,
            metadata=shown.metadata(metadata),
            tags={DATA_VERSION_TAG: blob or NO_FILE},
        )
