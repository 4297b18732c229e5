"""Everything wired: the assets, the resource they read, and the sensors that keep them up to
date.
"""

import os

import dagster as dg

from gen404_assets.assets import downloading, duels, finalizing, inputs, miner_generation
from gen404_assets.assets import open as open_stage
from gen404_assets.assets.resource import CompetitionResource
from gen404_assets.settings import RepositorySettings, platform_settings
from resources.settings import read_settings
from sensors.lanes import SENSORS
from sensors.mirror import mirror
from sensors.reaper import reaper

defs = dg.Definitions(
    assets=[
        *inputs.ASSETS,
        *open_stage.ASSETS,
        *miner_generation.ASSETS,
        *downloading.ASSETS,
        *duels.ASSETS,
        *finalizing.ASSETS,
    ],
    sensors=[mirror, *SENSORS, reaper],
    resources={
        "competition": CompetitionResource(
            url=dg.EnvVar("COMPETITION_REPO"),
            branch=read_settings(RepositorySettings, os.environ).github_branch,
            operates=platform_settings().gen404_operate,
        )
    },
    executor=dg.in_process_executor,
)
