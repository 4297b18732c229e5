"""Web servers of strangers, on loopback: each says in bytes what it answers. Certificates are made
by openssl.
"""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

Behaviour = Callable[[str], Iterable[bytes]]


@dataclass
class Stranger:
    """A server that was started: its `url`, without a final slash, and the requests it got, as
    text.
    """

    port: int
    host: str = "127.0.0.1"
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


Talk = Callable[[socket.socket, Stranger], None]
"""What a server says on a connection."""


@contextmanager
def stranger(
    behaviour: Behaviour, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Stranger]:
    """Answers each request with the bytes that `behaviour` gives for its path, then closes the
    connection.
    """

    def talk(connection: socket.socket, server: Stranger) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            received = connection.recv(65536)
            if not received:
                return
            request += received
        server.requests.append(request.decode())
        for data in behaviour(request.split()[1].decode()):
            connection.sendall(data)

    with serving(talk, tls, host) as server:
        yield server


@contextmanager
def serving(
    talk: Talk, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Stranger]:
    """A server that talks like that on each connection, and then closes it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        server = Stranger(listener.getsockname()[1], f"[{host}]" if ":" in host else host)

        def answer(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                wrapped = tls.wrap_socket(connection, server_side=True) if tls else connection
                with wrapped:
                    talk(wrapped, server)
                    wrapped.shutdown(socket.SHUT_WR)
                    wrapped.recv(1)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(
                        target=answer, args=(listener.accept()[0],), daemon=True
                    ).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def ok(body: bytes, *headers: str, length: int | None = None) -> bytes:
    """An ordinary answer, with the length that is claimed."""
    lines = [
        "HTTP/1.1 200 OK",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {code} Said", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def certified(*names: str, keep: Path | None = None) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS with a certificate for these names (`DNS:...`, `IP:...`), and a client's that
    trusts it.

    The certificate is also written to the file `keep`.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key", Path(folder) / "certificate"
        subject = ["-subj", "/CN=cdn", "-addext", f"subjectAltName={','.join(names)}"]
        new = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        files = ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*new, *subject, *files], check=True, capture_output=True)
        server.load_cert_chain(certificate, key)
        if keep:
            keep.write_bytes(certificate.read_bytes())
        return server, ssl.create_default_context(cafile=certificate)


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()
