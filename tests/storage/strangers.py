"""Web servers of strangers, on loopback: each says in bytes what it answers."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[[str], Iterable[bytes]]


@dataclass
class Stranger:
    """A server that was started: its `url`, without a final slash, and the requests it got, as text."""

    port: int
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def stranger(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[Stranger]:
    """Answers each request with the bytes that `behaviour` gives for its path, then closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Stranger(listener.getsockname()[1])

        def answer(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                talk = tls.wrap_socket(connection, server_side=True) if tls else connection
                with talk:
                    request = b""
                    while b"\r\n\r\n" not in request:
                        received = talk.recv(65536)
                        if not received:
                            return
                        request += received
                    server.requests.append(request.decode())
                    for data in behaviour(request.split()[1].decode()):
                        talk.sendall(data)
                    talk.shutdown(socket.SHUT_WR)
                    talk.recv(1)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def ok(body: bytes, *headers: str, length: int | None = None) -> bytes:
    """An ordinary answer, with the length that is claimed."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()
