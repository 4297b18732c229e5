"""What the graph takes from outside: what a person writes, what the chain holds, who leads as a
round begins.
"""

import dagster as dg

from gen404_assets.assets.partitions import ROUNDS

config = dg.AssetSpec(
    "config",
    group_name="open",
    kinds={"json"},
    description="The competition as its operator set it up.\n\n`config.json`",
)
prompt_pool = dg.AssetSpec(
    "prompt_pool",
    group_name="open",
    kinds={"text"},
    description="All prompt pictures, one URL a line.\n\n`prompts.txt`",
)
commitments = dg.AssetSpec(
    "commitments",
    group_name="open",
    kinds={"bittensor"},
    description="What miners reveal on the chain. Read when a round's window has closed; no file "
    "of the repository.",
)
defending_leader = dg.AssetSpec(
    "defending_leader",
    group_name="miner_generation",
    kinds={"json"},
    partitions_def=ROUNDS,
    description="Who leads as the round begins: what the rounds before made of `leader.json`. It "
    "stands apart from "
    "`leader`, which the round itself continues, since a graph can't run in a circle.",
)
source_audits = dg.AssetSpec(
    "source_audits",
    group_name="duels",
    kinds={"json"},
    partitions_def=ROUNDS,
    description="A person's verdicts on the source code of "
    "candidates.\n\n`rounds/{n}/source_audit.json`",
)
ASSETS = [config, prompt_pool, commitments, defending_leader, source_audits]
SHARED = {"config": "config.json", "prompt_pool": "prompts.txt"}
"""The assets that all rounds share, and their files."""
