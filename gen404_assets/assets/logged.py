"""The data versions that Dagster's log holds of each asset, read on from where the last tick had
read: the log grows with every match, and a tick is to cost what is new in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from gen404_assets.assets.events import DATA_VERSION_TAG


@dataclass
class _Read:
    """What was read of an asset: partition -> data version. `last`: its last materialisation's
    number in the log then; `newest`: that of the log's last event.
    """

    last: int | None = None
    newest: int = 0
    versions: dict[str, str] = field(default_factory=dict)


_READ: dict[tuple[str, str], _Read] = {}
"""(Dagster's home, asset) -> what this process has read. Whoever deletes events from the log has
the code server started again."""
_LATE = 1000
"""Events that are read again: one with a lower number may come after one with a higher."""


def logged_versions(
    instance: dg.DagsterInstance, assets: Sequence[str]
) -> Mapping[str, Mapping[str, str]]:
    """Asset -> partition -> the data version of its last materialisation. Only the assets that have
    another last one than before are read.
    """
    newest = instance.event_log_storage.get_maximum_record_id() or 0
    lasts = instance.event_log_storage.get_latest_materialization_storage_ids(
        [dg.AssetKey(asset) for asset in assets]
    )
    versions: dict[str, Mapping[str, str]] = {}
    for asset in assets:
        read = _read_before(instance, asset, newest)
        last = lasts.get(dg.AssetKey(asset))
        if last is not None and last != read.last:
            read.versions |= _since(instance, asset, max(0, read.newest - _LATE))
            read.newest, read.last = newest, last
        versions[asset] = dict(read.versions)
    return versions


def _read_before(instance: dg.DagsterInstance, asset: str, newest: int) -> _Read:
    """What was read of an asset before; nothing where an older log was restored, or a new one
    begun.
    """
    if instance.is_ephemeral:
        return _Read()
    key = (_home(instance), asset)
    if key not in _READ or newest < _READ[key].newest:
        _READ[key] = _Read()
    return _READ[key]


def _since(instance: dg.DagsterInstance, asset: str, cursor: int) -> dict[str, str]:
    """Partition -> the data version of its last materialisation after the log's event `cursor`."""
    tags_by_partition = instance.event_log_storage.get_latest_tags_by_partition(
        dg.AssetKey(asset),
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        [DATA_VERSION_TAG],
        after_cursor=cursor,
    )
    return {
        partition: tags[DATA_VERSION_TAG]
        for partition, tags in tags_by_partition.items()
        if DATA_VERSION_TAG in tags
    }


def _home(instance: dg.DagsterInstance) -> str:
    return str(instance.root_directory)


def forget() -> None:
    """Forget what this process has read."""
    _READ.clear()
