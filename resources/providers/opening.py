"""Which GPU providers the operator named, opened; each SDK is loaded only where it is used."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import Field, field_validator

from resources.providers.provider import Provider
from resources.settings import BadSetting, Settings, read_settings

_HIGHEST_COST = 1e6  # an hour; more is a typing error, and infinity is refused


class ProviderSettings(Settings):
    """Where images run."""

    gpu_providers: str = Field(
        "local", description="GPU providers in order of preference: some of targon, verda, local"
    )
    local_network: Path | None = Field(
        None, description="the folder of the local network, for the provider local"
    )

    pod_hour_costs: str = Field(
        "",
        description="what an hour of a pod costs, for /metrics: `targon=2.5,verda=3.1`; unset: "
        "not known",
    )

    @field_validator("pod_hour_costs")
    @classmethod
    def _are_costs(cls, text: str) -> str:
        try:
            _costs(text)
        except ValueError:
            names = ", ".join(PROVIDERS)
            raise ValueError(
                f"must be like `targon=2.5,verda=3.1`: some of {names}, each with an amount, "
                f"{_HIGHEST_COST:g} at most"
            ) from None
        return text

    @property
    def costs(self) -> Mapping[str, float]:
        """Provider -> what an hour of a pod costs there."""
        return _costs(self.pod_hour_costs)

    @field_validator("gpu_providers")
    @classmethod
    def _are_known(cls, text: str) -> str:
        names = [name.strip() for name in text.split(",")]
        if not set(names) <= set(PROVIDERS) or len(set(names)) < len(names):
            raise ValueError(f"must list some of {', '.join(PROVIDERS)}, each once")
        return text

    @property
    def names(self) -> list[str]:
        return [name.strip() for name in self.gpu_providers.split(",")]


def _costs(text: str) -> dict[str, float]:
    """Raises ValueError for what is no list of providers and amounts."""
    costs = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, amount = part.partition("=")
        cost = float(amount)
        if name not in PROVIDERS or name in costs or not 0 <= cost <= _HIGHEST_COST:
            raise ValueError(part)
        costs[name] = cost
    return costs


def open_providers(environment: Mapping[str, str]) -> list[Provider]:
    """The providers of `GPU_PROVIDERS`, in order of preference. Raises BadSetting for a setting
    that can't be used.
    """
    names = read_settings(ProviderSettings, environment).names
    return [PROVIDERS[name](environment) for name in names]


def _open_local(environment: Mapping[str, str]) -> Provider:
    from resources.providers.local import LocalProvider  # noqa: PLC0415

    folder = read_settings(ProviderSettings, environment).local_network
    if folder is None:
        raise BadSetting(
            "LOCAL_NETWORK must be the local network's folder where GPU_PROVIDERS lists local"
        )
    return LocalProvider(folder)


def _open_targon(environment: Mapping[str, str]) -> Provider:
    from resources.providers.targon import open_targon  # noqa: PLC0415

    return open_targon(environment)


def _open_verda(environment: Mapping[str, str]) -> Provider:
    from resources.providers.verda import open_verda  # noqa: PLC0415

    return open_verda(environment)


PROVIDERS: Mapping[str, Callable[[Mapping[str, str]], Provider]] = {
    "targon": _open_targon,
    "verda": _open_verda,
    "local": _open_local,
}
"""Name in `GPU_PROVIDERS` -> how it is opened, from the environment's settings."""
