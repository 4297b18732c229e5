"""The websockets of Dagster's pages, which follow runs by them: their limits.

uvicorn asks a websocket every 20 s whether its page is still there, and ends it where no answer
comes within 20 more. Here its handshake has a time, too, as has its end, and of more than `MOST`
the oldest gives way: a page opens its own again.
"""

import asyncio
import time
from typing import ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_REFUSAL = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Subscription(WebSocketsSansIOProtocol):
    """A websocket with limits, as uvicorn's setting `ws` takes it. It takes no place of those of
    `gpu.services.connections.Connection`.
    """

    MOST: ClassVar[int] = 128
    LOOK_SECONDS: ClassVar[float] = 20.0
    """After which a handshake has ended, and an end that was begun."""

    _since = 0.0
    _looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._since = time.monotonic()
        self._look_again()
        others = [
            each for each in self.connections if isinstance(each, Subscription) and each is not self
        ]
        if len(others) >= self.MOST:
            min(others, key=lambda each: (each.handshake_complete, each._since)).cut()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            # uvicorn passes the whole head, so this one can't be read: it would say nothing.
            self.transport.write(_REFUSAL)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self.connections.add(self)  # uvicorn takes it away, and fails where it is missing
        super().connection_lost(exc)

    def cut(self) -> None:
        """End it at once."""
        self.connections.discard(self)  # its place is free before the loop has closed it
        self.transport.abort()

    def _look_again(self) -> None:
        self._looking = self.loop.call_later(self.LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if self.handshake_complete and not self.transport.is_closing():
            self._look_again()
        else:
            self.cut()
