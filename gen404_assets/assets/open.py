"""What opens a round: the schedule, who takes part, the seed and the prompts."""

from gen404_assets.assets.round_asset import round_assets
from gen404_assets.assets.specs import made_by, round_spec
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.live.finalizing import finalize
from gen404_assets.live.opening import open_round

schedule = round_spec(
    Asset.SCHEDULE,
    deps=["config"],
    kinds={"json"},
    description="The round's window of blocks: miners reveal from the first to the second, files "
    "are due at the third. "
    "Made when the round before was finalised, from its schedule and the date.",
)
submissions = round_spec(
    Asset.SUBMISSIONS,
    deps=[Asset.SCHEDULE, "commitments"],
    kinds={"json"},
    description="Who takes part, in order of reveal: the code and the CDN that each miner "
    "committed to on the chain "
    "inside the window.",
)
seed = round_spec(
    Asset.SEED,
    deps=[Asset.SCHEDULE],
    kinds={"json"},
    description="The random seed that every miner generates with, from the hash of the window's "
    "last block.",
)
prompts = round_spec(
    Asset.PROMPTS,
    deps=[Asset.SEED, "prompt_pool", "config"],
    kinds={"text"},
    description="The round's prompt pictures: some of the round before, the rest drawn from the "
    "pool by the seed. "
    "A carried-over share makes rounds comparable.",
)
ASSETS = [
    round_assets([made_by(schedule, finalize)]),
    round_assets([submissions, seed, prompts], open_round, Lane.COLLECTION),
]
