"""A node's connection whose messages are bounded; the SDK takes messages of up to 4 GiB."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bittensor import Substrate

MESSAGE_BYTES = 32 * 2**20
"""Of one message. A runtime's metadata is about 2 MiB."""
MINUTE_BYTES = 128 * 2**20
"""Of all messages within a minute, which is as long as a call takes at most."""
_MINUTE = 60.0
_HANDSHAKE_SECONDS = 10.0


def bounded_node(endpoint: str, fallbacks: list[str], archives: list[str]) -> "Substrate":
    """The SDK's connection to a node, by bounded websockets. Nothing is connected yet."""
    import bittensor  # noqa: PLC0415
    from bittensor._transport import SubstrateConnection  # noqa: PLC0415
    from bittensor.settings import SS58_FORMAT  # noqa: PLC0415

    class Node(bittensor.RpcSubstrate):
        def _interface(self, endpoint: str, fallbacks: list[str]) -> SubstrateConnection:
            return SubstrateConnection(
                endpoint,
                ss58_format=SS58_FORMAT,
                fallback_urls=fallbacks,
                retry_forever=self.retry_forever,
                connect_factory=_connect,
            )

    return Node(endpoint, fallback_endpoints=fallbacks, archive_endpoints=archives)


async def _connect(url: str) -> "_Bounded":
    from websockets.asyncio.client import connect  # noqa: PLC0415
    from websockets.exceptions import InvalidHandshake  # noqa: PLC0415

    dialled = connect(url, max_size=MESSAGE_BYTES, open_timeout=None)
    try:
        return _Bounded(await asyncio.wait_for(dialled, _HANDSHAKE_SECONDS))
    except InvalidHandshake as error:
        # What a node says in its refusal isn't repeated.
        raise ConnectionError(f"the node takes no websocket: {type(error).__name__}") from None


class _Bounded:
    """A websocket that ends once a minute's messages are more than `MINUTE_BYTES`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._since, self._received = time.monotonic(), 0

    async def send(self, message: str) -> None:
        await self._connection.send(message)

    async def recv(self) -> str | bytes:
        message: str | bytes = await self._connection.recv()
        if time.monotonic() - self._since > _MINUTE:
            self._since, self._received = time.monotonic(), 0
        self._received += len(message)
        if self._received > MINUTE_BYTES:
            await self._connection.close()
            raise ConnectionError(f"the node sends more than {MINUTE_BYTES:,} bytes a minute")
        return message

    async def close(self) -> None:
        await self._connection.close()
