"""What the miners submitted: downloaded from their CDNs and rendered."""

from gen404_assets.round_asset import round_asset

GROUP = "downloading"

renders = round_asset(
    "renders",
    group=GROUP,
    deps=["submissions", "prompts"],
    kinds={"json", "s3"},
    description="Every miner's 3D files and their previews, prompt by prompt; null where one could not be had.",
)
ASSETS = [renders]
