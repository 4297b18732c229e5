"""Files of a round as assets: what is due in the round under way is done and published; any other
round is derived again and compared, and nothing is written.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from gen404_assets.assets.shown import markdown, metadata, plain_teller
from gen404_assets.assets.specs import made_by
from gen404_assets.assets.tags import LANE_TAG
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.competition.history import History
from gen404_assets.competition.plain_text import plain
from gen404_assets.live.lane_run import run_lane
from gen404_assets.live.progress import Progress
from gen404_assets.live.words_measured import WordsMeasured
from gen404_assets.live.work import Work
from gen404_assets.replay.rounds import replay_round
from gen404_assets.settings import home

Live = Callable[[Work], object]


def round_assets(
    specs: Sequence[dg.AssetSpec], live: Live | None = None, lane: Lane | None = None
) -> dg.AssetsDefinition:
    """Assets that are made together: `live` does what is due of them in `lane`. Each has its replay
    as a check.
    """
    assets = [Asset(spec.key.to_user_string()) for spec in specs]

    @dg.multi_asset(
        specs=[made_by(spec, live) for spec in specs] if live else specs,
        check_specs=[check_spec(asset) for asset in assets],
        name="_".join(assets),
        can_subset=True,
    )
    def make(
        context: dg.AssetExecutionContext, competition: CompetitionResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        wanted = [asset for asset in assets if dg.AssetKey(asset) in context.selected_asset_keys]
        if live is None or lane is None or _only_looks(context, competition):
            history = competition.history(context.run.run_id)
            yield from _Partition(context, competition, history).results(wanted)
            return
        # The lane is held until all events are logged: a run that logs nothing for long while its
        # lane is free is taken for dead.
        with hold(lane) as held:
            if held:
                _work(context, competition, lane, live)
            else:
                context.log.info(f"another run works in the lane {lane}")
            history = competition.history_now()
            yield from _Partition(context, competition, history, worked=held).results(wanted)

    return make


def _only_looks(context: dg.AssetExecutionContext, competition: CompetitionResource) -> bool:
    """Whether nothing is worked on: the platform looks only, or the round is past. A backfill of
    past rounds must not hold the lanes: live work would wait for its end.
    """
    if not competition.operates:
        return True
    if LANE_TAG in context.run.tags:
        return False  # a sensor has just found it due
    return competition.history(context.run.run_id).is_past(int(context.partition_key))


def say_missing(
    context: dg.AssetExecutionContext, missing: Sequence[str], where: str, count: int
) -> None:
    """Say which of a run's `count` assets are not there yet, and where the round stands.
    Fails where that is all that a person asked for.
    """
    if not missing:
        return
    what = f"{', '.join(missing)} of round {context.partition_key}"
    reason = plain(f"{what}: not there yet ({where})")
    if len(missing) == count and LANE_TAG not in context.run.tags:
        raise dg.Failure(reason, allow_retries=False)
    context.log.warning(reason)


def check_spec(asset: str) -> dg.AssetCheckSpec:
    """The check of an asset that its replay is."""
    with warnings.catch_warnings():
        # Checks by partition are new in 1.13, which is pinned.
        warnings.simplefilter("ignore", PreviewWarning)
        return dg.AssetCheckSpec(
            CHECK,
            asset=str(asset),
            description="The recorded file is what the rules derive.",
            partitions_def=ROUNDS,
        )


def _work(
    context: dg.AssetExecutionContext, competition: CompetitionResource, lane: Lane, live: Live
) -> None:
    """Do what is due in the lane that is held."""
    number = int(context.partition_key)
    say, alert = plain_teller(context.log.info), plain_teller(context.log.error)
    work = Work(competition.outside(), number, say, alert)
    run_lane(work, lane, live, Progress(home() / "progress"))


@dataclass(frozen=True, slots=True)
class _Partition:
    """The round that a run is about, as the repository has it at the commit of `history`."""

    context: dg.AssetExecutionContext
    competition: CompetitionResource
    history: History
    worked: bool = False
    """Whether the run has just worked on the round."""

    @property
    def number(self) -> int:
        return int(self.context.partition_key)

    def results(self, assets: Sequence[Asset]) -> Iterator[dg.MaterializeResult[None]]:
        """What there is of the assets. Fails where a person asked for what isn't there yet; a run
        that a sensor asked for may find its work done for an asset that the round goes without.
        """
        missing = []
        for asset in assets:
            version = recorded_version(self.history, self.number, asset)
            if version is None:
                missing.append(asset.value)
            else:
                yield self._compared(asset, version)
        state = self.history.round(self.number).state
        where = (
            f"round {state.current_round} is {state.stage}" if state else "there is no state.json"
        )
        say_missing(self.context, missing, where, len(assets))

    def _compared(self, asset: Asset, version: str) -> dg.MaterializeResult[None]:
        """The asset as the repository has it, beside what the rules derive."""
        replayed = replay_round(
            self.history, self.number, CompetitionResource.rules(), assets=[asset]
        )
        for fit in replayed.versions:
            explained = f"{fit.explains[fit.fits]} of {fit.files}"
            self.context.log.info(f"rule {fit.rule}: version {fit.fits} explains {explained}")
        checked = check_result(asset.value, replayed.files)
        return dg.MaterializeResult(
            asset_key=asset.value,
            metadata=recorded_metadata(self.history, self.number, asset)
            | self._from_outside(asset)
            | {f"rule: {fit.rule}": fit.fits for fit in replayed.versions}
            | {"replay": checked.description, "differences": differences(replayed.files)},
            data_version=dg.DataVersion(version),
            check_results=[checked],
        )

    def _from_outside(self, asset: Asset) -> dict[str, Any]:
        """What an asset shows that no file of the repository holds."""
        if asset is Asset.SUBMISSIONS:
            return refusals.refusal_metadata(
                self.history.round(self.number),
                self.context.instance,
                self.competition.chain_of(self.history, self.number),
                anew=self.worked and not self.history.is_past(self.number),
            )
        if asset is Asset.DUELS and self.competition.operates:
            words = WordsMeasured(self.competition.outside().shared.notes).in_round(self.number)
            return metadata({"words in pictures": words})
        if asset is Asset.AUDITS and self.competition.operates:
            # Those who only look have no store to look into.
            pairs = farthest_pairs(self.history.round(self.number), self.competition.outside().read)
            return {"farthest pairs": markdown(pairs)}
        return {}
