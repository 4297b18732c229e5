"""Files of a round as assets: what is due in the round under way is done and published; any other
round is derived again and compared, and nothing is written.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_shared.utils.warnings import PreviewWarning

from gen404_assets.assets import refusals
from gen404_assets.assets.events import (
    CHECK,
    check_result,
    differences,
    recorded_metadata,
    recorded_version,
)
from gen404_assets.assets.farthest_pairs import farthest_pairs
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.resource import CompetitionResource, hold
from gen404_assets.competition.due import Lane
from gen404_assets.live.work import Overtaken, Work
from gen404_assets.replay.history import History
from gen404_assets.replay.rounds import ASSETS, replay_round

Live = Callable[[Work], object]


def round_spec(
    name: str, *, group: str, deps: Sequence[str], kinds: set[str], description: str
) -> dg.AssetSpec:
    """The asset of that name, partitioned by round."""
    return dg.AssetSpec(
        name,
        deps=list(deps),
        description=f"{description}\n\n`{shown_path(name)}`",
        group_name=group,
        kinds=kinds,
        partitions_def=ROUNDS,
        skippable=True,
    )


def round_assets(
    specs: Sequence[dg.AssetSpec], live: Live | None = None, lane: Lane | None = None
) -> dg.AssetsDefinition:
    """Assets that are made together: `live` does what is due of them in `lane`. Each has its replay
    as a check.
    """
    names = [spec.key.to_user_string() for spec in specs]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", PreviewWarning
        )  # checks by partition: new in 1.13, which is pinned
        checks = [
            dg.AssetCheckSpec(
                CHECK,
                asset=name,
                description="The recorded file is what the rules derive.",
                partitions_def=ROUNDS,
            )
            for name in names
        ]

    @dg.multi_asset(specs=specs, check_specs=checks, name="_".join(names), can_subset=True)
    def make(
        context: dg.AssetExecutionContext, competition: CompetitionResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        number = int(context.partition_key)
        if live is None or lane is None or not competition.operates:
            yield from _selected(
                context, competition, competition.history(context.run.run_id), (number, names)
            )
            return
        with hold(
            lane
        ) as held:  # until all is told: whose lane is free and who says nothing is taken for dead
            if held:
                _work(context, competition, number, live)
            else:
                context.log.info(f"another run works in the lane {lane}")
            history = competition.history_now()
            yield from _selected(context, competition, history, (number, names), worked=held)

    return make


def _work(
    context: dg.AssetExecutionContext, competition: CompetitionResource, number: int, live: Live
) -> None:
    """Do what is due in the lane that is held."""
    try:
        live(Work(competition.outside(), number, context.log.info, context.log.error))
    except Overtaken as reason:
        context.log.info(f"nothing to do: {reason}")


def _selected(
    context: dg.AssetExecutionContext,
    competition: CompetitionResource,
    history: History,
    wanted: tuple[int, Sequence[str]],
    *,
    worked: bool = False,
) -> Iterator[dg.MaterializeResult[None]]:
    """Those of the wanted assets of a round that the run is about, on which it has `worked` or
    not.
    """
    number, names = wanted
    for name in names:
        if dg.AssetKey(name) in context.selected_asset_keys:
            more: Mapping[str, Any] = {}
            if (
                name == "audits" and competition.operates
            ):  # those who only look have no store to look into
                shown = farthest_pairs(history.round(number), competition.outside().read)
                more = {"farthest pairs": dg.MetadataValue.md(shown)}
            if name == refusals.ASSET:
                more = refusals.refusal_metadata(
                    history.round(number),
                    context.instance,
                    competition.chain_of(history, number),
                    anew=worked and not history.is_past(number),
                )
            yield from _compared(context, history, (number, name), more)


def _compared(
    context: dg.AssetExecutionContext,
    history: History,
    partition: tuple[int, str],
    more: Mapping[str, Any],
) -> Iterator[dg.MaterializeResult[None]]:
    """The asset as the repository has it, with `more` metadata, beside what the rules derive;
    nothing if the round hasn't come so far.
    """
    number, name = partition
    version = recorded_version(history, number, name)
    if version is None:
        context.log.info(f"{name}: round {number} has not come so far")
        return
    replayed = replay_round(history, number, CompetitionResource.rules(), assets=[name])
    for fit in replayed.versions:
        context.log.info(
            f"rule {fit.rule}: version {fit.fits} explains {fit.explains[fit.fits]} of {fit.files}"
        )
    checked = check_result(name, replayed.files)
    yield dg.MaterializeResult(
        asset_key=name,
        metadata=recorded_metadata(history, number, name)
        | dict(more)
        | {f"rule: {fit.rule}": fit.fits for fit in replayed.versions}
        | {"replay": checked.description, "differences": differences(replayed.files)},
        data_version=dg.DataVersion(version),
        check_results=[checked],
    )


def shown_path(name: str) -> str:
    """An asset's file as a description shows it."""
    shared = {"leader", "state"}
    return ASSETS[name] if name in shared else f"rounds/{{n}}/{ASSETS[name]}"
