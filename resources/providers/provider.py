"""GPU providers: what a pod is, and what a provider does with one."""

from dataclasses import dataclass, field
from typing import Protocol

from gen404_assets.competition.faults import InfrastructureFault

PORT = 10006
"""Where a miner's container listens (`interfaces.md`)."""

TOKEN_VARIABLE = "POD_TOKEN"  # noqa: S105 -- a variable's name
"""The environment variable in which a pod gets its one-time token."""


class StartRefused(InfrastructureFault):
    """The provider has refused to start a pod, and so has made none."""


class NoCapacity(StartRefused):
    """The provider has no GPU free now."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as its provider lists it: one container of a miner's image.

    `url`: of the container's API, None until the provider runs the pod. `failed`: the provider
    says that it will never run. `token`: what the provider's gateway asks for on the way to the
    container; None where there is no gateway that asks. `gateway`: a URL behind the same gateway at
    which no container of anybody's answers, so that the gateway can be asked about the token.
    """

    name: str
    url: str | None = None
    failed: bool = False
    token: str | None = field(default=None, repr=False)
    gateway: str | None = None


class Provider(Protocol):
    """Pods by name on a provider's GPUs. Every call may raise InfrastructureFault, and ends within
    minutes.
    """

    name: str

    def start(self, pod_name: str, image: str, token: str | None) -> None:
        """Start a pod; `token`, made for it alone, is given to it where the provider can. Raises
        StartRefused where no pod was made.

        After any other fault the pod may or may not exist, now or in a while.
        """

    def pods(self) -> list[Pod]:
        """The pods there are, other people's on the same account included."""

    def delete(self, pod_name: str) -> None:
        """Delete the pod of exactly this name; nothing happens where there is none."""
