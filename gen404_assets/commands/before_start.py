"""What is looked at before anything starts: every setting."""

from collections.abc import Mapping

from gen404_assets.competition.pods import PodRules
from gen404_assets.live.outside import Outside
from gen404_assets.live.work import Pace
from gen404_assets.settings import PlatformSettings, RepositorySettings
from resources.alerts import open_sender
from resources.settings import read_settings


def check(environment: Mapping[str, str]) -> None:
    """Read every setting before anything starts. Raises BadSetting."""
    for model in (PlatformSettings, RepositorySettings, Pace, PodRules):
        read_settings(model, environment)
    open_sender(environment)
    outside = Outside(environment)
    for name in (
        "rules",
        "chain",
        "store",
        "downloads",
        "judge",
        "distance",
        "providers",
        "builds",
    ):
        getattr(outside, name)
    outside.close()
