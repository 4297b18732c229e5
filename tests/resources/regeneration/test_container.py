"""The client of a miner's container: a stranger's server may answer anything, or nothing, or for
ever."""

import asyncio
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from resources.container import Container, GatewayRefused, Unreachable

OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def stranger(
    answer: Callable[[socket.socket], None], asked: list[bytes] | None = None
) -> Iterator[str]:
    """A server that reads a request's first bytes, into `asked`, and answers on the bare
    connection."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with connection:
            request = connection.recv(65536)
            if asked is not None:
                asked.append(request)
            try:
                answer(connection)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def generated(
    url: str, to: Path, *, seconds: float = 0.3, gateway: str | None = None, limit: int = 1000
) -> tuple[float, int]:
    """Generation time and size of what a container at `url` makes."""

    async def run() -> tuple[float, int]:
        container = Container(url, "token", gateway=gateway, limit=limit)
        try:
            async with container.generate(b"picture", 7, seconds) as answer:
                return answer.seconds, await answer.save(to)
        finally:
            await container.aclose()

    return asyncio.run(run())


def drip(first: bytes, more: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(more)
            time.sleep(0.05)

    return answer


def once(content: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(content)


def test_generation_time_is_from_sending_to_headers_and_the_body_may_take_longer(
    tmp_path: Path,
) -> None:
    def answer(connection: socket.socket) -> None:
        time.sleep(0.2)
        connection.sendall(OK + b"Content-Length: 4\r\n\r\n")
        time.sleep(3)
        connection.sendall(b"file")

    with stranger(answer) as url:
        seconds, size = generated(url, tmp_path / "file", seconds=5)
    assert 0.2 <= seconds < 3
    assert size == 4
    assert (tmp_path / "file").read_bytes() == b"file"


def test_slower_than_the_limit_is_taken_within_twice_the_limit(tmp_path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        time.sleep(2.5)
        connection.sendall(OK + b"Content-Length: 4\r\n\r\nfile")

    with stranger(answer) as url:
        assert generated(url, tmp_path / "file", seconds=2)[0] >= 2.5


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
FOREVER = {
    "no answer": (lambda _: time.sleep(5), "no answer"),
    "headers that never end": (drip(OK, b"X: y\r\n"), "no answer"),
    "a header that never ends": (drip(OK + b"X: ", b"y"), "no answer"),
    "answers before the answer": (drip(EARLY, EARLY * 500), "no answer"),
    "a body that drips": (drip(OK + b"Content-Length: 1000\r\n\r\n", b"x"), "did not end"),
    "chunks that drip": (
        drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        "did not end",
    ),
}


@pytest.mark.parametrize("case", FOREVER)
def test_g12_whatever_drips_ends(tmp_path: Path, case: str) -> None:
    answer, reason = FOREVER[case]
    began = time.monotonic()
    with stranger(answer) as url, pytest.raises(MinerFault, match=reason):
        generated(url, tmp_path / "file")
    assert time.monotonic() - began < 20


WRONG = {
    "nonsense": (once(b"nonsense\r\n\r\n"), "doesn't answer"),
    "nothing": (once(b""), "doesn't answer"),
    "an error": (once(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"), "answers 500"),
    "no content": (once(b"HTTP/1.1 204 None\r\n\r\n"), "answers 204"),
    "a redirect": (
        once(b"HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"),
        "302",
    ),
    "an empty file": (once(OK + b"Content-Length: 0\r\n\r\n"), "empty"),
    "half a file": (once(OK + b"Content-Length: 9\r\n\r\nhalf"), "broke off"),
    "too large": (once(OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001), "larger than 1000"),
    "endless": (drip(OK + b"\r\n", b"x" * 500), "larger than 1000"),
    "compressed": (
        once(OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbomb"),
        "encoding",
    ),
    "huge headers": (once(OK + b"X: " + b"y" * 10**6 + b"\r\n\r\n"), "doesn't answer"),
    "refused by itself": (once(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), "answers 401"),
}


WRONG |= {
    f"a redirect to {location!r}": (
        once(b"HTTP/1.1 302 There\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"),
        "302|can't be read|doesn't answer",
    )
    for location in (
        b"https://xn--a..com/",
        b"http://[::1",
        b"\xff\xfe",
        b"//",
        b"http://a:b@c:99999/",
    )
}


@pytest.mark.parametrize(
    "headers", [b"", b"Content-Encoding: \r\n", b"Content-Encoding: Identity\r\n"]
)
def test_a_stranger_s_cookies_are_neither_kept_nor_read(tmp_path: Path, headers: bytes) -> None:
    """Found by mutation: a cookie of bytes that aren't ASCII broke the request after it, and
    with it the whole run."""
    asked: list[bytes] = []
    cookies = b"Set-Cookie: a=\xff\xfe; Path=/\r\nSet-Cookie: b=c\r\n"
    cookies += b"Set-Cookie: d=e; Expires=Mon, 99 Foo 9999\r\n"

    async def twice(url: str) -> None:
        container = Container(url)
        try:
            for _ in range(2):
                assert await container.healthy()
                async with container.generate(b"picture", 7, 5.0) as answer:
                    assert await answer.save(tmp_path / "file") == 4
        finally:
            await container.aclose()

    def answer(connection: socket.socket) -> None:
        connection.sendall(
            OK + cookies + headers + b"Connection: close\r\nContent-Length: 4\r\n\r\nfile"
        )

    with stranger(answer, asked) as url:
        asyncio.run(twice(url))
    assert len(asked) == 4
    assert not any(b"cookie" in request.lower() for request in asked)


@pytest.mark.parametrize("case", WRONG)
def test_g10_whatever_is_wrong_is_the_miners_fault_with_a_reason(tmp_path: Path, case: str) -> None:
    answer, reason = WRONG[case]
    with stranger(answer) as url, pytest.raises(MinerFault, match=reason) as caught:
        generated(url, tmp_path / "file", seconds=5)
    assert "token" not in str(caught.value)


def test_a_container_that_is_not_there_is_the_miners_fault(tmp_path: Path) -> None:
    with pytest.raises(MinerFault, match="doesn't answer"):
        generated("http://127.0.0.1:9", tmp_path / "file")


@pytest.mark.parametrize("status", [401, 403])
def test_g01_a_gateway_that_refuses_us_is_not_the_miners_fault(tmp_path: Path, status: int) -> None:
    with stranger(once(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())) as url:
        with pytest.raises(GatewayRefused):
            generated(url, tmp_path / "file", gateway=url)
        with pytest.raises(GatewayRefused):
            asyncio.run(_healthy(url, gateway=url))
        assert not asyncio.run(_healthy(url))


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("elsewhere", [b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", b""])
def test_g01_a_container_that_refuses_behind_a_gateway_that_does_not_is_to_blame(
    tmp_path: Path, status: int, elsewhere: bytes
) -> None:
    refusal = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
    with stranger(once(refusal)) as url, stranger(once(elsewhere)) as gateway:
        with pytest.raises(MinerFault, match=f"answers {status}"):
            generated(url, tmp_path / "file", seconds=2, gateway=gateway)
        assert not asyncio.run(_healthy(url, gateway=gateway))


@pytest.mark.parametrize("error", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN])
def test_g01_without_a_network_nobody_is_to_blame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    async def connect(*_: Any, **__: Any) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(anyio, "connect_tcp", connect)
    with pytest.raises(Unreachable):
        generated("http://127.0.0.1:9", tmp_path / "file")
    with pytest.raises(Unreachable):
        asyncio.run(_healthy("http://127.0.0.1:9"))


def test_g01_a_name_that_can_not_be_resolved_is_nobodys_fault(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        generated("http://no-such-host.invalid", tmp_path / "file", seconds=10)


def test_g01_a_disk_that_fails_is_not_the_miners_fault(tmp_path: Path) -> None:
    with (
        stranger(once(OK + b"Content-Length: 4\r\n\r\nfile")) as url,
        pytest.raises(InfrastructureFault),
    ):
        generated(url, tmp_path / "no folder" / "file")


@pytest.mark.parametrize(
    ("content", "healthy"),
    [
        (OK + b"Content-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 503 No\r\n\r\n", False),
        (b"HTTP/1.1 204 \r\n\r\n", False),
    ],
)
def test_a_container_is_healthy_when_it_answers_200(content: bytes, healthy: bool) -> None:
    with stranger(once(content)) as url:
        assert asyncio.run(_healthy(url)) is healthy
    assert not asyncio.run(_healthy("http://127.0.0.1:9"))


async def _healthy(url: str, *, gateway: str | None = None) -> bool:
    container = Container(url, "token", gateway=gateway)
    try:
        return await container.healthy()
    finally:
        await container.aclose()
