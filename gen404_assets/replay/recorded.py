"""The files of a round that belong to an asset, and its data version in Dagster."""

from collections.abc import Mapping
from hashlib import sha1

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.history import History
from gen404_assets.competition.round import LEADERS, report_path, round_path
from gen404_assets.competition.state import Stage
from gen404_assets.competition.versions import Version
from gen404_assets.replay.finalizing import stage_changes
from gen404_assets.replay.reporting import reports
from gen404_assets.replay.rounds import evidence


def recorded_files(history: History, number: int, asset: Asset) -> Mapping[str, Version]:
    """Path -> version of an asset's files in a round; empty if it has none yet.

    `leader.json` and `state.json`, which all rounds share, are those that the round left behind.
    """
    if asset.entry.shared:
        version = _shared(history, number, asset)
        return {} if version is None else {asset.entry.file: version}
    if asset is Asset.DUELS:
        paths = [report_path(number, pair) for pair in reports(history, number)]
    elif asset.entry.per_miner:
        paths = evidence(history, number, asset)
    else:
        paths = [round_path(number, asset.entry.file)]
    last = {path: history.last(path) for path in paths}
    return {
        path: version
        for path, version in last.items()
        if version is not None and version.blob is not None
    }


def _shared(history: History, number: int, asset: Asset) -> Version | None:
    changes = stage_changes(history, number)
    if asset is Asset.STATE:
        return changes[-1][0] if changes else None
    if asset is Asset.DEFENDING_LEADER:
        began = next(
            (version for version, _, after in changes if after.current_round == number), None
        )
        return history.last(LEADERS, began.index) if began else None
    ended = [
        version
        for version, _, after in changes
        if after.current_round == number + 1 or after.stage is Stage.FINISHED
    ]
    return history.last(LEADERS, ended[-1].index) if ended else None


def data_version(files: Mapping[str, Version]) -> str:
    """The blob's hash of a single file; of several, a hash over their paths and blobs."""
    blobs = [str(version.blob) for version in files.values()]
    if len(blobs) == 1:
        return blobs[0]
    listing = "".join(f"{path} {version.blob}\n" for path, version in sorted(files.items()))
    return sha1(listing.encode(), usedforsecurity=False).hexdigest()
