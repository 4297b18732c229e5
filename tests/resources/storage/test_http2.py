"""A CDN that speaks HTTP/2 is understood, and whatever frames it sends, a file or a reason comes of
them."""

import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen404_assets.competition.faults import MinerFault
from resources.downloads import Downloads
from simulators.http2_strangers import Answer, Raw, frame, http2_stranger
from simulators.strangers import Stranger, certified
from tests.resources.storage.downloading import AGENT, GZIPPED, LIMIT, MESH, reason

SECURE, TRUSTING = certified("DNS:cdn.invalid")
HTTP2 = Downloads(
    private=True, resolve=lambda _: ["127.0.0.1"], tls=TRUSTING, limit=LIMIT, timeout=20
)
HASTY = Downloads(
    private=True, resolve=lambda _: ["127.0.0.1"], tls=TRUSTING, limit=LIMIT, timeout=2
)


def over_http2(answer: Callable[[str], Answer | Raw], to: Path) -> Stranger:
    """The server, after a file was fetched from it."""
    with http2_stranger(answer, SECURE) as cdn:
        HTTP2.download(f"https://cdn.invalid:{cdn.port}/a/chair.glb", to)
    return cdn


def http2_reason(
    answer: Callable[[str], Answer | Raw], to: Path, downloads: Downloads = HTTP2
) -> str:
    with http2_stranger(answer, SECURE) as cdn:
        return reason(f"https://cdn.invalid:{cdn.port}/a/chair.glb", to, downloads)


@pytest.mark.parametrize("length", [None, len(MESH)])
def test_a_host_that_speaks_http_2_alone_is_understood(length: int | None, to: Path) -> None:
    cdn = over_http2(lambda _: Answer([MESH[:9], MESH[9:]], length=length), to)
    assert to.read_bytes() == MESH
    asked = cdn.requests[0]
    assert f":authority: cdn.invalid:{cdn.port}\n" in asked
    assert "accept-encoding: identity" in asked
    assert AGENT.search(asked)
    assert "connection" not in asked


def test_what_holds_for_http_1_holds_for_http_2(to: Path) -> None:
    over_http2(
        lambda path: (
            Answer([MESH]) if path == "/b" else Answer(status=302, headers=(("location", "/b"),))
        ),
        to,
    )
    over_http2(lambda _: Answer([GZIPPED], headers=(("content-encoding", "gzip"),)), to)
    assert to.read_bytes() == MESH
    to.unlink()
    assert (
        http2_reason(lambda _: Answer(itertools.repeat(bytes(1 << 16))), to)
        == f"larger than {LIMIT} bytes"
    )
    assert http2_reason(lambda _: Answer(length=LIMIT + 1), to) == f"larger than {LIMIT} bytes"
    assert http2_reason(lambda _: Answer(status=404), to) == "HTTP status 404"
    moved = Answer(status=302, headers=(("location", "http://169.254.169.254/"),))
    assert "more than 3" in http2_reason(
        lambda _: Answer(status=302, headers=(("location", "/"),)), to
    )
    public = Downloads(
        resolve=lambda host: ["127.0.0.1"] if host == "cdn.invalid" else [host], tls=TRUSTING
    )
    assert "public" in http2_reason(lambda _: moved, to, public)
    with http2_stranger(lambda _: Answer([MESH]), SECURE) as cdn:
        assert "connection failed" in reason(f"https://other.invalid:{cdn.port}/", to, HTTP2)


GOAWAY, PING, SETTINGS, HEADERS, DATA, RST_STREAM, CONTINUATION, WINDOW_UPDATE = (
    7,
    6,
    4,
    1,
    0,
    3,
    9,
    8,
)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
        [os.urandom(1000)],
        [frame(GOAWAY, 0, 0, bytes(8))],
        [frame(GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\2" + b"x" * 1000)],
        [frame(RST_STREAM, 0, 1, b"\0\0\0\7")],
        [frame(RST_STREAM, 0, 1, b"")],
        [frame(DATA, 0, 1, bytes(100))],
        [frame(DATA, 0, 3, bytes(100))],
        [frame(DATA, 1, 1, b"")],
        [frame(HEADERS, 4, 1, b"\xff" * 50)],
        [frame(HEADERS, 5, 1, b"\x88"), frame(HEADERS, 5, 1, b"\x88")],
        [frame(HEADERS, 4, 1, b"\x08\x03abc")],
        [frame(HEADERS, 4, 1, b"\x00\x01a\x01b")],
        [frame(HEADERS, 4, 1, b"\x88\x00\x0econtent-length\x03abc")],
        [frame(HEADERS, 4, 1, b"\x88\x00\x0econtent-length\x019"), frame(DATA, 1, 1, b"x")],
        [frame(HEADERS, 0, 1, b"\x88"), *[frame(CONTINUATION, 0, 1, b"\x88")] * 1000],
        [frame(SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff")],
        [frame(SETTINGS, 0, 0, b"\0\3\0\0\0\0")],
        [frame(SETTINGS, 0, 0, b"\0\5\0\0\0\0")],
        [frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")] * 2,
        [frame(5, 4, 1, b"\0\0\0\2\x88")],
        [b"\xff\xff\xff\0\0\0\0\0\1"],
    ],
)
@pytest.mark.parametrize("after_head", [False, True])
def test_g10_any_frames_are_a_file_or_a_reason(
    frames: list[bytes], after_head: bool, to: Path
) -> None:
    answer = Raw(frames, after_head)
    with http2_stranger(lambda _: answer, SECURE) as cdn:
        try:
            HTTP2.download(f"https://cdn.invalid:{cdn.port}/", to)
        except MinerFault as fault:
            assert re.fullmatch(r"[^\n]{5,200}", str(fault))


@pytest.mark.parametrize(
    "endless",
    [
        frame(PING, 0, 0, bytes(8)) * 1000,
        frame(SETTINGS, 0, 0, b"\0\4\0\1\0\0") * 1000,
        frame(DATA, 8, 1, b"\xff" + bytes(255)) * 100,
    ],
)
def test_g20_frames_that_never_end_do(endless: bytes, to: Path) -> None:
    assert re.search(
        "on the wire|connection failed|no proper HTTP|can't be read|no end",
        http2_reason(lambda _: Raw(itertools.repeat(endless), after_head=True), to, HASTY),
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.builds(
            frame,
            st.integers(0, 10),
            st.integers(0, 255),
            st.integers(0, 3),
            st.binary(max_size=60),
        )
    )
)
def test_g10_no_frames_make_more_than_a_reason(tmp_path: Path, frames: list[bytes]) -> None:
    answer = Raw([b"".join(frames)])
    with http2_stranger(lambda _: answer, SECURE) as cdn:
        try:
            HTTP2.download(f"https://cdn.invalid:{cdn.port}/", tmp_path / "file")
        except MinerFault as fault:
            assert str(fault)
