"""How a local miner commits: through the SDK's client, on the local chain."""

import asyncio
from collections.abc import Mapping
from typing import Any

from gen404_assets.competition.faults import InfrastructureFault
from resources.chain.local import local_folder, local_keypair
from resources.chain.opening import ChainSettings
from resources.chain.substrate import LocalSubstrate
from resources.chain.subtensor import DEADLINE
from resources.chain.timelock import ROUND, seal
from resources.settings import BadSetting, read_settings


def commit(environment: Mapping[str, str], name: str, data: str | bytes) -> int:
    """Commit `data` under the local hotkey of `name`, for all to see; the block it is included in.

    Raises InfrastructureFault when that has not happened within the deadline. Not for use inside an
    event loop.
    """
    raw = data.encode() if isinstance(data, str) else data
    return _submit(environment, name, {f"Raw{len(raw)}": f"0x{raw.hex()}"})


def commit_sealed(environment: Mapping[str, str], name: str, text: str, sdk: int) -> int:
    """Commit `text` as `commit` does, timelocked as that major version of bittensor seals it; the
    block it is included in, to be revealed `REVEAL_AFTER` blocks later.
    """
    sealed = seal(text.encode(), sdk)
    return _submit(
        environment,
        name,
        {"TimelockEncrypted": {"encrypted": f"0x{sealed.hex()}", "reveal_round": ROUND}},
    )


def _submit(environment: Mapping[str, str], name: str, field: Mapping[str, Any]) -> int:
    """Put a commitment of one field on the chain, through the SDK's client; the block it is
    included in.
    """
    import bittensor  # noqa: PLC0415

    settings = read_settings(ChainSettings, environment)
    folder = local_folder(settings.subtensor_network)
    if folder is None:
        raise BadSetting("SUBTENSOR_NETWORK must be a local chain's file:// URL")
    call = bittensor.calls.Commitments.set_commitment(
        netuid=settings.netuid, info={"fields": [dict(field)]}
    )

    async def submit() -> bittensor.ExtrinsicResult:
        client = bittensor.Client("local", substrate=LocalSubstrate.in_folder(folder))
        return await client.submit_call(call, local_keypair(name), wait_for_finalization=False)

    try:
        result = asyncio.run(asyncio.wait_for(submit(), DEADLINE)).raise_for_failure()
    except (bittensor.BittensorError, OSError) as error:
        raise InfrastructureFault(
            f"local chain: the commitment was not included: {error}"
        ) from error
    return int(str(result.extrinsic_id).partition("-")[0])
