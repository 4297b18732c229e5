"""The chain as a validator meets it: the local chain behind the SDK's seam (`LocalSubstrate`), with
what bittensor 11's `SetWeights` asks and submits where weights are hidden (commit-reveal).

Storage and calls are named and shaped as `bittensor/intents/weights.py` and
`bittensor/reads/weights.py` of version 11 use them.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from resources.chain.substrate import LocalSubstrate

if TYPE_CHECKING:
    from bittensor import ExtrinsicResult

_COMMIT = "commit_timelocked_mechanism_weights"
_EPOCHS: dict[str, object] = {
    "Tempo": 360,
    "RevealPeriodEpochs": 1,
    "LastEpochBlock": 0,
    "PendingEpochAt": 0,
    "SubnetEpochIndex": 10,
    "BlocksSinceLastStep": 5,
}


class ValidatorSubstrate(LocalSubstrate):
    """`hidden`: commit-reveal is on. `forgets`: what is taken isn't kept. `refuses`: the chain's
    reason for refusing.
    """

    hidden = False
    forgets = False
    refuses = ""
    committed: Sequence[tuple[str, int, str, int]] = ()

    async def _wait(self, height: Callable[[], int], block: int) -> None:
        """Blocks come when somebody waits for one, and not otherwise."""
        while height() < block:
            self.chain.stand(1)

    async def query(
        self,
        module: str,
        storage_function: str,
        params: list[Any] | None = None,
        block_hash: str | None = None,
    ) -> Any:
        if storage_function == "CommitRevealWeightsEnabled":
            return self.hidden
        if storage_function in _EPOCHS:
            return _EPOCHS[storage_function]
        return await super().query(module, storage_function, params, block_hash)

    async def query_map(
        self,
        module: str,
        storage_function: str,
        params: list[Any] | None = None,
        block_hash: str | None = None,
    ) -> list[tuple[Any, Any]]:
        if storage_function == "TimelockedWeightCommits":
            return [(11, list(self.committed))]
        return await super().query_map(module, storage_function, params, block_hash)

    async def submit(
        self, call: tuple[str, str, dict[str, Any]], keypair: Any, **options: Any
    ) -> "ExtrinsicResult":
        from bittensor import ChainError, ExtrinsicResult  # noqa: PLC0415

        if self.refuses:
            return ExtrinsicResult(
                success=False, message=self.refuses, error=ChainError(self.refuses)
            )
        if call[1] != _COMMIT and not self.forgets:
            return await super().submit(call, keypair, **options)
        number = self.chain.head()
        if call[1] == _COMMIT and not self.forgets:
            hidden = call[2]
            entry = (keypair.ss58_address, number, "0x00", hidden["reveal_round"])
            type(self).committed = [*self.committed, entry]
        return ExtrinsicResult(
            success=True,
            message="Success",
            block_hash=await self.block_hash(number),
            extrinsic_id=f"{number}-0001",
            fee=self.balance(0),
        )
