"""What a round leaves behind: the leader's entry, and the changes of the state."""

from gen404_assets.assets.round_asset import round_assets
from gen404_assets.assets.specs import made_by, round_spec
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.live.finalizing import finalize
from gen404_assets.live.work import state_file

leader = round_spec(
    Asset.LEADER,
    deps=[Asset.WINNER, Asset.DEFENDING_LEADER, "config"],
    kinds={"json", "bittensor"},
    description="Who leads after the round, from which block, with which weight: new code takes "
    "over with full weight, "
    "a defence decays it. Validators set weights from it.",
)
state = round_spec(
    Asset.STATE,
    deps=[Asset.SCHEDULE, Asset.PROMPTS, Asset.RENDERS, Asset.WINNER, Asset.LEADER],
    kinds={"json"},
    description="The stages that the round went through, each with the commit that began it.",
)
ASSETS = [
    round_assets([leader], finalize, Lane.FINALIZING),
    round_assets([made_by(state, state_file)]),
]
