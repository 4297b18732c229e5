"""The data versions that Dagster's log holds of each asset, read on from where the last tick had
read: the log grows with every match, and a tick is to cost what is new in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg

from gen404_assets.assets.events import DATA_VERSION_TAG


@dataclass
class _Read:
    """What was read of an asset: partition -> data version. `newest`: the log's last event then."""

    newest: int = 0
    versions: dict[str, str] = field(default_factory=dict)


_READ: dict[tuple[str, str], _Read] = {}
"""(Dagster's home, asset) -> what this process has read. Whoever deletes events from the log has
the code server started again."""
_LATE = 1000
"""Events that are read again: one with a lower number may come after one with a higher."""


def logged_versions(instance: dg.DagsterInstance, asset: str) -> Mapping[str, str]:
    """Partition -> the data version of its last materialisation."""
    read = _Read() if instance.is_ephemeral else _READ.setdefault((_home(instance), asset), _Read())
    newest = instance.event_log_storage.get_maximum_record_id() or 0
    if newest < read.newest:
        read.newest, read.versions = 0, {}  # an older log was restored, or a new one begun
    tags_by_partition = instance.event_log_storage.get_latest_tags_by_partition(
        dg.AssetKey(asset),
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        [DATA_VERSION_TAG],
        after_cursor=max(0, read.newest - _LATE),
    )
    read.versions |= {
        partition: tags[DATA_VERSION_TAG]
        for partition, tags in tags_by_partition.items()
        if DATA_VERSION_TAG in tags
    }
    read.newest = newest
    return dict(read.versions)


def _home(instance: dg.DagsterInstance) -> str:
    return str(instance.root_directory)


def forget() -> None:
    """Forget what this process has read."""
    _READ.clear()
