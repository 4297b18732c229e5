"""What Dagster shows of an asset's recorded files: commit, data version, counts, and something to
look at.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg

from gen404_assets.assets import shown
from gen404_assets.assets.links import links, round_pages
from gen404_assets.assets.long_tables import cut
from gen404_assets.assets.tables import table
from gen404_assets.assets.views import VIEWS, stages
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.round import LEADERS
from gen404_assets.competition.versions import Version, cite
from gen404_assets.replay.finalizing import stage_changes
from gen404_assets.replay.recorded import data_version, recorded_files
from gen404_assets.replay.result import FileReplay, Finding
from gen404_assets.replay.rounds import people
from resources.settings import setting

CHECK = "as_the_rules_give"
NO_FILE = "no file"
DATA_VERSION_TAG = "dagster/data_version"


def recorded_version(history: History, number: int, asset: Asset) -> str | None:
    """The data version of an asset as the repository has it; None while the round hasn't come so
    far.

    A past round may lack a file for good (nobody had to be audited): that is its state too.
    """
    files = recorded_files(history, number, asset)
    if files:
        return data_version(files)
    return NO_FILE if history.is_past(number) else None


def recorded_metadata(history: History, number: int, asset: Asset) -> dict[str, Any]:
    """The metadata of a materialisation: which commit left the files as they are, and the asset's
    own view.
    """
    files = recorded_files(history, number, asset)
    if not files:
        return {"file": "none: the round was decided without it"}
    by_hand = [version for path in files for version in people(history, number, path)]
    metadata = where_from(number, files, by_hand)
    metadata["the round's pages"] = shown.markdown(round_pages(number))
    try:
        if asset is Asset.STATE:
            metadata |= {"stages": stages(stage_changes(history, number))}
            return shown.metadata(metadata)
        index = newest_of(files).index if asset.entry.file == LEADERS else None
        seen = history.round(number, index)
        return shown.metadata(metadata | cut(VIEWS[asset](seen)))
    except MalformedFile as error:
        return shown.metadata(metadata | {"malformed": str(error)})


def newest_of(files: Mapping[str, Version]) -> Version:
    """The version of files that was committed last."""
    return max(files.values(), key=lambda version: version.index)


def where_from(
    number: int, files: Mapping[str, Version], by_people: Iterable[Version]
) -> dict[str, Any]:
    """The metadata of any files: which commit left them as they are, and what people committed."""
    newest = newest_of(files)
    metadata: dict[str, Any] = {
        "commit": cite(newest.commit),
        "committed at": dg.MetadataValue.timestamp(newest.commit.time),
        "file": next(iter(files)) if len(files) == 1 else f"{len(files)} files",
        **links(setting(os.environ, "COMPETITION_REPO"), number, newest.commit.sha),
    }
    if commits := dict.fromkeys(map(str, by_people)):
        metadata["people's commits"] = shown.listed(commits)
    return metadata


def differences(replays: Sequence[FileReplay]) -> dg.TableMetadataValue | str:
    """What differs, entry by entry."""
    rows = [
        {"file": file.path} | {key: str(value) for key, value in asdict(difference).items()}
        for file in replays
        for difference in file.differences
    ]
    return table(rows)


def check_result(asset: str, replays: Sequence[FileReplay]) -> dg.AssetCheckResult:
    """The replay of an asset's files as a check: failed if one differs, a warning if a person made
    it so.
    """
    wrong = [file for file in replays if file.finding in {Finding.DIFFERS, Finding.MALFORMED}]
    counts = {finding: sum(file.finding is finding for file in replays) for finding in Finding}
    metadata: dict[str, Any] = {str(finding): count for finding, count in counts.items() if count}
    if wrong:
        metadata["differences"] = differences(replays)
    reasons = list(dict.fromkeys(file.reason for file in replays if file.reason))
    notes = [f"{file.path}: {note}" for file in replays for note in file.notes]
    changed = list(
        dict.fromkeys(
            f"changed by a person in {commit}" for file in replays for commit in file.by_person
        )
    )
    if remarks := [*reasons, *notes, *changed]:
        metadata["remarks"] = shown.listed(remarks)
    by_person = all(file.explained for file in wrong)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=CHECK,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN if by_person else dg.AssetCheckSeverity.ERROR,
        description=", ".join(f"{count} {finding}" for finding, count in counts.items() if count),
        metadata=metadata,
    )
