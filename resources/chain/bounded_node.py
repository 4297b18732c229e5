"""A node's connection whose messages are bounded; the SDK takes messages of up to 4 GiB."""

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from bittensor import Substrate

MESSAGE_BYTES = 8 * 2**20
"""Of one message. A runtime's metadata is about 2 MiB, as is a page of 100 hotkeys that have all
ten reveals, of 1 KiB each. What is parsed of it takes up to twenty times as much memory."""
MINUTE_BYTES = 128 * 2**20
"""Of all messages within a minute, which is as long as a call takes at most."""
_MINUTE = 60.0  # seconds
_HANDSHAKE_SECONDS = 10.0  # the rest of a call's deadline is for another node


def bounded_node(endpoint: str, fallbacks: list[str], archives: list[str]) -> "Substrate":
    """The SDK's connection to a node, by bounded websockets. Nothing is connected yet."""
    import bittensor  # noqa: PLC0415
    from bittensor._transport import SubstrateConnection  # noqa: PLC0415
    from bittensor.settings import SS58_FORMAT  # noqa: PLC0415

    received = Received()
    connections: set[BoundedWebsocket] = set()

    async def connect(url: str) -> BoundedWebsocket:
        connection = await bounded_websocket(url, received)
        connections.add(connection)
        return connection

    # `_interface` and `SubstrateConnection` are private: the SDK's public classes take no
    # connections of their caller's.
    class Node(bittensor.RpcSubstrate):
        def _interface(self, endpoint: str, fallbacks: list[str]) -> SubstrateConnection:
            return SubstrateConnection(
                endpoint,
                ss58_format=SS58_FORMAT,
                fallback_urls=fallbacks,
                retry_forever=self.retry_forever,
                connect_factory=connect,
            )

        async def close(self) -> None:
            await super().close()
            # Those on which it couldn't finish connecting, it has forgotten.
            for connection in connections:
                await connection.close()
            connections.clear()

    return Node(endpoint, fallback_endpoints=fallbacks, archive_endpoints=archives)


class Received:
    """The bytes of a minute, by whichever connection they came: the SDK opens another."""

    def __init__(self) -> None:
        self._since, self._bytes = time.monotonic(), 0

    def too_many(self, message: int) -> bool:
        """Whether with a message of this length there are more than there may be."""
        if time.monotonic() - self._since > _MINUTE:
            self._since, self._bytes = time.monotonic(), 0
        self._bytes += message
        return self._bytes > MINUTE_BYTES


async def bounded_websocket(url: str, received: Received) -> "BoundedWebsocket":
    """Connect. Raises OSError, ConnectionError and TimeoutError among them."""
    from websockets.asyncio.client import connect  # noqa: PLC0415
    from websockets.exceptions import InvalidHandshake  # noqa: PLC0415

    dialled = connect(url, max_size=MESSAGE_BYTES, open_timeout=None)
    try:
        return BoundedWebsocket(await asyncio.wait_for(dialled, _HANDSHAKE_SECONDS), received)
    except InvalidHandshake as error:
        # What a node says in its refusal isn't repeated.
        raise ConnectionError(f"the node takes no websocket: {type(error).__name__}") from None


class BoundedWebsocket:
    """A websocket that ends with a message that is too long, with too many of them, and with one
    that is no JSON-RPC: the SDK's receiver would stop on it, and whoever waits for an answer
    would wait until the call's deadline. At such an end the SDK tries again, then another node."""

    def __init__(self, connection: Any, received: Received) -> None:
        self._connection, self._received = connection, received

    async def send(self, message: str) -> None:
        await self._connection.send(message)

    async def recv(self) -> str | bytes:
        """The next message. Raises ConnectionError for one that isn't taken, and the library's
        ConnectionClosed, for a message that is too long as well."""
        message: str | bytes = await self._connection.recv()
        if self._received.too_many(len(message)):
            await self._end(f"more than {MINUTE_BYTES:,} bytes a minute")
        if not _is_json_rpc(message):
            await self._end("what is no JSON-RPC")
        return message

    async def _end(self, sent: str) -> NoReturn:
        await self._connection.close()
        raise ConnectionError(f"the node sends {sent}")

    async def close(self) -> None:
        await self._connection.close()


def _is_json_rpc(message: str | bytes) -> bool:
    """Whether it is what the SDK can assign to a request: an object, or a list of objects, whose
    ids are numbers or texts."""
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return False
    answers = content if isinstance(content, list) else [content]
    return all(
        isinstance(answer, dict) and isinstance(answer.get("id"), int | str | None)
        for answer in answers
    )
