"""What Dagster's UI shows of an asset before anything is made of it: description, owner, tags,
columns, and links to the code.
"""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_shared.utils.warnings import BetaWarning

from gen404_assets.assets.columns import FORMATS, column_schema
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.tags import LANE_TAG, REPLAY_TAG
from gen404_assets.competition.catalogue import REPLAYED, Asset

PLATFORM, OPERATORS, MINERS = "team:platform", "team:operators", "team:miners"
"""Who answers for an asset: this code, the people who run the competition, or those in it."""


def round_spec(
    asset: Asset,
    *,
    kinds: set[str],
    description: str,
    deps: Sequence[str] = (),
    owner: str = PLATFORM,
) -> dg.AssetSpec:
    """An asset of the catalogue, partitioned by round."""
    return dg.AssetSpec(
        asset.value,
        deps=list(deps),
        description=f"{description}\n\n`{shown_path(asset)}`",
        group_name=asset.entry.stage.value,
        kinds=kinds,
        owners=[owner],
        tags=dict(_tags(asset)),
        metadata=_metadata(asset),
        partitions_def=ROUNDS,
        skippable=True,
    )


def made_by(spec: dg.AssetSpec, work: Callable[..., object]) -> dg.AssetSpec:
    """The asset with links to the function that makes it and to its format."""
    file_format = FORMATS.get(Asset(spec.key.to_user_string()))
    sources = {"made by": work} | ({"format": file_format} if file_format else {})
    return spec.merge_attributes(metadata=_code_references(sources))


def shown_path(asset: Asset) -> str:
    """An asset's file as a description shows it."""
    file = asset.entry.file
    return file if asset.entry.shared else f"rounds/{{n}}/{file}"


def _tags(asset: Asset) -> Mapping[str, str]:
    """The lane that makes an asset, and whether a replay derives it or takes it as evidence."""
    lane = {LANE_TAG: asset.entry.lane.value} if asset.entry.lane else {}
    replayed = {REPLAY_TAG: "evidence" if asset.entry.evidence else "derived"}
    return lane | (replayed if asset in REPLAYED else {})


def _metadata(asset: Asset) -> Mapping[str, Any]:
    if asset not in FORMATS:
        return {}
    references = _code_references({"format": FORMATS[asset]})
    return {"dagster/column_schema": column_schema(FORMATS[asset])} | references


def _code_references(sources: Mapping[str, type | Callable[..., object]]) -> dict[str, Any]:
    """The metadata by which the UI links to source files; the keys say what each source is."""
    with warnings.catch_warnings():
        # Links to code are new in 1.13, which is pinned.
        warnings.simplefilter("ignore", BetaWarning)
        references = [
            dg.LocalFileCodeReference(
                file_path=inspect.getfile(source),
                line_number=inspect.getsourcelines(source)[1],
                label=f"{role} {source.__name__}",
            )
            for role, source in sources.items()
        ]
        links = dg.CodeReferencesMetadataValue(code_references=references)
    return {"dagster/code_references": links}
