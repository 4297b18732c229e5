"""The adapters to the outside as Dagster resources: what is set of each, as the UI shows it."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from pydantic import BaseModel, Field, SecretStr, create_model
from pydantic.fields import FieldInfo

from gen404_assets.settings import RepositorySettings
from resources.builds import BuildSettings
from resources.chain.opening import ChainSettings
from resources.distance import DistanceSettings
from resources.downloads import DownloadSettings
from resources.judge import JudgeSettings
from resources.object_store import StoreSettings
from resources.providers.opening import ProviderSettings
from resources.providers.targon import TargonSettings
from resources.providers.verda import VerdaSettings
from resources.renderer import RendererSettings
from resources.settings import is_secret, setting_fields

MODELS: Mapping[str, tuple[type[BaseModel], ...]] = {
    "repository": (RepositorySettings,),
    "chain": (ChainSettings,),
    "object_store": (StoreSettings,),
    "downloads": (DownloadSettings,),
    "renderer": (RendererSettings,),
    "judge": (JudgeSettings,),
    "distance": (DistanceSettings,),
    "gpu_providers": (ProviderSettings, TargonSettings, VerdaSettings),
    "builds": (BuildSettings,),
}
"""Resource -> the models of its settings. A setting that two of them read stands in the first."""

_MAY_HOLD_A_KEY = {"competition_repo", "subtensor_network"}
"""Addresses that may have a token in them."""

_HIDDEN = _MAY_HOLD_A_KEY | {
    name
    for models in MODELS.values()
    for model in models
    for name, field in setting_fields(model).items()
    if is_secret(field)
}
"""Settings of which the UI shows the name of the variable, never the value."""


class AdapterResource(dg.ConfigurableResource[None]):
    """An adapter's settings, each as the text of the environment variable of its name in capitals.

    They are read where the adapter is first used, so that a competition can be looked at without
    a judge or a store. `None` is a setting that is not set and has no default.
    """

    def environment(self) -> dict[str, str]:
        """The settings that are set, by the names of their environment variables."""
        values = {name.upper(): getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value is not None}


def adapter_resources(environment: Mapping[str, str]) -> dict[str, AdapterResource]:
    """Every adapter's resource, as `environment` sets it. A secret is given as the name of its
    variable, from which Dagster reads it in the process that needs it.
    """
    return {
        name: resource(
            **{
                key: dg.EnvVar(key.upper()) if key in _HIDDEN else text
                for key, text in _values(resource, environment)
            }
        )
        for name, resource in _RESOURCES.items()
    }


def adapters_in(environment: Mapping[str, str]) -> dict[str, AdapterResource]:
    """The same for use in this process, without Dagster: secrets stand in them."""
    return {
        name: resource(**dict(_values(resource, environment)))
        for name, resource in _RESOURCES.items()
    }


def _values(
    resource: type[AdapterResource], environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The settings of a resource that are set, as text."""
    for name in resource.model_fields:
        if text := environment.get(name.upper(), "").strip():
            yield name, text


def _default(field: FieldInfo) -> str | None:
    """A setting's default as the text of its variable."""
    value = None if field.is_required() else field.default
    if value is None or isinstance(value, SecretStr):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _resource(name: str, fields: Mapping[str, FieldInfo]) -> type[AdapterResource]:
    definitions: dict[str, Any] = {
        key: (
            str | None,
            Field(_default(field), description=field.description, repr=key not in _HIDDEN),
        )
        for key, field in fields.items()
    }
    title = "".join(map(str.title, name.split("_")))
    about = " ".join(model.__doc__ or "" for model in MODELS[name])
    return create_model(
        f"{title}Resource",
        __base__=AdapterResource,
        __doc__=about,
        __module__=__name__,
        **definitions,
    )


def _all_resources() -> Iterator[tuple[str, type[AdapterResource]]]:
    seen: set[str] = set()
    for name, models in MODELS.items():
        fields = {key: field for model in models for key, field in setting_fields(model).items()}
        yield name, _resource(name, {key: fields[key] for key in fields if key not in seen})
        seen |= set(fields)


_RESOURCES = dict(_all_resources())
VARIABLES = frozenset(
    key.upper() for resource in _RESOURCES.values() for key in resource.model_fields
)
"""The environment variables that the adapters' resources stand for."""
