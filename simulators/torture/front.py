"""The servers of the outside as the platform reaches them: real HTTP on loopback, with a switch for
disturbances in front of what each does.
"""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from simulators.torture.faults import KILLS, Faults, Kind, Met

_PAGE = b"<html><body>It works!</body></html>"
_STATUS = {Kind.ERROR: 503, Kind.REFUSED: 403, Kind.TOKEN: 401}


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass(slots=True)
class Response:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def in_json(cls, content: Any, status: int = 200) -> "Response":
        """An answer in JSON."""
        return cls(status, json.dumps(content).encode(), [("Content-Type", "application/json")])


Backend = Callable[[Request], Response]


class Front:
    """One adapter's server: `backend` answers, `effect` says which requests have effects, `attempt`
    what a request is an attempt at, where attempts are numbered.
    """

    def __init__(
        self,
        adapter: str,
        backend: Backend,
        faults: Callable[[], Faults],
        effect: Callable[[Request], bool] = lambda _: False,
        attempt: Callable[[Request], str] = lambda _: "",
    ) -> None:
        self.adapter, self.backend, self.effect = adapter, backend, effect
        self._faults, self._attempt = faults, attempt

    def answer(self, request: Request, port: int) -> Response | None:
        """The answer, None where the connection is to be closed, or reset, without one."""
        met = self._faults().meet(
            self.adapter,
            effect=self.effect(request),
            port=port,
            attempt=self._attempt(request),
        )
        if met is None:
            return self.backend(request)
        if met.fault.after:
            response = self.backend(request)
            return self._spoilt(met, lambda: response)
        return self._spoilt(met, lambda: self.backend(request))

    @staticmethod
    def _spoilt(met: Met, answer: Callable[[], Response]) -> Response | None:
        kind = met.fault.kind
        if kind in {Kind.HANG, Kind.SLOW}:
            time.sleep(max(0.0, met.until - time.monotonic()))
            return answer() if kind is Kind.SLOW else None
        if kind is Kind.RESET or (kind in KILLS and not met.fault.seconds and not met.fault.role):
            return None
        if kind in _STATUS:
            return Response(_STATUS[kind], _PAGE, [("Content-Type", "text/html")])
        if kind is Kind.GARBAGE:
            return Response(200, _PAGE, [("Content-Type", "text/html")])
        return answer()


@contextmanager
def serving(front: Front) -> Iterator[str]:
    """Serve on a free port of loopback; the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 300

        def respond(self) -> None:
            request = Request(self.command, self.path, self.headers, self._body())
            response = front.answer(request, int(self.client_address[1]))
            if response is None:
                self._reset()
                return
            self.send_response(response.status)
            for name, value in response.headers:
                self.send_header(name, value)
            if not any(name.lower() == "content-length" for name, _ in response.headers):
                self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = respond  # noqa: N815 -- http.server's names

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def _reset(self) -> None:
            self.close_connection = True
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """A client that went away is no error of ours."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
