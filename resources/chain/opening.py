"""Which chain the operator named, opened: the real one through the SDK, by one node or several, or
a local chain's files.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import Field

from gen404_assets.competition.quantities import DAY
from resources.chain.endpoints import Endpoint, Endpoints
from resources.chain.local import local_folder
from resources.chain.subtensor import DEADLINE, AskedChain, SubtensorChain, is_endpoint
from resources.settings import MAY_HOLD_A_KEY, BadSetting, Settings, read_settings

if TYPE_CHECKING:
    from bittensor import Substrate

_NETWORKS = ("finney", "test", "archive")


class ChainSettings(Settings):
    """Which chain, and which subnet of it."""

    subtensor_network: str = Field(
        "finney",
        description="a network's name or a ws:// or wss:// endpoint, or several of them with "
        "commas between, the preferred first; or a local chain's file:// URL",
        json_schema_extra=MAY_HOLD_A_KEY,
    )
    # Blocks are 12 s apart, and the last finalised one is some blocks old on a node in order. A
    # chain that was made long ago for a trial has blocks of any age.
    chain_lag_seconds: float = Field(
        300.0,
        ge=60,
        le=100 * 365 * DAY,
        description="seconds: age of the last finalised block at which a node is not believed",
    )
    netuid: int = Field(17, ge=0, le=65535, description="the subnet's number")


def open_chain(environment: Mapping[str, str], *, deadline: float = DEADLINE) -> AskedChain:
    """The chain of `SUBTENSOR_NETWORK` (finney, ws(s):// endpoints, or a local chain's file:// URL)
    and `NETUID`.

    Nothing is connected yet; each call then ends within `deadline` seconds, which several nodes
    share. Raises BadSetting.
    """
    settings = read_settings(ChainSettings, environment)
    network, netuid = settings.subtensor_network, settings.netuid
    folder = local_folder(network)
    if folder is not None:
        from resources.chain.substrate import LocalSubstrate  # noqa: PLC0415 -- loads the SDK

        return SubtensorChain(
            "local", netuid, lambda: LocalSubstrate.in_folder(folder), deadline=deadline
        )
    names = [name.strip() for name in network.split(",")]
    if any(name not in _NETWORKS and not is_endpoint(name) for name in names):
        raise BadSetting(
            f"SUBTENSOR_NETWORK must be one of {', '.join(_NETWORKS)}, a ws:// or wss:// endpoint, "
            "several of these with commas between, or the file:// URL of a local chain's folder"
        )
    each = deadline / len(names)
    return Endpoints(
        [
            Endpoint(
                urlsplit(name).hostname or name,
                SubtensorChain(name, netuid, partial(_rpc, name), deadline=each),
            )
            for name in names
        ],
        settings.chain_lag_seconds,
    )


def _rpc(network: str) -> "Substrate":
    from bittensor.settings import (  # noqa: PLC0415
        default_archive_endpoints,
        default_fallback_endpoints,
        resolve_endpoint,
    )

    from resources.chain.bounded_node import bounded_node  # noqa: PLC0415

    label, endpoint = resolve_endpoint(network)
    return bounded_node(
        endpoint, default_fallback_endpoints(label), default_archive_endpoints(label)
    )
