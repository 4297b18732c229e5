"""A validator's weights on the chain: set through the SDK, and read back."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from gen404_assets.competition.faults import InfrastructureFault
from resources.chain.subtensor import AskedChain
from resources.settings import BadSetting, Settings

if TYPE_CHECKING:
    from bittensor import Client, Substrate
    from bittensor_core import Keypair  # type: ignore[import-untyped]

DEADLINE = 180.0
"""Seconds for a call; one that sets weights waits until its block is finalised."""

_MODULE = "SubtensorModule"
_TOLERANCE = 1e-4
"""Weights are 16-bit numbers on the chain."""


class ValidatorSettings(Settings):
    """Whose weights are set, and whether."""

    set_weights: bool = Field(
        False, description="whether the sensor `weights` sets a validator's weights from the leader"
    )
    wallet_name: str = Field("default", description="the validator's wallet")
    wallet_hotkey: str = Field("default", description="the hotkey in that wallet")
    wallet_path: Path = Field(
        Path("~/.bittensor/wallets"), description="folder of the wallets, as bittensor keeps them"
    )
    subnet_owner_uid: int = Field(
        199,
        ge=0,
        le=65535,
        description="uid of the subnet's owner, who gets what the leader doesn't",
    )


@dataclass(frozen=True, slots=True)
class WeightsSet:
    """What the chain holds after weights were set: at which block, and whether they are hidden
    until the chain reveals them (commit-reveal).
    """

    block: int
    hidden: bool


def hotkey_of(settings: ValidatorSettings) -> "Keypair":
    """The key pair that signs. Raises BadSetting where it is missing or can't be unlocked."""
    from bittensor.keyfiles import Keyfile, KeyfileError  # noqa: PLC0415 -- loads the SDK

    folder = settings.wallet_path.expanduser() / settings.wallet_name / "hotkeys"
    file = Keyfile(folder / settings.wallet_hotkey, settings.wallet_hotkey)
    if not file.is_readable():
        raise BadSetting(
            f"WALLET_HOTKEY: there is no readable key {folder / settings.wallet_hotkey}"
        )
    if file.is_encrypted() and not os.environ.get(file.env_var_name()):
        raise BadSetting(
            f"WALLET_HOTKEY is encrypted: its password is read from {file.env_var_name()}"
        )
    try:
        return file.get_keypair()
    except (KeyfileError, ValueError) as error:
        raise BadSetting(f"WALLET_HOTKEY can't be read: {type(error).__name__}") from None


class Weights:
    """The weights of one validator on `chain`, subnet `netuid`."""

    def __init__(self, chain: AskedChain, netuid: int) -> None:
        self._chain, self._netuid = chain, netuid

    def uids(self) -> dict[str, int]:
        """Hotkey -> uid of all who are registered. Raises InfrastructureFault."""

        async def read(client: "Client", _: "Substrate") -> dict[str, int]:
            rows = await client.query_map((_MODULE, "Uids"), [self._netuid])
            return {str(hotkey): int(uid) for hotkey, uid in rows}

        return self._chain.ask("the uids", read)

    def set(self, hotkey: "Keypair", weights: Mapping[int, float]) -> WeightsSet:
        """Set uid -> weight, which sum to 1, and read them back from the block that included them.

        Raises InfrastructureFault where the chain refuses, where it isn't known whether it took
        them, and where it holds others.
        """

        async def act(client: "Client", substrate: "Substrate") -> WeightsSet:
            import bittensor  # noqa: PLC0415

            intent = bittensor.SetWeights(netuid=self._netuid, weights=dict(weights))
            result = (await client.execute(intent, hotkey)).raise_for_failure()
            block = int(str(result.extrinsic_id).partition("-")[0])
            held = _Held(substrate, self._netuid, str(result.block_hash))
            await held.check(str(hotkey.ss58_address), weights, block)
            return WeightsSet(block, await held.hidden())

        return self._chain.ask("setting weights", act)


class _Held:
    """What the chain holds of a subnet at one block."""

    def __init__(self, substrate: "Substrate", netuid: int, block_hash: str) -> None:
        self._substrate, self._netuid, self._hash = substrate, netuid, block_hash

    async def hidden(self) -> bool:
        """Whether weights are committed, and revealed later."""
        return bool(await self._query("CommitRevealWeightsEnabled", self._netuid))

    async def check(self, hotkey: str, weights: Mapping[int, float], block: int) -> None:
        """Raise InfrastructureFault unless they are there: the weights, or where they are hidden, a
        commit of the hotkey from that block.
        """
        if await self.hidden():
            if not await self._has_committed(hotkey, block):
                raise InfrastructureFault(
                    f"the chain holds no commit of {hotkey} from block {block}, though it says "
                    "that it took one"
                )
            return
        uid = await self._query("Uids", self._netuid, hotkey)
        row = await self._query("Weights", self._netuid, uid)
        total = sum(int(weight) for _, weight in row or [])
        kept = {int(target): int(weight) / total for target, weight in row or [] if weight}
        wanted = {target: weight for target, weight in weights.items() if weight > _TOLERANCE}
        if kept.keys() - wanted.keys() or any(
            abs(kept.get(target, 0.0) - weight) > _TOLERANCE for target, weight in wanted.items()
        ):
            raise InfrastructureFault(f"the chain holds the weights {kept}, not {wanted}")

    async def _has_committed(self, hotkey: str, block: int) -> bool:
        rows = await self._substrate.query_map(
            _MODULE, "TimelockedWeightCommits", [self._netuid], block_hash=self._hash
        )
        return any(
            str(commit[0]) == hotkey and int(commit[1]) >= block
            for _, commits in rows
            for commit in commits or []
        )

    async def _query(self, name: str, *keys: object) -> Any:
        return await self._substrate.query(_MODULE, name, list(keys), block_hash=self._hash)
