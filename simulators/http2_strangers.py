"""Web servers of strangers that speak HTTP/2 alone, as hosts behind some load balancers do: real
frames over real TLS.

After RFC 9113 and h2's own server side; `Raw` sends bytes that h2 itself would not.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events

from simulators.strangers import Stranger, serving

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """A status, headers and a body; `length` is what is claimed, None for nothing."""

    body: Iterable[bytes] = ()
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None

    @property
    def head(self) -> Headers:
        claimed = [("content-length", str(self.length))] if self.length is not None else []
        return [(":status", str(self.status)), *claimed, *self.headers]


@dataclass(frozen=True)
class Raw:
    """Bytes sent in place of an answer, after the head of a 200 where `after_head`; then the
    connection ends."""

    frames: Iterable[bytes]
    after_head: bool = False


@contextmanager
def http2_stranger(
    behaviour: Callable[[str], Answer | Raw], tls: ssl.SSLContext, host: str = "127.0.0.1"
) -> Iterator[Stranger]:
    """Answers each request as `behaviour` says for its path. A client that doesn't offer h2 gets
    no answer."""
    tls.set_alpn_protocols(["h2"])

    def talk(connection: socket.socket, server: Stranger) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        if connection.selected_alpn_protocol() == "h2":
            _Conversation(connection, server, behaviour).run()

    with serving(talk, tls, host) as server:
        yield server


class _Conversation:
    def __init__(
        self, connection: socket.socket, server: Stranger, behaviour: Callable[[str], Answer | Raw]
    ) -> None:
        self.connection, self.server, self.behaviour = connection, server, behaviour
        validate = h2.config.H2Configuration(client_side=False, validate_outbound_headers=False)
        self.state = h2.connection.H2Connection(validate)

    def run(self) -> None:
        self.state.initiate_connection()
        self._send()
        while request := self._request():
            headers, stream = request
            lines = [f"{name}: {value}" for name, value in headers.items()]
            self.server.requests.append("\n".join(lines))
            answer = self.behaviour(headers[":path"])
            if isinstance(answer, Raw):
                self._raw(answer, stream)
                return
            self._answer(answer, stream)

    def _request(self) -> tuple[dict[str, str], int] | None:
        while data := self.connection.recv(65536):
            for event in self.state.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    return {
                        name.decode(): value.decode() for name, value in event.headers
                    }, event.stream_id
            self._send()
        return None

    def _answer(self, answer: Answer, stream: int) -> None:
        self.state.send_headers(stream, answer.head)
        self._send()
        for chunk in answer.body:
            left = memoryview(chunk)
            while left:
                size = min(self._window(stream), self.state.max_outbound_frame_size, len(left))
                self.state.send_data(stream, bytes(left[:size]))
                left = left[size:]
                self._send()
        self.state.end_stream(stream)
        self._send()

    def _window(self, stream: int) -> int:
        window: int
        while not (window := self.state.local_flow_control_window(stream)):
            self.state.receive_data(self.connection.recv(65536))
            self._send()
        return window

    def _raw(self, answer: Raw, stream: int) -> None:
        if answer.after_head:
            self.state.send_headers(stream, [(":status", "200")])
            self._send()
        for frames in answer.frames:
            self.connection.sendall(frames)

    def _send(self) -> None:
        self.connection.sendall(self.state.data_to_send())


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame (RFC 9113, 4.1)."""
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )
