"""Every model of settings, by its subject: what `gen404 settings`, README's table and the resources
of Dagster's UI are made from.
"""

from dataclasses import dataclass

from pydantic import BaseModel

from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.settings import Rules
from gen404_assets.live.work import Pace
from gen404_assets.settings import LocalSettings, PlatformSettings, RepositorySettings
from resources.alerts import AlertSettings
from resources.builds import BuildSettings
from resources.chain.opening import ChainSettings
from resources.chain.weights import ValidatorSettings
from resources.distance import DistanceSettings
from resources.downloads import DownloadSettings
from resources.judge import JudgeSettings
from resources.object_store import StoreSettings
from resources.providers.opening import ProviderSettings
from resources.providers.targon import TargonSettings
from resources.providers.verda import VerdaSettings
from resources.renderer import RendererSettings


@dataclass(frozen=True, slots=True)
class Subject:
    """One model of settings. `adapter`: the Dagster resource that shows it; None where it is no
    adapter's.
    """

    title: str
    model: type[BaseModel]
    adapter: str | None = None


SUBJECTS = (
    Subject("Repository", RepositorySettings, "repository"),
    Subject("Platform", PlatformSettings),
    Subject("Alerts", AlertSettings),
    Subject("Chain", ChainSettings, "chain"),
    Subject("Validator", ValidatorSettings),
    Subject("Object store", StoreSettings, "object_store"),
    Subject("Judge", JudgeSettings, "judge"),
    Subject("Renderer", RendererSettings, "renderer"),
    Subject("Distance", DistanceSettings, "distance"),
    Subject("GPU providers", ProviderSettings, "gpu_providers"),
    Subject("Targon", TargonSettings, "gpu_providers"),
    Subject("Verda", VerdaSettings, "gpu_providers"),
    Subject("Builds", BuildSettings, "builds"),
    Subject("Downloads", DownloadSettings, "downloads"),
    Subject("Pace", Pace),
    Subject("Pods", PodRules),
    Subject("Rules", Rules),
    Subject("Local network", LocalSettings),
)
"""A setting that several of them read is shown under the first."""
