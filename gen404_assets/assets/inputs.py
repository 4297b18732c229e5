"""What the graph takes from outside: what a person writes, what the chain holds, who leads as a
round begins.
"""

import dagster as dg

from gen404_assets.assets.specs import MINERS, OPERATORS, made_by, round_spec, with_sources
from gen404_assets.assets.tags import EVIDENCE
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.commitments import read_submissions
from gen404_assets.competition.config import Config
from gen404_assets.competition.prompts import Prompt, parse_prompts
from gen404_assets.competition.round import CONFIG, POOL
from gen404_assets.live.finalizing import finalize


def config_in(file_format: type) -> dg.AssetSpec:
    """The competition's configuration in its edition's format."""
    spec = dg.AssetSpec(
        "config",
        group_name="open",
        kinds={"json"},
        owners=[OPERATORS],
        description="The competition as its operator set it up.\n\n`config.json`",
    )
    return with_sources(spec, {"format": file_format}, EVIDENCE)


prompt_pool = with_sources(
    dg.AssetSpec(
        "prompt_pool",
        group_name="open",
        kinds={"text"},
        owners=[OPERATORS],
        description="All prompt pictures, one URL a line.\n\n`prompts.txt`",
    ),
    {"read by": parse_prompts, "format": Prompt},
    EVIDENCE,
)
commitments = with_sources(
    dg.AssetSpec(
        "commitments",
        group_name="open",
        kinds={"bittensor"},
        owners=[MINERS],
        description="What miners reveal on the chain. Read when a round's window has closed; no "
        "file of the repository.",
    ),
    {"read by": read_submissions},
)
defending_leader = round_spec(
    Asset.DEFENDING_LEADER,
    kinds={"json"},
    description="Who leads as the round begins: what the rounds before made of `leader.json`. It "
    "stands apart from `leader`, which the round itself continues, since a graph can't run in a "
    "circle.",
)
source_audits = round_spec(
    Asset.SOURCE_AUDITS,
    kinds={"json"},
    owner=OPERATORS,
    description="A person's verdicts on the source code of candidates.",
)
ASSETS = [
    config_in(Config),
    prompt_pool,
    commitments,
    made_by(defending_leader, finalize),
    source_audits,
]
SHARED = {"config": CONFIG, "prompt_pool": POOL}
"""The assets that all rounds share, and their files."""
