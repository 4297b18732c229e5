"""The connections of an HTTP server, whose limits hold before an app sees a request.

uvicorn gives a client as long as it likes for a request. Here a head comes whole within
`HEAD_SECONDS` and 16 KiB (h11's own limit), a body at `PACE` at least, and an answer is taken;
whoever is slower is cut off. Of more than `MOST` connections, the one that has kept its head back
for longest gives way.
"""

import asyncio
import time
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_PIECE = 16_384


class Connection(H11Protocol):
    """A connection with limits, as uvicorn's setting `http` takes it."""

    HEAD_SECONDS: ClassVar[float] = 20.0
    MOST: ClassVar[int] = 256
    PACE: ClassVar[float] = 262_144.0  # bytes of a body in a second, after the first seconds
    GRACE_SECONDS: ClassVar[float] = 20.0
    SEND_SECONDS: ClassVar[float] = 60.0
    """Without a byte of the answer being taken."""
    LOOK_SECONDS: ClassVar[float] = 1.0

    _looking: asyncio.TimerHandle | None = None
    _head_since: float | None = None
    _body_since: float | None = None
    _body_bytes = 0
    _unsent, _unsent_since = 0, 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since = time.monotonic()
        self._look_again()
        if len(self.connections) > self.MOST:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state is h11.SEND_BODY:
            self._body_bytes += len(data)
        # h11 looks at a head's size between two pieces, and a socket gives 256 KiB at once.
        for start in range(0, len(data), _PIECE):
            super().data_received(data[start : start + _PIECE])
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                break
        if self.conn.their_state is not h11.IDLE:
            self._head_since = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_more()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._look_no_more()  # from here on it is another protocol's
        super().handle_websocket_upgrade(event)

    def _make_room(self) -> None:
        waiting = [
            each
            for each in self.connections
            if isinstance(each, Connection) and each._head_since is not None
        ]
        max(waiting, key=lambda each: time.monotonic() - (each._head_since or 0.0)).cut()

    def cut(self) -> None:
        """End it at once."""
        self._look_no_more()
        self.connections.discard(self)  # its place is free before the loop has closed it
        self.transport.abort()

    def _look_again(self) -> None:
        self._looking = self.loop.call_later(self.LOOK_SECONDS, self._look)

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()

    def _look(self) -> None:
        now = time.monotonic()
        if self._head_is_late(now) or self._body_is_late(now) or self._answer_is_left(now):
            self.cut()
        else:
            self._look_again()

    def _head_is_late(self, now: float) -> bool:
        answering = self.cycle is not None and not self.cycle.response_complete
        if self.conn.their_state is not h11.IDLE or answering:
            self._head_since = None
            return False
        if self._head_since is None:
            self._head_since = now
        return now - self._head_since > self.HEAD_SECONDS

    def _body_is_late(self, now: float) -> bool:
        if self.conn.their_state is not h11.SEND_BODY:
            self._body_since, self._body_bytes = None, 0
            return False
        if self._body_since is None:
            self._body_since = now
        if self.flow.read_paused:
            self._body_since += self.LOOK_SECONDS  # the server is the slower one
        return now - self._body_since > self.GRACE_SECONDS + self._body_bytes / self.PACE

    def _answer_is_left(self, now: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent:
            self._unsent_since = now
        if self._unsent == 0:
            self._unsent_since = now
        self._unsent = unsent
        return unsent > 0 and now - self._unsent_since > self.SEND_SECONDS
