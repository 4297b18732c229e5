"""The mirror: which events bring Dagster's log up to what the repository holds, whoever committed
it.
"""

from collections.abc import Callable, Iterator, Mapping

import dagster as dg

from gen404_assets.assets import inputs, refusals, shown
from gen404_assets.assets.events import DATA_VERSION_TAG, recorded_metadata, recorded_version
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.history import History, cite
from gen404_assets.replay.rounds import prefetch


def new_rounds(instance: dg.DagsterInstance, history: History) -> list[str]:
    """The rounds that the repository has and Dagster does not know as partitions."""
    known = set(instance.get_dynamic_partitions(str(ROUNDS.name)))
    return [str(number) for number in history.round_numbers if str(number) not in known]


def missing_events(
    instance: dg.DagsterInstance,
    history: History,
    chain_of: Callable[[History, int], Callable[[], refusals.Commitments] | None] = (
        lambda _history, _number: None
    ),
) -> Iterator[dg.AssetMaterialization]:
    """A materialisation for each asset whose last one isn't of the data that the repository now
    holds.

    `chain_of` gives the chain of a round, where it may be asked whose commitments were refused.
    """
    yield from _shared(instance, history)
    known = {asset: _known_versions(instance, asset) for asset in Asset}
    for number in history.round_numbers:
        versions = data_versions(history, number)
        changed = [
            asset
            for asset, version in versions.items()
            if version not in {None, known[asset].get(str(number))}
        ]
        prefetch(history, number, changed)
        for asset in changed:
            metadata = recorded_metadata(history, number, asset)
            if asset is Asset.SUBMISSIONS:
                metadata |= refusals.refusal_metadata(
                    history.round(number), instance, chain_of(history, number)
                )
            yield dg.AssetMaterialization(
                asset,
                metadata=metadata,
                partition=str(number),
                tags={DATA_VERSION_TAG: str(versions[asset])},
            )


def data_versions(history: History, number: int) -> Mapping[Asset, str | None]:
    """Asset -> the data version of a round's files, None while it has none; derived anew only when
    the round has changed.
    """
    return history.derived(
        number,
        "data versions",
        lambda: {asset: recorded_version(history, number, asset) for asset in Asset},
    )


def _shared(instance: dg.DagsterInstance, history: History) -> Iterator[dg.AssetMaterialization]:
    for asset, path in inputs.SHARED.items():
        version = history.last(path)
        last = instance.get_latest_materialization_event(dg.AssetKey(asset))
        known = last.asset_materialization.tags if last and last.asset_materialization else {}
        if (
            version is None
            or version.blob is None
            or (known or {}).get(DATA_VERSION_TAG) == version.blob
        ):
            continue
        yield dg.AssetMaterialization(
            asset_key=asset,
            metadata=shown.metadata({"commit": cite(version.commit), "file": path}),
            tags={DATA_VERSION_TAG: version.blob},
        )


def _known_versions(instance: dg.DagsterInstance, asset: str) -> dict[str, str]:
    tags_by_partition = instance.event_log_storage.get_latest_tags_by_partition(
        dg.AssetKey(asset), dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG]
    )
    return {
        partition: tags[DATA_VERSION_TAG]
        for partition, tags in tags_by_partition.items()
        if DATA_VERSION_TAG in tags
    }
