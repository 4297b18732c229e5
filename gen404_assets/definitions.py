"""Everything wired: the assets, the resources they use, and the sensors that keep them up to
date.
"""

import os

import dagster as dg

from gen404_assets.assets import downloading, duels, finalizing, inputs, miner_generation
from gen404_assets.assets import open as open_stage
from gen404_assets.assets.resource import competition_resources
from gen404_assets.settings import platform_settings
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
    resources=competition_resources(os.environ, operates=platform_settings().gen404_operate),
    executor=dg.in_process_executor,
)
