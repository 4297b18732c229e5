"""What Dagster's UI shows of an asset before anything is made of it: description, owner, tags,
columns, and links to the code.
"""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import dagster as dg
from dagster_shared.utils.warnings import BetaWarning

from gen404_assets.assets.columns import column_schema
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.tags import DERIVED, EVIDENCE, LANE_TAG, NO_REPLAY, REPLAY_TAG
from gen404_assets.competition.catalogue import REPLAYED, Asset

PLATFORM, OPERATORS, MINERS = "team:platform", "team:operators", "team:miners"
"""Who answers for an asset: this code, the people who run the competition, or those in it."""
Source = type | Callable[..., object]


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
        deps=[str(dep) for dep in deps],
        description=f"{description}\n\n`{shown_path(asset)}`",
        group_name=asset.entry.stage.value,
        kinds=kinds,
        owners=[owner],
        tags=dict(_tags(asset)),
        metadata=code_references({"format": asset.entry.format})
        | {"dagster/column_schema": column_schema(asset.entry.format)},
        partitions_def=ROUNDS,
        skippable=True,
    )


def made_by(spec: dg.AssetSpec, work: Callable[..., object]) -> dg.AssetSpec:
    """An asset of the catalogue with links to the function that makes it and to its format."""
    file_format = Asset(spec.key.to_user_string()).entry.format
    return spec.merge_attributes(metadata=code_references({"made by": work, "format": file_format}))


def with_sources(
    spec: dg.AssetSpec, sources: Mapping[str, Source], replayed: str = NO_REPLAY
) -> dg.AssetSpec:
    """An asset that is none of the catalogue's, with links to its sources, the columns of the one
    that is its `format`, and how a replay takes it.
    """
    metadata = code_references(sources)
    if isinstance(file_format := sources.get("format"), type):
        metadata["dagster/column_schema"] = column_schema(file_format)
    return spec.merge_attributes(tags={REPLAY_TAG: replayed}, metadata=metadata)


def shown_path(asset: Asset) -> str:
    """An asset's file as a description shows it."""
    file = asset.entry.file
    return file if asset.entry.shared else f"rounds/{{n}}/{file}"


def _tags(asset: Asset) -> Mapping[str, str]:
    """The lane that makes an asset, and whether a replay derives it or takes it as evidence."""
    lane = {LANE_TAG: asset.entry.lane.value} if asset.entry.lane else {}
    replayed = EVIDENCE if asset.entry.evidence else DERIVED
    return lane | {REPLAY_TAG: replayed if asset in REPLAYED else NO_REPLAY}


def code_references(sources: Mapping[str, Source]) -> dict[str, Any]:
    """The metadata by which the UI links to source files; the keys say what each source is."""
    # A derivation that two editions share is one function with other arguments in each.
    functions = {
        role: source.func if isinstance(source, partial) else source
        for role, source in sources.items()
    }
    with warnings.catch_warnings():
        # Links to code are new in 1.13, which is pinned.
        warnings.simplefilter("ignore", BetaWarning)
        references = [
            dg.LocalFileCodeReference(
                file_path=inspect.getfile(source),
                line_number=inspect.getsourcelines(source)[1],
                label=f"{role} {source.__name__}",
            )
            for role, source in functions.items()
        ]
        links = dg.CodeReferencesMetadataValue(code_references=references)
    return {"dagster/code_references": links}
