"""The connections of an HTTP server, whose limits hold before an app sees a request.

uvicorn gives a client as long as it likes for a request. Here a head comes whole within
`HEAD_SECONDS` and 16 KiB, a body at `PACE` at least, and an answer is taken; whoever is slower is
cut off. Of more than `MOST` connections, the one whose client has been waited for longest gives
way; one whose request is being worked on doesn't.

A request for a websocket is an ordinary one, where the server has none or where it is none: then
nobody else takes the connection over.
"""

import asyncio
import re
import time
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEAD_BYTES = 16_384
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_OF_BODIES = {b"content-length", b"transfer-encoding"}


class Connection(H11Protocol):
    """A connection with limits, as uvicorn's setting `http` takes it."""

    HEAD_SECONDS: ClassVar[float] = 20.0
    """From the connection, or the answer before, to a whole head."""
    MOST: ClassVar[int] = 256
    """Those that have become websockets are not among them."""
    PACE: ClassVar[float] = 262_144.0  # bytes of a body in a second, after the first seconds
    GRACE_SECONDS: ClassVar[float] = 20.0
    """By which a body may be behind `PACE`."""
    SEND_SECONDS: ClassVar[float] = 60.0
    """Without a byte of the answer being taken."""
    LOOK_SECONDS: ClassVar[float] = 1.0
    """Between two looks at a connection; a limit is exceeded by so much at most."""

    _looking: asyncio.TimerHandle | None = None
    _head_since: float | None = None
    _body_since: float | None = None
    _body_bytes = 0
    _unsent, _unsent_since = 0, 0.0

    def __init__(self, *settings: Any, **more: Any) -> None:
        super().__init__(*settings, **more)
        # In place of uvicorn's own; see `_Heads`.
        self.conn = _Heads(h11.SERVER, _HEAD_BYTES)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since = time.monotonic()
        self._look_again()
        others = [each for each in self.connections if isinstance(each, Connection)]
        if len(others) > self.MOST:
            self._make_room(others)

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state is h11.SEND_BODY:
            self._body_bytes += len(data)
        super().data_received(data)
        self._waited(time.monotonic())  # what it is waited for may be something else from now on

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_more()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._look_no_more()  # from here on it is another protocol's
        super().handle_websocket_upgrade(event)

    def _should_upgrade(self) -> bool:
        """Only what is a websocket's request: the protocol for it never answers another one."""
        return (
            self.ws_protocol_class is not None
            and self._get_upgrade() == b"websocket"
            and self.scope["method"] == "GET"
            and not any(name in _OF_BODIES and value != b"0" for name, value in self.headers)
        )

    def _make_room(self, connections: list["Connection"]) -> None:
        now = time.monotonic()
        waited = {each: max(each._waited(now)) for each in connections}
        waited[self] = 0.0  # it has just come
        max(connections, key=lambda each: (waited[each], each is not self)).cut()

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
        if self.flow.read_paused and self._body_since is not None:
            self._body_since += self.LOOK_SECONDS  # the server is the slower one
        bounds = self.HEAD_SECONDS, self.GRACE_SECONDS, self.SEND_SECONDS
        waited = self._waited(time.monotonic())
        if any(seconds > most for seconds, most in zip(waited, bounds, strict=True)):
            self.cut()
        else:
            self._look_again()

    def _waited(self, now: float) -> tuple[float, float, float]:
        """Seconds for which the client has kept back a head, a body and room for an answer; less
        than 0 for what isn't waited for. `now`: by the monotonic clock.
        """
        return self._for_head(now), self._for_body(now), self._for_answer(now)

    def _for_head(self, now: float) -> float:
        answering = self.cycle is not None and not self.cycle.response_complete
        if self.conn.their_state is not h11.IDLE or answering:
            self._head_since = None
            return -1.0
        if self._head_since is None:
            self._head_since = now
        return now - self._head_since

    def _for_body(self, now: float) -> float:
        if self.conn.their_state is not h11.SEND_BODY:
            self._body_since, self._body_bytes = None, 0
            return -1.0
        if self._body_since is None:
            self._body_since = now
        behind = now - self._body_since - self._body_bytes / self.PACE
        return -1.0 if self.flow.read_paused or behind < 0 else behind

    def _for_answer(self, now: float) -> float:
        unsent = self.transport.get_write_buffer_size()
        if self._unsent == 0 or unsent < self._unsent:
            self._unsent_since = now
        self._unsent = unsent
        return now - self._unsent_since if unsent else -1.0


class _Heads(h11.Connection):
    """HTTP whose heads end within 16 KiB, in whatever pieces they come: h11 itself looks at the
    size of what isn't whole yet.
    """

    def next_event(self) -> Any:
        if self.their_state is h11.IDLE:
            come = self.trailing_data[0]
            if len(come) > _HEAD_BYTES and not _END_OF_HEAD.search(come, 0, _HEAD_BYTES):
                raise h11.RemoteProtocolError("a head of more than 16 KiB")
        return super().next_event()


SERVED: dict[str, Any] = {"http": Connection, "ws": "none", "log_level": "warning"}
"""uvicorn's settings for a service, which has no websockets."""
