"""Answers of servers that may be taken over are bounded: bytes, seconds, redirects, compression."""

import gzip
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx2
import pytest

from gpu.bounded_http import AnswerRefused, Bounds, bounded_client
from simulators.strangers import ok, redirect, serving, stranger

BOUNDS = Bounds(seconds=30.0, size=1000)
Say = Callable[[], Iterator[bytes]]


def endless(first: bytes, more: bytes) -> Say:
    def say() -> Iterator[bytes]:
        yield first
        while True:
            yield more

    return say


def once(content: bytes) -> Say:
    return lambda: iter([content])


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
BOMB = gzip.compress(bytes(10_000_000))
TOO_MUCH = {
    "a length that is too large": once(ok(b"x" * 1001)),
    "a length of many digits": once(OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nx"),
    "a body without a length": endless(OK + b"\r\n", b"x" * 500),
    "chunks without end": endless(CHUNKED, b"1\r\nx\r\n" * 100),
    "headers without end": endless(OK, b"X: y\r\n" * 100),
    "a header without end": endless(OK + b"X: ", b"y" * 1000),
    "interim answers without end": endless(b"", INTERIM * 100),
    "a gzip bomb": once(ok(BOMB[:900], "Content-Encoding: gzip")),
    "a coding that nobody asked for": once(ok(b"x", "Content-Encoding: br")),
    "no HTTP": endless(b"", b"nonsense" * 100),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_g12_what_is_too_large_ends_at_its_bound(case: str) -> None:
    sent = 0

    def counted(_: str) -> Iterator[bytes]:
        nonlocal sent
        for piece in TOO_MUCH[case]():
            sent += len(piece)
            yield piece

    with (
        stranger(counted) as server,
        closing(bounded_client(BOUNDS)) as client,
        pytest.raises((AnswerRefused, httpx2.RemoteProtocolError, httpx2.TimeoutException)),
    ):
        client.get(server.url)
    assert sent < 64 * 2**20, "what the kernel's buffers hold, and no more"


@pytest.mark.parametrize(
    "first", [b"", OK, OK + b"X: ", OK + b"Content-Length: 999\r\n\r\n", CHUNKED, INTERIM]
)
def test_g12_what_drips_ends_with_its_thread_at_the_deadline(first: bytes) -> None:
    def drip(connection: socket.socket, _: object) -> None:
        connection.recv(65536)
        connection.sendall(first)
        more = b"1\r\nx\r\n" if first == CHUNKED else INTERIM if first == INTERIM else b"x"
        while True:
            connection.sendall(more)
            time.sleep(0.02)

    # In the thread of the test itself: nobody else would end the request.
    with (
        serving(drip) as server,
        closing(bounded_client(Bounds(0.3, 1000))) as client,
        pytest.raises((httpx2.TimeoutException, httpx2.RemoteProtocolError)),
    ):
        client.get(server.url)


def test_an_answer_within_the_bounds_is_whole() -> None:
    with (
        stranger(lambda path: [ok(path.encode() * 100, "Connection: close")]) as server,
        closing(bounded_client(BOUNDS, base_url=server.url, headers={"X": "y"})) as client,
    ):
        for path in ("/a", "/b"):
            assert client.get(path).text == path * 100
    assert all("accept-encoding: identity" in request.lower() for request in server.requests)


def test_g26_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with (
        stranger(lambda _: [ok(b"inside")]) as inside,
        stranger(lambda _: [redirect(inside.url)]) as server,
        closing(bounded_client(BOUNDS)) as client,
    ):
        assert client.get(server.url).status_code == 302
    assert not inside.requests


def test_g12_the_answers_to_one_client_are_bounded_together() -> None:
    with (
        stranger(lambda _: [ok(b"x" * 900, "Connection: close")]) as server,
        closing(bounded_client(Bounds(30.0, 1000, together=2000))) as client,
    ):
        assert [len(client.get(server.url).content) for _ in range(2)] == [900, 900]
        with pytest.raises(AnswerRefused, match="more than 200 bytes"):
            client.get(server.url)


def test_a_wrong_length_is_no_answer() -> None:
    with (
        stranger(lambda _: [ok(b"x", length=9)]) as server,
        closing(bounded_client(BOUNDS)) as client,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        client.get(server.url)


def test_a_proxy_of_the_environment_is_used_unless_it_is_not_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with stranger(lambda path: [ok(b"by proxy " + path.encode())]) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with closing(bounded_client(BOUNDS)) as client:
            assert client.get("http://judge.invalid/x").text == "by proxy http://judge.invalid/x"
            assert client.get(proxy.url + "/y").text == "by proxy /y"
        with (
            closing(bounded_client(BOUNDS, environment=False)) as client,
            pytest.raises(httpx2.ConnectError),
        ):
            client.get("http://judge.invalid/x")
