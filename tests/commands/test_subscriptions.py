"""The websockets before Dagster's webserver, over real sockets: how many there are, and for how
long one is waited for.
"""

import asyncio
import socket
from contextlib import ExitStack, closing, suppress
from typing import Any, ClassVar

import httpx2
import pytest

from gen404_assets.commands.guard import LOOPBACK, Guard
from gen404_assets.commands.subscriptions import Subscription
from gen404_assets.commands.webserver import SERVED
from gpu.services.connections import Connection
from simulators.judge_serving import serving

UPGRADE = "Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
KEYS = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
WHOLE = f"GET /graphql HTTP/1.1\r\n{UPGRADE}{KEYS}\r\n"


class FewConnections(Connection):
    """Connections of which only the number is limited."""

    HEAD_SECONDS: ClassVar[float] = 600.0
    GRACE_SECONDS: ClassVar[float] = 600.0
    MOST: ClassVar[int] = 10


class Few(Subscription):
    """Websockets of which only the number is limited."""

    LOOK_SECONDS: ClassVar[float] = 600.0
    MOST: ClassVar[int] = 20


class Quick(Subscription):
    """Websockets that are waited for as long as a test lasts."""

    LOOK_SECONDS: ClassVar[float] = 0.3


async def dagster(scope: Any, receive: Any, send: Any) -> None:
    """Accepts every websocket but those of /never in time, and says what it is told."""
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await receive()
    if scope["path"] == "/never":
        await asyncio.sleep(3.0)
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def opened(url: str, sent: str) -> socket.socket:
    """A connection on which this has been sent."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), 30)
    connection.sendall(sent.encode())
    return connection


def rest_of(connection: socket.socket) -> bytes:
    """What comes until the connection ends. Raises TimeoutError where it doesn't in 30 s."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (WHOLE.replace("GET", "POST"), b"415"),
        (WHOLE.replace("GET", "HEAD"), b"405"),
        (WHOLE.replace("Host", "Content-Length: 1000000\r\nHost"), b"405"),
        (WHOLE.replace("Host", "Transfer-Encoding: chunked\r\nHost"), b"405"),
        (WHOLE.replace("Host", f"X: {'x' * 9000}\r\nHost"), b"400"),
        (WHOLE.replace("Host", "X: x\r\n" * 200 + "Host"), b"400"),
        (WHOLE.replace(KEYS, ""), b"400"),
        (WHOLE.replace("n: 13", "n: 99"), b"400"),
        (WHOLE.replace("/graphql", "/never"), b""),
    ],
)
def test_g12_a_request_for_a_websocket_that_comes_to_none_ends(
    request_: str, status: bytes
) -> None:
    """Most of these were once held for good, and 256 of them kept everybody out."""
    with (
        serving(Guard(dagster, LOOPBACK), **{**SERVED, "ws": Quick}) as url,
        closing(opened(url, request_)) as asked,
    ):
        if status in {b"415", b"405"}:
            assert asked.recv(1000).startswith(b"HTTP/1.1 " + status)
        else:
            assert rest_of(asked).startswith(b"HTTP/1.1 " + status if status else b"")


def test_g12_websockets_take_nobody_elses_place() -> None:
    settings = {**SERVED, "ws": Few, "http": FewConnections}
    with serving(Guard(dagster, LOOPBACK), **settings) as url, ExitStack() as open_ones:
        sockets = [
            open_ones.enter_context(closing(opened(url, WHOLE))) for _ in range(Few.MOST + 5)
        ]
        assert b" 101 " in sockets[-1].recv(1000)
        assert httpx2.get(f"{url}/runs", timeout=30).status_code == 200
        for oldest in sockets[:5]:
            rest_of(oldest)
        sockets[5].sendall(b"\x81\x82\0\0\0\0hi")
        said = sockets[5].recv(1000)
        assert said.endswith(b"hi") or sockets[5].recv(1000).endswith(b"hi")


def test_g12_a_websocket_that_is_used_stays() -> None:
    with (
        serving(Guard(dagster, LOOPBACK), **{**SERVED, "ws": Quick}) as url,
        closing(opened(url, WHOLE)) as used,
    ):
        used.settimeout(4 * Quick.LOOK_SECONDS)
        assert b" 101 " in used.recv(1000)
        with pytest.raises(TimeoutError):
            used.recv(1)
