"""Everything wired: the assets, the resources they use, and the sensors that keep them up to
date.
"""

import logging
import os
from collections.abc import Mapping

import dagster as dg

from gen404_assets.assets import (
    downloading,
    duels,
    finalizing,
    inputs,
    miner_generation,
    report,
    standing,
    weights,
)
from gen404_assets.assets import open as open_stage
from gen404_assets.assets.editions import edition_assets
from gen404_assets.assets.resource import NO_REPOSITORY, competition_resources
from gen404_assets.replay.editions.choosing import COMPETITION_1, EDITIONS
from gen404_assets.settings import platform_settings
from resources.chain.weights import ValidatorSettings
from resources.settings import read_settings, setting
from sensors.lanes import SENSORS
from sensors.mirror import mirror
from sensors.reaper import reaper
from sensors.standing import standing as standing_sensor
from sensors.weights import weights as weights_sensor


def definitions(environment: Mapping[str, str]) -> dg.Definitions:
    """Everything wired for the competition that `environment` names."""
    if not setting(environment, "COMPETITION_REPO"):
        logging.getLogger("dagster").warning(NO_REPOSITORY)
    # A bad setting is named where its adapter is first used: the UI is there to show it.
    edition = EDITIONS.get(setting(environment, "COMPETITION_EDITION"), COMPETITION_1)
    if edition is not COMPETITION_1:
        return dg.Definitions(
            assets=edition_assets(edition),
            sensors=[mirror],
            resources=competition_resources(environment, operates=False),
            executor=dg.in_process_executor,
        )
    validates = read_settings(ValidatorSettings, environment).set_weights
    return dg.Definitions(
        assets=[
            *inputs.ASSETS,
            *open_stage.ASSETS,
            *miner_generation.ASSETS,
            *downloading.ASSETS,
            *duels.ASSETS,
            *finalizing.ASSETS,
            *report.ASSETS,
            standing.spec,
            *([weights.weights] if validates else []),
        ],
        sensors=[
            mirror,
            standing_sensor,
            *SENSORS,
            reaper,
            *([weights_sensor] if validates else []),
        ],
        resources=competition_resources(
            environment, operates=platform_settings(environment).gen404_operate
        ),
        executor=dg.in_process_executor,
    )


defs = definitions(os.environ)
