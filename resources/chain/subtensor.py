"""The chain, read through the `bittensor` SDK: finalised blocks, and what miners revealed."""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.settings import BLOCK_SECONDS

if TYPE_CHECKING:
    from bittensor import Client, Substrate

DEADLINE = 60.0
"""Seconds that a call may take in all, connecting included."""

_CLOSING = 15.0  # more than the SDK waits for a node to agree to it
_LEAVING = 5.0
"""Seconds that `close` waits for the thread, a daemon that ends with the process at the latest."""
_DISCARDED = "State discarded"
"""A node's words where it keeps the state of recent blocks alone."""
_REVEALED = ("Commitments", "RevealedCommitments")
_HEX = re.compile(r"0x((?:[0-9a-f]{2})+)")  # as the SDK writes bytes: whole pairs of small digits
# What the SDK raises where a node answers in another shape: it looks at none before it reads it.
_WRONG_ANSWERS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Block:
    """A finalised block; `time` is the chain's own, in UTC (`Timestamp.Now` at that block)."""

    number: int
    hash: str
    time: datetime


class Chain(Protocol):
    """What the competition reads of the chain. Every call ends within its deadline, or is an
    InfrastructureFault.
    """

    def finalized(self) -> Block:
        """The last finalised block."""
        ...

    def block(self, number: int) -> Block:
        """A finalised block by number; one that is not finalised yet is an InfrastructureFault.

        Where no node has its state any more, its time is reckoned back from the last finalised
        block, as `rules.md` does, at 12 s a block.
        """
        ...

    def reveals(self, at: int) -> dict[str, list[tuple[int, str]]]:
        """Hotkey -> (block, text) of what is revealed as of finalised block `at`: the last ten of
        each hotkey.

        Where the node has discarded that state, as of the last finalised block. The text is what
        the miner sealed, by whichever SDK (`revealed_text`). No miner's bytes make it fail.
        """
        ...

    def close(self) -> None:
        """End the connection. A later call opens another."""
        ...


class AskedChain(Chain, Protocol):
    """A chain that can be asked more than the competition reads of it."""

    def ask(self, what: str, read: "Callable[[Client, Substrate], Awaitable[_T]]") -> _T:
        """What `read` gives of a connection to an up-to-date node. Raises InfrastructureFault,
        which names `what`.
        """
        ...


def is_endpoint(network: str) -> bool:
    """Whether a network is named by its node's ws(s):// URL."""
    try:
        url = urlsplit(network)
        return url.scheme in {"ws", "wss"} and bool(url.hostname) and url.port != 0
    except ValueError:
        return False


class SubtensorChain:
    """The chain, through the SDK; `substrate` makes the SDK's substrate for each new connection.

    Threads may share it. A connection that failed is not trusted again: the next call opens
    another. The SDK bounds no call as a whole, and waits for ever for an answer when the node
    closes the connection cleanly.
    """

    def __init__(
        self,
        network: str,
        netuid: int,
        substrate: Callable[[], "Substrate"],
        *,
        deadline: float = DEADLINE,
    ) -> None:
        self._network = network
        self._netuid = netuid
        self._substrate = substrate
        self._deadline = deadline
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._last: Block | None = None

    def finalized(self) -> Block:
        async def read(client: "Client", substrate: "Substrate") -> Block:
            number = await client.finalized_block()
            last = self._last
            if last is None or last.number != number:  # a finalised block never changes
                self._last = last = await _block(client, substrate, number)
            return last

        return self._call("the last finalised block", read)

    def block(self, number: int) -> Block:
        async def read(client: "Client", substrate: "Substrate") -> Block:
            await _require_finalized(client, number)
            return await _block(client, substrate, number)

        return self._call(f"block {number}", read)

    def reveals(self, at: int) -> dict[str, list[tuple[int, str]]]:
        async def read(client: "Client", _: "Substrate") -> list[tuple[Any, Any]]:
            from bittensor import ChainError  # noqa: PLC0415

            last = await _require_finalized(client, at)
            try:
                return await client.query_map(_REVEALED, [self._netuid], block=at)
            except ChainError as error:
                if _DISCARDED not in str(error):
                    raise
            return await client.query_map(_REVEALED, [self._netuid], block=last)

        rows = self._call(f"the commitments revealed by block {at}", read)
        return {
            hotkey: read_reveals(value, at) for hotkey, value in rows if isinstance(hotkey, str)
        }

    def ask(self, what: str, read: "Callable[[Client, Substrate], Awaitable[_T]]") -> _T:
        """What `read` gives of a connection. Raises InfrastructureFault, which names `what`."""
        return self._call(what, read)

    def close(self) -> None:
        connection = self._connection
        self._drop(connection)
        if connection is not None:
            connection.join()

    def _call(self, what: str, read: "Callable[[Client, Substrate], Awaitable[_T]]") -> _T:
        import bittensor  # noqa: PLC0415

        with self._lock:
            if self._connection is None:
                self._connection = _Connection(self._network, self._substrate())
            connection = self._connection
            future = connection.start(read, self._deadline)
        try:
            return future.result(
                self._deadline + 1
            )  # past the loop's own deadline: the loop itself hangs
        except (bittensor.BittensorError, OSError, CancelledError, *_WRONG_ANSWERS) as error:
            self._drop(connection)
            reason = (
                f"no answer within {self._deadline:g} s"
                if isinstance(error, TimeoutError)
                else str(error)
            )
            raise InfrastructureFault(f"chain: {what}: {self._without_secrets(reason)}") from None

    def _drop(self, connection: "_Connection | None") -> None:
        with self._lock:
            if connection is None or connection is not self._connection:
                return
            self._connection = None
        connection.close()

    def _without_secrets(self, text: str) -> str:
        """An endpoint's path, query and credentials may be an operator's key."""
        if not is_endpoint(self._network):
            return text
        url = urlsplit(self._network)
        for secret in filter(
            None, (self._network, url.path.strip("/"), url.query, url.password, url.username)
        ):
            text = text.replace(secret, "***")
        return text


async def _require_finalized(client: "Client", number: int) -> int:
    last = await client.finalized_block()
    if number > last:
        raise InfrastructureFault(f"chain: block {number} is not finalised yet, only {last} is")
    return last


async def _block(client: "Client", substrate: "Substrate", number: int) -> Block:
    from bittensor import ChainError  # noqa: PLC0415

    block_hash = await substrate.block_hash(number)
    try:
        return Block(number, block_hash, await client.timestamp(number))
    except ChainError as error:
        if _DISCARDED not in str(error):
            raise
    last = await client.finalized_block()
    passed = timedelta(seconds=(last - number) * BLOCK_SECONDS)
    return Block(number, block_hash, await client.timestamp(last) - passed)


def read_reveals(value: object, at: int) -> list[tuple[int, str]]:
    """A hotkey's `RevealedCommitments`, (data, block) pairs, as (block, text) up to block `at`."""
    entries = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []
    reveals = []
    for entry in entries:
        if not isinstance(entry, Sequence) or isinstance(entry, str | bytes) or len(entry) != 2:
            continue
        data, block = entry
        if isinstance(block, int) and block <= at:
            reveals.append((block, _text(data)))
    return reveals


def _text(data: object) -> str:
    """The text of one reveal. The SDK hands over bytes as text where they are UTF-8, else as 0x and
    hex digits.

    Hex digits that stand for UTF-8 are therefore the miner's own text: the SDK would not have
    written such bytes so.
    """
    if isinstance(data, bytes | bytearray):
        return revealed_text(bytes(data))
    text = str(data)
    match = _HEX.fullmatch(text)
    if match and not _is_utf8(raw := bytes.fromhex(match[1])):
        return revealed_text(raw)
    # Half a surrogate pair in it doesn't make it fail.
    return revealed_text(text.encode(errors="surrogatepass"))


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def revealed_text(raw: bytes) -> str:
    """The text that a miner sealed, from the bytes that the chain reveals; what is no UTF-8 in it
    is replaced.

    `timelock.encrypt` of bittensor 11 seals the text itself. `set_reveal_commitment` of bittensor
    10 and older seals it as SCALE bytes, behind its length. That prefix is dropped if and only if
    it is a whole compact number equal to the number of bytes after it (`facts.md`).
    """
    return _without_length(raw).decode(errors="replace")


def _without_length(raw: bytes) -> bytes:
    """The bytes after a SCALE compact number that is their length; all of them where there is none.

    The two lowest bits of the first byte are the number's mode: one, two or four bytes
    (little-endian, the mode's two bits included), or as many bytes as the other six bits say, plus
    four, after the first. A number that a smaller mode could hold is taken as well.
    """
    if not raw:
        return raw
    mode, big = raw[0] & 3, raw[0] & 3 == 3
    size = 5 + (raw[0] >> 2) if big else (1, 2, 4)[mode]
    number = (
        int.from_bytes(raw[1:size], "little") if big else int.from_bytes(raw[:size], "little") >> 2
    )
    return raw[size:] if size <= len(raw) and number == len(raw) - size else raw


class _Connection:
    """A client on an event loop in a thread of its own, to be thrown away after the first
    failure.
    """

    def __init__(self, network: str, substrate: "Substrate") -> None:
        from bittensor import Client  # noqa: PLC0415

        self._substrate = substrate
        self._client = Client(network if is_endpoint(network) else "local", substrate=substrate)
        self._loop = asyncio.new_event_loop()
        self._connecting = asyncio.Lock()
        self._connected = False
        self._thread = threading.Thread(target=self._run, name="chain", daemon=True)
        self._thread.start()

    def start(
        self, read: "Callable[[Client, Substrate], Awaitable[_T]]", deadline: float
    ) -> "Future[_T]":
        return asyncio.run_coroutine_threadsafe(self._within(read, deadline), self._loop)

    def close(self) -> None:
        """Begin to end: whatever is in flight is cancelled."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def join(self) -> None:
        self._thread.join(_LEAVING)

    async def _within(
        self, read: "Callable[[Client, Substrate], Awaitable[_T]]", deadline: float
    ) -> _T:
        task = asyncio.ensure_future(self._read(read))
        done, _ = await asyncio.wait({task}, timeout=deadline)
        if not done:
            task.cancel()  # and not waited for: it might not obey
            raise TimeoutError
        return task.result()

    async def _read(self, read: "Callable[[Client, Substrate], Awaitable[_T]]") -> _T:
        async with self._connecting:
            if not self._connected:
                # The client's own `connect` also scans every subnet's token symbol, and writes it
                # to the home folder.
                await self._substrate.connect()
                self._connected = True
        return await read(self._client, self._substrate)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._end(asyncio.all_tasks(self._loop)))
        finally:
            self._loop.close()

    async def _end(self, in_flight: set[asyncio.Task[Any]]) -> None:
        for task in in_flight:
            task.cancel()
        if in_flight:
            await asyncio.wait(in_flight, timeout=1)
        with suppress(Exception):  # it has failed already, and nothing is asked of it any more
            await asyncio.wait_for(self._substrate.close(), _CLOSING)
