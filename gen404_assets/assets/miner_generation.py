"""What is made with the miners' images: their builds and the leader's baseline."""

from gen404_assets.assets.round_asset import round_assets
from gen404_assets.assets.specs import round_spec
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.live.auditing import make_baseline
from gen404_assets.live.building import track_builds

builds = round_spec(
    Asset.BUILDS,
    deps=[Asset.SUBMISSIONS],
    kinds={"json", "docker", "github"},
    description="The Docker image of each submission, as GitHub Actions builds it from the commit.",
)
baseline = round_spec(
    Asset.BASELINE,
    deps=[Asset.DEFENDING_LEADER, Asset.PROMPTS, Asset.SEED],
    kinds={"json", "s3"},
    description="What the defending leader's image makes of the prompts: the leader plays with it.",
)
ASSETS = [
    round_assets([builds], track_builds, Lane.BUILDS),
    round_assets([baseline], make_baseline, Lane.BASELINE),
]
