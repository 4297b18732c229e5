"""The local chain behind the SDK's seam: what its client asks of a node, answered from the files.

Storage and calls are named as the runtime's metadata names them; bytes are shown as the SDK's codec
shows them.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from resources.chain.local import REVEAL_AFTER, Extrinsic, LocalChain
from resources.chain.timelock import ROUND, unseal

if TYPE_CHECKING:
    from bittensor import Balance, ExtrinsicResult, Substrate

KEPT_REVEALS = 10
"""Of each hotkey, as the real chain keeps them."""
LARGEST_COMMITMENT = 1024
"""Bytes, as the chain allows for a timelocked one."""

_PATIENCE = 60.0
"""Seconds until a chain whose blocks don't come is told to stand; slow blocks get five of theirs
besides."""
_COMMIT = "Commitments.set_commitment"
_REGISTER = "SubtensorModule.burned_register"
_SET_WEIGHTS = "SubtensorModule.set_mechanism_weights"
_SAME_EVERYWHERE: Mapping[str, object] = {
    # What `SetWeights` looks at before it signs: nothing hidden, nothing limited.
    "SubtensorModule.CommitRevealWeightsEnabled": False,
    "SubtensorModule.WeightsSetRateLimit": 0,
    "SubtensorModule.LastUpdate": [],
    "SubtensorModule.MinAllowedWeights": 0,
    "SubtensorModule.MaxWeightsLimit": 65535,
    "SubtensorModule.SubnetEpochConsensus": "Yuma",
}


class LocalSubstrate:
    """One connection's view of a local chain. What the local network has no use for is missing, or
    a ChainError.
    """

    def __init__(self, chain: LocalChain) -> None:
        self.chain = chain
        self.token_symbols: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    @classmethod
    def in_folder(cls, folder: Path) -> "Substrate":
        return cast("Substrate", cls(LocalChain(folder)))

    def balance(self, rao: int, netuid: int = 0) -> "Balance":
        from bittensor import Balance  # noqa: PLC0415

        return Balance(rao, netuid)

    async def connect(self) -> None:
        self.chain.head()

    async def close(self) -> None:
        pass

    async def block_hash(self, block: int | None = None) -> str:
        head = self.chain.head()
        number = head if block is None else block
        if not self.chain.genesis_number <= number <= head:
            _fail(f"no block at height {number}")
        hex_hash = self.chain.hash(number)
        self._numbers[hex_hash] = number
        return hex_hash

    async def block_number(self) -> int:
        return self.chain.head()

    async def finalized_block_number(self) -> int:
        return self.chain.finalized()

    async def block_time(self) -> float:
        return self.chain.block_time

    async def query(
        self,
        module: str,
        storage_function: str,
        params: list[Any] | None = None,
        block_hash: str | None = None,
    ) -> Any:
        name = f"{module}.{storage_function}"
        number = self._number(block_hash or await self.block_hash())
        if name == "Timestamp.Now":
            return self._timestamp(number)
        if name in _SAME_EVERYWHERE:
            return _SAME_EVERYWHERE[name]
        netuid, key = params or (None, None)
        return self._map(name, netuid, number).get(key)

    async def query_map(
        self,
        module: str,
        storage_function: str,
        params: list[Any] | None = None,
        block_hash: str | None = None,
    ) -> list[tuple[Any, Any]]:
        number = self._number(block_hash or await self.block_hash())
        (netuid,) = params or (None,)
        return list(self._map(f"{module}.{storage_function}", netuid, number).items())

    async def compose(
        self, call: tuple[str, str, dict[str, Any]]
    ) -> tuple[str, str, dict[str, Any]]:
        return call

    async def estimate_fee(self, call: object, keypair: object) -> "Balance":  # noqa: ARG002 - nothing has a price
        return self.balance(0)

    async def submit(
        self,
        call: tuple[str, str, dict[str, Any]],
        keypair: Any,
        *,
        wait_for_inclusion: bool = True,
        wait_for_finalization: bool = True,
        **_: object,
    ) -> "ExtrinsicResult":
        from bittensor import ChainError, ExtrinsicResult  # noqa: PLC0415

        module, function, params = call
        refusal = _refusal(f"{module}.{function}", params)
        if refusal:
            return ExtrinsicResult(success=False, message=refusal, error=ChainError(refusal))
        included = self.chain.append(keypair.ss58_address, f"{module}.{function}", params)
        if wait_for_finalization:
            await self._wait(self.chain.finalized, included.block)
        elif wait_for_inclusion:
            await self._wait(self.chain.head, included.block)
        block_hash = self.chain.hash(included.block)
        self._numbers[block_hash] = included.block
        return ExtrinsicResult(
            success=True,
            message="Success",
            block_hash=block_hash,
            extrinsic_id=f"{included.block}-0001",
            fee=self.balance(0),
        )

    async def _wait(self, height: Callable[[], int], block: int) -> None:
        deadline = time.monotonic() + _PATIENCE + 5 * self.chain.block_time
        while height() < block:
            if time.monotonic() > deadline:
                _fail(f"the local chain stands at block {height()}")
            await asyncio.sleep(min(self.chain.block_time, 0.2))

    def _number(self, block_hash: str) -> int:
        number = self._numbers.get(block_hash)
        return _fail(f"no block {block_hash}") if number is None else number

    def _timestamp(self, number: int) -> int:
        # Milliseconds, as the pallet Timestamp has them.
        return round(self.chain.time(number).timestamp() * 1000)

    def _map(self, name: str, netuid: object, number: int) -> Mapping[Any, Any]:
        read = _MAPS.get(name)
        if read is None:
            _fail(f"the local chain keeps no {name}")
        return read(
            [entry for entry in self.chain.extrinsics(number) if entry.params["netuid"] == netuid],
            number,
        )


def _reveals(extrinsics: Sequence[Extrinsic], at: int) -> dict[str, list[tuple[str, int]]]:
    """Hotkey -> its last (data, block) revealed by block `at`, bytes as the SDK shows them."""
    by_hotkey: dict[str, list[tuple[str, int]]] = {}
    reveals = [
        reveal
        for entry in extrinsics
        if entry.call == _COMMIT and (reveal := _revealed(entry)) is not None
    ]
    for signer, data, block in sorted(reveals, key=lambda reveal: reveal[2]):
        if block <= at:
            by_hotkey.setdefault(signer, []).append((_shown(data), block))
    return {hotkey: reveals[-KEPT_REVEALS:] for hotkey, reveals in by_hotkey.items()}


def _revealed(commitment: Extrinsic) -> tuple[str, bytes, int] | None:
    """Who revealed which bytes at which block; None for what no timelock round opens, which the
    chain drops.
    """
    sealed = [
        field["TimelockEncrypted"]
        for field in _fields(commitment.params)
        if "TimelockEncrypted" in field
    ]
    if not sealed:
        return commitment.signer, _data(commitment.params), commitment.block
    opened = unseal(_bytes(sealed[0]["encrypted"])) if sealed[0]["reveal_round"] == ROUND else None
    return None if opened is None else (commitment.signer, opened, commitment.block + REVEAL_AFTER)


def _uids(extrinsics: Sequence[Extrinsic], at: int = 0) -> dict[str, int]:  # noqa: ARG001 - all are in force at once
    """Hotkey -> uid, in order of registration; a first commitment registers too."""
    uids: dict[str, int] = {}
    for entry in extrinsics:
        if entry.call in {_COMMIT, _REGISTER}:
            uids.setdefault(entry.params.get("hotkey", entry.signer), len(uids))
    return uids


def _weights(extrinsics: Sequence[Extrinsic], at: int) -> dict[int, list[tuple[int, int]]]:
    """Validator's uid -> (uid, weight) as it set them last."""
    uids = _uids(extrinsics, at)
    set_by = {entry.signer: entry.params for entry in extrinsics if entry.call == _SET_WEIGHTS}
    return {
        uids[hotkey]: list(zip(params["dests"], params["weights"], strict=True))
        for hotkey, params in set_by.items()
    }


_MAPS: Mapping[str, Callable[[Sequence[Extrinsic], int], Mapping[Any, Any]]] = {
    "Commitments.RevealedCommitments": _reveals,
    "SubtensorModule.Uids": _uids,
    "SubtensorModule.Weights": _weights,
}


def _refusal(call: str, params: Mapping[str, Any]) -> str:
    if call not in {_COMMIT, _REGISTER, _SET_WEIGHTS}:
        return f"the local chain takes no {call}"
    if call == _COMMIT and len(_data(params)) > LARGEST_COMMITMENT:
        return f"a commitment holds at most {LARGEST_COMMITMENT} bytes"
    return ""


def _data(commitment: Mapping[str, Any]) -> bytes:
    """The bytes that a commitment takes: {"fields": [{"Raw5": "0x..."}, {"TimelockEncrypted":
    {...}}]}.
    """
    return b"".join(
        _bytes(value["encrypted"] if variant == "TimelockEncrypted" else value)
        for field in _fields(commitment)
        for variant, value in field.items()
    )


def _fields(commitment: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return cast("Sequence[Mapping[str, Any]]", commitment["info"]["fields"])


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))


def _shown(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"0x{data.hex()}"


def _fail(message: str) -> NoReturn:
    from bittensor import ChainError  # noqa: PLC0415

    raise ChainError(message)
