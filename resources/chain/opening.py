"""Which chain the operator named, opened: the real one through the SDK, or a local chain's
files.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from resources.chain.local import local_folder
from resources.chain.subtensor import DEADLINE, Chain, SubtensorChain, is_endpoint
from resources.settings import BadSetting, Settings, read_settings

if TYPE_CHECKING:
    from bittensor import Substrate

_NETWORKS = ("finney", "test", "archive")


class ChainSettings(Settings):
    """Which chain, and which subnet of it."""

    subtensor_network: str = Field(
        "finney",
        description="a network's name, a ws:// or wss:// endpoint, or a local chain's file:// URL",
    )
    netuid: int = Field(17, ge=0, le=65535, description="the subnet's number")


def open_chain(environment: Mapping[str, str], *, deadline: float = DEADLINE) -> Chain:
    """The chain of `SUBTENSOR_NETWORK` (finney, a ws(s):// endpoint, or a local chain's file://
    URL) and `NETUID`.

    Nothing is connected yet; each call then ends within `deadline` seconds. Raises BadSetting.
    """
    settings = read_settings(ChainSettings, environment)
    network, netuid = settings.subtensor_network, settings.netuid
    folder = local_folder(network)
    if folder is not None:
        from resources.chain.substrate import LocalSubstrate  # noqa: PLC0415 -- loads the SDK

        return SubtensorChain(
            "local", netuid, lambda: LocalSubstrate.in_folder(folder), deadline=deadline
        )
    if network not in _NETWORKS and not is_endpoint(network):
        raise BadSetting(
            f"SUBTENSOR_NETWORK must be one of {', '.join(_NETWORKS)}, a ws:// or wss:// endpoint, "
            "or the file:// URL of a local chain's folder"
        )
    return SubtensorChain(network, netuid, lambda: _rpc(network), deadline=deadline)


def _rpc(network: str) -> "Substrate":
    import bittensor  # noqa: PLC0415
    from bittensor.settings import (  # noqa: PLC0415
        default_archive_endpoints,
        default_fallback_endpoints,
        resolve_endpoint,
    )

    label, endpoint = resolve_endpoint(network)
    return bittensor.RpcSubstrate(
        endpoint,
        fallback_endpoints=default_fallback_endpoints(label),
        archive_endpoints=default_archive_endpoints(label),
    )
