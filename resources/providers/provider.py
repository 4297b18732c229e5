"""GPU providers: what a pod is, what a provider does with one, and which providers the operator
named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gen404_assets.competition.faults import InfrastructureFault
from resources.settings import BadSetting

PORT = 10006
"""Where a miner's container listens (`interfaces.md`)."""

TOKEN_VARIABLE = "POD_TOKEN"  # noqa: S105 -- a variable's name
"""The environment variable in which a pod gets its one-time token."""


class NoCapacity(InfrastructureFault):
    """The provider has no GPU free now."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as its provider lists it: one container of a miner's image.

    `url`: of the container's API, None until the provider knows it. `failed`: the provider says
    that it will never run. `token`: what the provider's own door asks for; None where it asks for
    none.
    """

    name: str
    url: str | None = None
    failed: bool = False
    token: str | None = field(default=None, repr=False)


class Provider(Protocol):
    """Pods by name on somebody's GPUs. Every call may raise InfrastructureFault; none waits longer
    than minutes.
    """

    name: str

    def start(self, pod_name: str, image: str, token: str | None) -> None:
        """Start a pod; `token`, made for it alone, is given to it where the provider can. Raises
        NoCapacity.

        After any other fault the pod may or may not exist: `delete` it by name.
        """

    def pods(self) -> list[Pod]:
        """The pods there are, other people's on the same account included."""

    def delete(self, pod_name: str) -> None:
        """Delete the pod of exactly this name; nothing happens where there is none."""


def open_providers(environment: Mapping[str, str]) -> list[Provider]:
    """The providers of `GPU_PROVIDERS`, in order of preference. Raises BadSetting for a setting
    that can't be used.
    """
    names = [name.strip() for name in environment.get("GPU_PROVIDERS", "local").split(",")]
    unknown = [name for name in names if name not in _OPEN]
    if unknown or len(set(names)) < len(names):
        raise BadSetting(
            f"GPU_PROVIDERS must list some of {', '.join(_OPEN)}, each once, not {', '.join(names)!r}"
        )
    return [_OPEN[name](environment) for name in names]


def _open_local(environment: Mapping[str, str]) -> Provider:
    from resources.providers.local import LocalProvider  # noqa: PLC0415 -- it needs this module

    if not environment.get("LOCAL_NETWORK"):
        raise BadSetting(
            "LOCAL_NETWORK must be the local network's folder where GPU_PROVIDERS lists local"
        )
    return LocalProvider(Path(environment["LOCAL_NETWORK"]))


def _open_targon(environment: Mapping[str, str]) -> Provider:
    from resources.providers.targon import open_targon  # noqa: PLC0415 -- likewise

    return open_targon(environment)


def _open_verda(environment: Mapping[str, str]) -> Provider:
    from resources.providers.verda import open_verda  # noqa: PLC0415 -- likewise

    return open_verda(environment)


_OPEN: Mapping[str, Callable[[Mapping[str, str]], Provider]] = {
    "targon": _open_targon,
    "verda": _open_verda,
    "local": _open_local,
}
