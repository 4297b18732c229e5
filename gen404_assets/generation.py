"""What is made with the miners' images: their builds and the leader's baseline."""

from gen404_assets.round_asset import round_asset

GROUP = "miner_generation"

builds = round_asset(
    "builds",
    group=GROUP,
    deps=["submissions"],
    kinds={"json", "docker", "github"},
    description="The Docker image of each submission, as GitHub Actions builds it from the commit.",
)
baseline = round_asset(
    "baseline",
    group=GROUP,
    deps=["defending_leader", "prompts", "seed"],
    kinds={"json", "s3"},
    description="What the defending leader's image makes of the prompts: the leader plays with it.",
)
ASSETS = [builds, baseline]
