"""What a miner's CDN may do, and what comes of it: a file, or a reason; in time, in bounds, and
whole or not at all.
"""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from resources.downloads import Downloads, open_downloads
from resources.settings import BadSetting
from simulators.strangers import ok, stranger
from tests.resources.storage.downloading import LIMIT, LOCAL, reason

HASTY = Downloads(private=True, limit=LIMIT, timeout=0.5)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_file_is_saved_as_it_was_served(to: Path) -> None:
    to.write_bytes(b"what an earlier try left")
    with stranger(lambda _: [ok(b"glTF" * 1000, "Set-Cookie: a=b")]) as cdn:
        assert LOCAL.download(f"{cdn.url}/a%20b/chair.glb?v=1#part", to) == 4000
    assert to.read_bytes() == b"glTF" * 1000
    assert list(to.parent.iterdir()) == [to]
    assert cdn.requests[0].startswith("GET /a%20b/chair.glb?v=1 HTTP/1.1\r\n")
    assert "Accept-Encoding: identity\r\n" in cdn.requests[0]


def test_proxies_of_the_environment_are_not_used(to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with stranger(lambda _: [ok(b"proxied")]) as proxy, stranger(lambda _: [ok(b"direct")]) as cdn:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        LOCAL.download(cdn.url, to)
    assert to.read_bytes() == b"direct"
    assert not proxy.requests


def endless(_: str) -> Iterator[bytes]:
    yield CHUNKED
    yield from itertools.repeat(b"10000\r\n" + bytes(65536) + b"\r\n")


def padded(_: str) -> Iterator[bytes]:
    yield CHUNKED
    yield from itertools.repeat(b"1;" + b"x" * 8000 + b"\r\nx\r\n")


def interim(_: str) -> Iterator[bytes]:
    yield from itertools.repeat(b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 8000 + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (endless, "larger than 1048576 bytes"),
        (padded, "on the wire"),
        (interim, "on the wire"),
        (lambda _: [ok(b"", length=LIMIT + 1)], "larger than 1048576 bytes"),
        (lambda _: [b"HTTP/1.0 200 OK\r\n\r\n", bytes(LIMIT + 1)], "larger than 1048576 bytes"),
        (lambda _: [ok(b"x", "Content-Encoding: zstd, identity")], "content encoding 'zstd'"),
        (
            lambda _: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
            "no proper HTTP",
        ),
    ],
)
def test_g20_bodies_are_bounded_and_plain(answer: object, why: str, to: Path) -> None:
    with stranger(answer) as cdn:  # type: ignore[arg-type]
        assert why in reason(cdn.url, to)


def test_g20_a_file_of_just_the_limit_is_taken(to: Path) -> None:
    with stranger(lambda _: [ok(bytes(LIMIT))]) as cdn:
        assert LOCAL.download(cdn.url, to) == LIMIT == to.stat().st_size


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ok(b"half", length=8), "cut short"),
        (CHUNKED + b"8\r\nhalf", "cut short"),
        (CHUNKED + b"-1\r\nx", "no proper HTTP"),
        (ok(b"x", "Content-Length: 7"), "no proper HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "no proper HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "no proper HTTP"),
        (b"220 smtp.example ESMTP\r\n", "no proper HTTP"),
        (b"", "cut short"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "a redirect without a location"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "HTTP status 503"),
        (b"HTTP/1.1 404 Nothing\r\nContent-Length: 0\r\n\r\n", "HTTP status 404"),
    ],
)
def test_g10_any_answer_is_a_file_or_a_reason(answer: bytes, why: str, to: Path) -> None:
    with stranger(lambda _: [answer]) as cdn:
        assert why in reason(cdn.url, to)


def dripped(data: bytes) -> Iterable[bytes]:
    for byte in data:
        time.sleep(0.05)
        yield bytes([byte])


@pytest.mark.parametrize("prefix", [b"", b"HTTP/1.1 200 OK\r\n", ok(b"", length=1000)])
def test_g12_a_cdn_that_drips_ends(prefix: bytes, to: Path) -> None:
    with stranger(lambda _: itertools.chain([prefix], dripped(b"x" * 1000))) as cdn:
        started = time.monotonic()
        assert reason(cdn.url, to, HASTY) == "no end after 0.5 s"
    assert time.monotonic() - started < 20


def test_g12_nobody_answering_ends(to: Path) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):  # the queue is full: further ones hang while they connect
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        for url in (f"http://127.0.0.1:{port}/", f"https://127.0.0.1:{port}/"):
            assert reason(url, to, HASTY) == "no end after 0.5 s"


def test_g12_a_name_server_that_never_answers_ends(to: Path) -> None:
    awake = threading.Event()

    def asleep(_: str) -> list[str]:
        awake.wait(60)
        return []

    slow = Downloads(timeout=0.3, resolve=asleep)
    started = time.monotonic()
    assert reason("http://cdn.invalid/", to, slow) == "the host isn't found"
    assert time.monotonic() - started < 40
    awake.set()


def test_g01_what_is_this_machine_s_fault_is_no_miner_s(to: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        cdn_url = f"http://127.0.0.1:{listener.getsockname()[1]}/404-gen"
        downloads = open_downloads({"CDN_URL": cdn_url, "ALLOW_PRIVATE_CDN": "true"})
        assert "connection failed" in reason("http://127.0.0.1:1/", to, downloads)
        assert "isn't found" in reason("http://nobody.invalid/", to, downloads)
    for url in ("http://127.0.0.1:1/", "http://nobody.invalid/"):
        with pytest.raises(InfrastructureFault, match="CDN_URL"):
            downloads.download(url, to)
    with (
        stranger(lambda _: [ok(b"mesh")]) as cdn,
        pytest.raises(InfrastructureFault, match="written"),
    ):
        downloads.download(cdn.url, to / "no folder" / "chair.glb")


def test_g15_killed_in_the_middle_nothing_is_at_the_target(to: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from resources.downloads import Downloads; "
        f"Downloads(private=True).download(sys.argv[1], Path({str(to)!r}))"
    )
    with stranger(
        lambda _: itertools.chain([ok(bytes(1 << 19), length=LIMIT)], dripped(bytes(1000)))
    ) as cdn:
        process = subprocess.Popen([sys.executable, "-c", code, cdn.url])
        while not any(part.stat().st_size for part in to.parent.glob(".part-*/part")):
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not to.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_FILE_BYTES", "200 MB"),
        ("MAX_FILE_BYTES", "0"),
        ("ALLOW_PRIVATE_CDN", "yes"),
        ("CDN_URL", "cdn.example"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        open_downloads({name: value})
