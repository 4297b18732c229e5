"""A validator's weights as an asset, which is there where `SET_WEIGHTS` asks for it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from gen404_assets.assets import shown
from gen404_assets.assets.resource import CompetitionResource
from gen404_assets.assets.specs import PLATFORM, with_sources
from gen404_assets.live.weights import Outcome, set_weights
from gen404_assets.settings import home

WEIGHTS_TAG = "gen404/weights"
"""On a run: it sets weights."""


@dg.multi_asset(
    specs=[
        with_sources(
            dg.AssetSpec(
                "weights",
                description="A validator's weights on the chain, from `leader.json`: the leader's "
                "weight, and the rest for the subnet's owner. Set every 30 minutes and right after "
                "a change, and read back.",
                group_name="validating",
                kinds={"bittensor"},
                owners=[PLATFORM],
                skippable=True,
            ),
            {"made by": set_weights},
        )
    ],
)
def weights(
    context: dg.AssetExecutionContext, competition: CompetitionResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Set the weights where it is time; the run's log says why not otherwise."""
    outcome = set_weights(competition.outside(), home())
    context.log.info(outcome.text())
    if outcome.placed is not None:
        yield dg.MaterializeResult(metadata=_metadata(outcome))


def _metadata(outcome: Outcome) -> dict[str, Any]:
    weights = {str(uid): weight for uid, weight in (outcome.weights or {}).items()}
    known: dict[str, Any] = {"weights": weights}
    if outcome.entry is not None:
        known["leader"] = outcome.entry.hotkey
    if outcome.placed is not None:
        known["block"] = outcome.placed.block
        known["hidden until revealed"] = outcome.placed.hidden
    return shown.metadata(known)
