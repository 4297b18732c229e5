"""What HTTP connections bear that keep back a body, ask for another protocol, or send long heads,
over real sockets. Services are served as their commands serve them.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any, ClassVar

import httpx2
import pytest

from gpu.distance.embedding import Embeddings
from gpu.services import distance
from gpu.services.connections import SERVED, Connection
from resources.local_network.pictures import PictureEmbedder
from resources.ports import free_ports
from simulators.judge_serving import serving

MOST = 20
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
KEYS = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
BODY = b"POST /distance HTTP/1.1\r\nHost: s\r\nContent-Length: 1000\r\n\r\n{"
UPGRADES = {
    "another method": b"POST /x HTTP/1.1\r\nHost: s\r\n" + UPGRADE + b"\r\n",
    "no keys": b"GET /x HTTP/1.1\r\nHost: s\r\n" + UPGRADE + b"\r\n",
    "a body": b"GET /x HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n" + UPGRADE + KEYS + b"\r\n",
    "chunks": b"GET /x HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n"
    + (UPGRADE + KEYS + b"\r\n"),
    "HEAD": b"HEAD /x HTTP/1.1\r\nHost: s\r\n" + UPGRADE + KEYS + b"\r\n",
    "a long header": b"GET /x HTTP/1.1\r\nHost: s\r\nX: " + b"x" * 9000 + b"\r\n" + UPGRADE
    + (KEYS + b"\r\n"),
    "all that it takes": b"GET /x HTTP/1.1\r\nHost: s\r\n" + UPGRADE + KEYS + b"\r\n",
    "HTTP/2": b"GET /x HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
}  # fmt: skip


class Few(Connection):
    """A connection that only its number limits, which a test can reach."""

    HEAD_SECONDS: ClassVar[float] = 600.0
    GRACE_SECONDS: ClassVar[float] = 600.0
    SEND_SECONDS: ClassVar[float] = 600.0
    MOST: ClassVar[int] = MOST


class Quick(Connection):
    """The limits in time, reached within a test."""

    HEAD_SECONDS: ClassVar[float] = 0.3
    GRACE_SECONDS: ClassVar[float] = 0.3
    LOOK_SECONDS: ClassVar[float] = 0.05


@contextmanager
def measuring(http: type[Connection] = Connection, token: str | None = None) -> Iterator[str]:
    """The URL of a distance service."""
    app = distance.create_app(Embeddings(PictureEmbedder()), lambda _url: b"", token)
    with serving(app, **{**SERVED, "http": http}) as url:
        yield url


def opened(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 30)


def answer_to(url: str, sent: bytes) -> bytes:
    """What comes until the connection ends, at most 30 s of it; nothing where it was cut off."""
    received = b""
    with closing(opened(url)) as client, suppress(ConnectionResetError, BrokenPipeError):
        client.sendall(sent)
        while piece := client.recv(65536):
            received += piece
    return received


@pytest.mark.parametrize("form", UPGRADES)
def test_g12_a_service_takes_a_request_for_a_websocket_for_an_ordinary_one(form: str) -> None:
    """Such a connection once stayed open for good, without an answer and under no limit."""
    with measuring(Quick) as url:
        assert answer_to(url, UPGRADES[form]).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("service", ["render", "distance"])
def test_g12_a_service_that_its_command_starts_has_no_websockets(service: str) -> None:
    (port,) = free_ports(1)
    url, more = f"http://127.0.0.1:{port}", ["--workers", "1"] if service == "render" else []
    command = [sys.executable, "-m", f"gpu.services.{service}", "--port", str(port), *more]
    with subprocess.Popen(command, env={**os.environ, "CDN_URL": "http://cdn.invalid"}) as process:
        try:
            until = time.monotonic() + 120
            while time.monotonic() < until:
                with suppress(httpx2.HTTPError):
                    if httpx2.get(f"{url}/health", timeout=60).status_code == 200:
                        break
                time.sleep(0.1)
            for form in ("another method", "a long header"):
                assert answer_to(url, UPGRADES[form]).startswith(b"HTTP/1.1 404")
        finally:
            process.terminate()


@pytest.mark.parametrize("kept_back", [BODY, BODY.replace(b"C", b"Expect: 100-continue\r\nC", 1)])
def test_g12_requests_whose_bodies_are_kept_back_keep_nobody_out(kept_back: bytes) -> None:
    """256 of them once did for 20 s, and the next 256 for the 20 s after."""
    with measuring(Few) as url, ExitStack() as open_ones:
        for _ in range(3 * MOST):
            open_ones.enter_context(closing(opened(url))).sendall(kept_back)
        for _ in range(5):
            assert httpx2.get(f"{url}/health", timeout=30).json()["status"] == "ok"


def test_g12_connections_that_ask_for_nothing_more_keep_nobody_out() -> None:
    with measuring(Few) as url, ExitStack() as open_ones:
        for _ in range(2 * MOST):
            idle = open_ones.enter_context(closing(opened(url)))
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: s\r\n\r\n")
            idle.recv(1000)
        assert httpx2.get(f"{url}/health", timeout=30).json()["status"] == "ok"


class Slow:
    """An app that answers with 64 MiB when it is told to."""

    def __init__(self) -> None:
        self.begun, self.go_on = 0, False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        import asyncio  # noqa: PLC0415

        while (await receive()).get("more_body"):
            pass
        self.begun += scope["path"] == "/slow"
        while scope["path"] == "/slow" and not self.go_on:
            await asyncio.sleep(0.01)
        size = 2**26 if scope["path"] == "/large" else 2
        length = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"x" * size})


def test_g12_answers_that_nobody_takes_keep_nobody_out() -> None:
    with serving(Slow(), **{**SERVED, "http": Few}) as url, ExitStack() as open_ones:
        for _ in range(MOST):
            left = open_ones.enter_context(closing(opened(url)))
            left.sendall(b"GET /large HTTP/1.1\r\nHost: s\r\n\r\n")
            left.recv(1)
        assert httpx2.get(f"{url}/", timeout=30).text == "xx"


def test_g12_whoever_is_being_served_gives_way_to_nobody() -> None:
    app = Slow()
    with serving(app, **{**SERVED, "http": Few}) as url, ExitStack() as open_ones:
        served = open_ones.enter_context(closing(opened(url)))
        served.sendall(b"POST /slow HTTP/1.1\r\nHost: s\r\nContent-Length: 1\r\n\r\n{")
        while not app.begun:
            time.sleep(0.01)
        for _ in range(2 * MOST):
            open_ones.enter_context(closing(opened(url))).sendall(BODY)
        assert httpx2.get(f"{url}/", timeout=30).text == "xx"
        app.go_on = True
        assert served.recv(100).startswith(b"HTTP/1.1 200")


def test_g12_an_upload_at_its_pace_gives_way_to_nobody() -> None:
    with serving(Slow(), **{**SERVED, "http": Few}) as url, ExitStack() as open_ones:
        quick = open_ones.enter_context(closing(opened(url)))
        quick.sendall(b"POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 20000001\r\n\r\n")
        quick.sendall(bytes(20_000_000))
        for _ in range(2 * MOST):
            open_ones.enter_context(closing(opened(url))).sendall(BODY)
        assert httpx2.get(f"{url}/", timeout=30).text == "xx"
        quick.sendall(b"x")
        assert quick.recv(100).startswith(b"HTTP/1.1 200")


def head_of(size: int) -> bytes:
    begin, end = b"GET /health HTTP/1.1\r\nHost: s\r\nConnection: close\r\nX: ", b"\r\n\r\n"
    return begin + b"x" * (size - len(begin) - len(end)) + end


@pytest.mark.parametrize("piece", [4096, 16_384, 16_385, 100_000])
def test_g12_a_head_over_16_kib_is_refused_in_whatever_pieces_it_comes(piece: int) -> None:
    for size, status in ((16_384, b"200"), (16_385, b"400"), (20_000, b"400")):
        with measuring() as url, closing(opened(url)) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            head = head_of(size)
            for start in range(0, size, piece):
                client.sendall(head[start : start + piece])
                time.sleep(0.02)
            assert client.recv(100).startswith(b"HTTP/1.1 " + status), size


def test_g12_a_long_head_behind_another_request_is_refused_too() -> None:
    first = b"GET /health HTTP/1.1\r\nHost: s\r\n\r\n"
    with measuring() as url:
        answers = answer_to(url, first + head_of(40_000))
        assert answers.startswith(b"HTTP/1.1 200")
        assert answers.count(b"HTTP/1.1 200") == 1
        assert httpx2.get(f"{url}/health", timeout=30).status_code == 200


DUMPABLE = """
import ctypes, sys, uvicorn
from gpu.services import {service}
uvicorn.run = lambda *_, **__: print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
sys.argv = ["service"]
{service}.main()
"""


@pytest.mark.parametrize("service", ["render", "distance"])
def test_g23_a_service_leaves_no_core_file_and_lets_nobody_read_its_memory(service: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", DUMPABLE.format(service=service)],
        env={**os.environ, "CDN_URL": "http://cdn.invalid"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["0"], "what prctl's PR_GET_DUMPABLE says"
