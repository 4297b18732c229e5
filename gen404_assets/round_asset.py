"""One file of a round as an asset: materialising a past round derives it again, compares, and writes nothing."""

import warnings
from collections.abc import Iterator, Sequence

import dagster as dg
from dagster_shared.utils.warnings import PreviewWarning

from gen404_assets.competition.replay.rounds import ASSETS, replay_round
from gen404_assets.events import CHECK, check_result, differences, recorded_metadata, recorded_version
from gen404_assets.partitions import ROUNDS
from gen404_assets.resource import CompetitionResource


def round_asset(
    name: str, *, group: str, deps: Sequence[str], kinds: set[str], description: str
) -> dg.AssetsDefinition:
    """The asset of that name, partitioned by round, with its replay as a check."""
    spec = dg.AssetSpec(
        name,
        deps=list(deps),
        description=f"{description}\n\n`{shown_path(name)}`",
        group_name=group,
        kinds=kinds,
        partitions_def=ROUNDS,
        skippable=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreviewWarning)  # checks by partition: new in 1.13, which is pinned
        check = dg.AssetCheckSpec(
            CHECK, asset=name, description="The recorded file is what the rules derive.", partitions_def=ROUNDS
        )

    @dg.multi_asset(specs=[spec], check_specs=[check], name=name, can_subset=True)
    def replay(
        context: dg.AssetExecutionContext, competition: CompetitionResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        number = int(context.partition_key)
        history = competition.history(context.run.run_id)
        version = recorded_version(history, number, name)
        if version is None:
            context.log.info(f"round {number} has not come so far")
            return
        replayed = replay_round(history, number, competition.rules(), assets=[name])
        for fit in replayed.versions:
            context.log.info(f"rule {fit.rule}: version {fit.fits} explains {fit.explains[fit.fits]} of {fit.files}")
        checked = check_result(replayed.files)
        yield dg.MaterializeResult(
            asset_key=name,
            metadata=recorded_metadata(history, number, name)
            | {f"rule: {fit.rule}": fit.fits for fit in replayed.versions}
            | {"replay": checked.description, "differences": differences(replayed.files)},
            data_version=dg.DataVersion(version),
            check_results=[checked],
        )

    return replay


def shown_path(name: str) -> str:
    """An asset's file as a description shows it."""
    shared = {"leader", "state"}
    return ASSETS[name] if name in shared else f"rounds/{{n}}/{ASSETS[name]}"
