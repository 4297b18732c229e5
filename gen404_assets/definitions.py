"""Everything wired: the assets, the resource they read, and the sensors that keep them up to date."""

import dagster as dg

from gen404_assets import downloading, finalizing, generation, given, judging, opening
from gen404_assets.resource import CompetitionResource
from sensors.mirror import mirror

defs = dg.Definitions(
    assets=[
        *given.ASSETS,
        *opening.ASSETS,
        *generation.ASSETS,
        *downloading.ASSETS,
        *judging.ASSETS,
        *finalizing.ASSETS,
    ],
    sensors=[mirror],
    resources={
        "competition": CompetitionResource(
            url=dg.EnvVar("COMPETITION_REPO"), branch=dg.EnvVar("GITHUB_BRANCH").get_value("main") or "main"
        )
    },
    executor=dg.in_process_executor,
)
