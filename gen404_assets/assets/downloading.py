"""What the miners submitted: downloaded from their CDNs and rendered."""

from gen404_assets.assets.round_asset import round_assets
from gen404_assets.assets.specs import round_spec
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.live.collecting import collect

renders = round_spec(
    Asset.RENDERS,
    deps=[Asset.SUBMISSIONS, Asset.PROMPTS],
    kinds={"json", "s3"},
    description="Every miner's 3D files and their previews, prompt by prompt; null where one "
    "could not be had.",
)
ASSETS = [round_assets([renders], collect, Lane.COLLECTION)]
