"""Everything wired: the assets, the resource they read, and the sensors that keep them up to
date.
"""

import os

import dagster as dg

from gen404_assets.assets import downloading, finalizing
from gen404_assets.assets import duels as judging
from gen404_assets.assets import inputs as given
from gen404_assets.assets import miner_generation as generation
from gen404_assets.assets import open as opening
from gen404_assets.assets.resource import CompetitionResource
from gen404_assets.settings import operates
from sensors.lanes import SENSORS
from sensors.mirror import mirror
from sensors.reaper import reaper

defs = dg.Definitions(
    assets=[
        *given.ASSETS,
        *opening.ASSETS,
        *generation.ASSETS,
        *downloading.ASSETS,
        *judging.ASSETS,
        *finalizing.ASSETS,
    ],
    sensors=[mirror, *SENSORS, reaper],
    resources={
        "competition": CompetitionResource(
            url=dg.EnvVar("COMPETITION_REPO"),
            branch=os.environ.get("GITHUB_BRANCH", "main"),
            operates=operates(os.environ),
        )
    },
    executor=dg.in_process_executor,
)
