"""The adapters to the outside as Dagster resources: what is set of each, as the UI shows it."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from pydantic import BaseModel, Field, SecretStr, create_model
from pydantic.fields import FieldInfo

from gen404_assets.live.subjects import SUBJECTS
from resources.settings import is_hidden, setting, setting_fields

MODELS: Mapping[str, tuple[type[BaseModel], ...]] = {
    adapter: tuple(subject.model for subject in SUBJECTS if subject.adapter == adapter)
    for adapter in dict.fromkeys(subject.adapter for subject in SUBJECTS)
    if adapter is not None
}
"""Resource -> the models of its settings. A setting that two of them read stands in the first."""

_FIELDS = {
    key: field
    for models in MODELS.values()
    for model in models
    for key, field in setting_fields(model).items()
}


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
    """Every adapter's resource, as `environment` sets it. What must not be shown is given as the
    name of its variable, from which Dagster reads it in the process that needs it.
    """
    return {
        name: resource(
            **{
                key: dg.EnvVar(key.upper()) if is_hidden(_FIELDS[key], text) else text
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
        if text := setting(environment, name.upper()):
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
            Field(_default(field), description=field.description, repr=not is_hidden(field)),
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
