"""What real CDNs do that no specification of ours foresaw; each is a file all the same, or is
tried again later."""

import gzip
import itertools
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen404_assets.competition.faults import MinerFault, TryLater
from resources.downloads import Downloads
from resources.http_answers import decoded
from simulators.http2_strangers import Answer, Raw, frame, http2_stranger
from simulators.strangers import Stranger, certified, ok, redirect, status, stranger
from tests.resources.storage.test_downloads import LIMIT, LOCAL, reason

MESH = b"glTF" + bytes(range(256)) * 40
GZIPPED = gzip.compress(MESH)
AGENT = re.compile(r"gen404/\S+ \(404-GEN competition platform, .*\+https://\S+\)")


@pytest.fixture
def to(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files" / "chair.glb"


def fetched(answer: bytes | Iterable[bytes], to: Path, downloads: Downloads = LOCAL) -> bytes:
    with stranger(lambda _: [answer] if isinstance(answer, bytes) else answer) as cdn:
        assert downloads.download(cdn.url, to) == to.stat().st_size
    return to.read_bytes()


def later(answer: bytes, to: Path) -> TryLater:
    with stranger(lambda _: [answer]) as cdn, pytest.raises(TryLater) as fault:
        LOCAL.download(cdn.url, to)
    return fault.value


def test_a_host_that_forbids_requests_without_a_user_agent_serves_ours(to: Path) -> None:
    """Cloudflare's browser integrity check and others answer 403 to a client without a name
    (pycurl issue 895)."""
    with stranger(lambda _: [ok(MESH) if AGENT.search(cdn.requests[-1]) else status(403)]) as cdn:
        LOCAL.download(cdn.url, to)
    assert "\r\nAccept: */*\r\n" in cdn.requests[0]
    assert "\r\nAccept-Encoding: identity\r\n" in cdn.requests[0]


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Encoding: aws-chunked"],
        ["Content-Encoding: "],
        ["Content-Encoding: identity"],
        ["Content-Encoding: AWS-Chunked, Identity"],
        ["Content-Encoding: aws-chunked", "Content-Encoding: "],
        ["Content-Encoding: ,"],
    ],
)
def test_encodings_that_encode_nothing_are_identity(headers: list[str], to: Path) -> None:
    """S3 kept an empty one, others `aws-chunked`, where a client uploaded in signed chunks
    (boto3 issue 3629)."""
    assert fetched(ok(MESH, *headers), to) == MESH


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (GZIPPED, ["Content-Encoding: gzip"]),
        (GZIPPED, ["CONTENT-ENCODING: GZip"]),
        (GZIPPED, ["Content-Encoding: x-gzip"]),
        (GZIPPED, ["Content-Encoding: aws-chunked,gzip"]),
        (GZIPPED, ["Content-Encoding: gzip, aws-chunked"]),
        (GZIPPED, ["Content-Encoding: aws-chunked", "Content-Encoding: gzip"]),
        (zlib.compress(MESH), ["Content-Encoding: deflate"]),
        (gzip.compress(GZIPPED), ["Content-Encoding: gzip, gzip"]),
        (
            gzip.compress(zlib.compress(MESH)),
            ["Content-Encoding: deflate", "Content-Encoding: gzip"],
        ),
        (
            gzip.compress(MESH[:5000]) + gzip.compress(b"") + gzip.compress(MESH[5000:]),
            ["Content-Encoding: gzip"],
        ),
        (GZIPPED + bytes(1000), ["Content-Encoding: gzip"]),
        (GZIPPED + b"and something else", ["Content-Encoding: gzip"]),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_what_is_compressed_though_nobody_asked_is_decoded(
    body: bytes, headers: list[str], piece: int, to: Path
) -> None:
    """Objects that were uploaded with `Content-Encoding: gzip` are served so by S3 whatever a
    request accepts."""
    whole = ok(body, *headers)
    parts = [whole[at : at + piece] for at in range(0, len(whole), piece)]
    assert fetched(parts, to) == MESH


@pytest.mark.parametrize(
    ("body", "encoding", "why"),
    [
        (gzip.compress(bytes(100 * LIMIT)), "gzip", f"larger than {LIMIT} bytes"),
        (
            gzip.compress(gzip.compress(bytes(100 * LIMIT))),
            "gzip, gzip",
            f"larger than {LIMIT} bytes",
        ),
        (GZIPPED[:-9], "gzip", "cut short"),
        (GZIPPED[:-1], "gzip", "cut short"),
        (b"", "gzip", "cut short"),
        (GZIPPED + GZIPPED[:-1], "gzip", "cut short"),
        (MESH, "gzip", "isn't the gzip"),
        (GZIPPED[:50] + b"\xff" * 50 + GZIPPED[100:], "gzip", "isn't the gzip"),
        (GZIPPED, "gzip, gzip, gzip", "content encoding"),
        (GZIPPED, "br", "content encoding 'br'"),
        (GZIPPED, "gzip; q=1", "content encoding"),
        (GZIPPED, "\u00ff\u001b", "content encoding"),
    ],
)
def test_g20_decoded_content_is_bounded_and_whole(
    body: bytes, encoding: str, why: str, to: Path
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Encoding: {encoding}\r\n\r\n".encode(
        "latin-1"
    )
    with stranger(lambda _: [head + body]) as cdn:
        assert why in reason(cdn.url, to).replace("no proper HTTP", "content encoding")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=5), st.integers(1, 4000))
def test_any_content_in_any_members_and_pieces_is_decoded(
    content: bytes, cuts: list[int], piece: int
) -> None:
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    members = b"".join(
        gzip.compress(content[start:end]) for start, end in itertools.pairwise(edges)
    )
    pieces = [members[at : at + piece] for at in range(0, len(members), piece)]
    assert b"".join(decoded(["gzip"], pieces)) == content


@pytest.mark.parametrize("level", [0, 1, 9])
def test_decoded_pieces_are_small_whatever_they_grow_to(level: int) -> None:
    content = bytes(3_000_000) + os.urandom(100_000)
    pieces = list(decoded(["gzip"], [gzip.compress(content, level)]))
    assert max(map(len, pieces)) <= 1 << 16
    assert b"".join(pieces) == content


def test_a_file_that_is_a_gzip_stays_one(to: Path) -> None:
    assert fetched(ok(GZIPPED), to) == GZIPPED


@pytest.mark.parametrize(
    "ranges", [f"bytes 0-{len(MESH) - 1}/{len(MESH)}", f"Bytes  0-{len(MESH) - 1}/{len(MESH)}"]
)
def test_a_206_of_the_whole_is_the_file(ranges: str, to: Path) -> None:
    assert fetched(status(206, f"Content-Range: {ranges}", body=MESH), to) == MESH


@pytest.mark.parametrize(
    ("ranges", "body", "why"),
    [
        ("bytes 0-99/200", bytes(100), "HTTP status 206"),
        ("bytes 100-199/200", bytes(100), "HTTP status 206"),
        ("bytes 0-99/*", bytes(100), "HTTP status 206"),
        ("bytes */100", bytes(100), "HTTP status 206"),
        ("lines 0-99/100", bytes(100), "HTTP status 206"),
        ("bytes 0-99/100", bytes(99), "cut short"),
        ("bytes 0-99/100", bytes(101), "cut short"),
        (f"bytes 0-{LIMIT}/{LIMIT + 1}", bytes(10), f"larger than {LIMIT} bytes"),
        ("bytes 0-" + "9" * 40 + "/1" + "0" * 40, bytes(10), "HTTP status 206"),
    ],
)
def test_a_206_of_a_part_is_not(ranges: str, body: bytes, why: str, to: Path) -> None:
    with stranger(lambda _: [status(206, f"Content-Range: {ranges}", body=body)]) as cdn:
        assert why in reason(cdn.url, to)


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504, 522, 599])
def test_a_server_that_is_busy_or_broken_may_do_better_later(code: int, to: Path) -> None:
    fault = later(status(code), to)
    assert (str(fault), fault.after) == (f"HTTP status {code}", None)


@pytest.mark.parametrize("code", [201, 204, 304, 400, 401, 403, 404, 410, 451])
def test_any_other_status_is_the_server_s_answer(code: int, to: Path) -> None:
    with stranger(lambda _: [status(code)]) as cdn, pytest.raises(MinerFault) as fault:
        LOCAL.download(cdn.url, to)
    assert not isinstance(fault.value, TryLater)


MONTH = 30 * 86400.0
"""Seconds of which one in a hundred is more than the suite takes, since dates are made first."""


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        (["Retry-After: 2"], 2),
        (["retry-after:  120 "], 120),
        (["Retry-After: 0.5"], 0.5),
        (["Retry-After: 0"], 0),
        (["Retry-After: " + "9" * 6000], float("inf")),
        ([f"Retry-After: {http_date(MONTH)}"], MONTH),
        ([f"Retry-After: {http_date(-60)}"], 0),
        (["Retry-After: Wed, 21 Oct 2065 07:28:00 GMT", "Date: Wed, 21 Oct 2065 07:27:30 GMT"], 30),
        (["Retry-After: Wednesday, 21-Oct-65 07:28:00 GMT", "Date: Wed Oct 21 07:27:30 2065"], 30),
        (["Retry-After: soon"], None),
        (["Retry-After: -5"], None),
        (["Retry-After: 1e"], None),
        (["Retry-After: "], None),
        (["Retry-After: Mon, 99 Foo 99999 99:99:99 GMT"], None),
    ],
)
@pytest.mark.parametrize("code", [429, 503])
def test_the_time_that_a_server_asks_for_is_read(
    code: int, headers: list[str], after: float | None, to: Path
) -> None:
    seconds = later(status(code, *headers), to).after
    assert seconds == (pytest.approx(after, rel=0.01) if after else after)


def test_a_403_that_names_a_time_means_later(to: Path) -> None:
    """Some rate limits do, GitHub's for one."""
    assert later(status(403, "Retry-After: 30"), to).after == 30


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_redirects_lead_from_http_to_https_and_back(scheme: str, to: Path) -> None:
    server, trusting = certified("DNS:cdn.invalid")
    downloads = Downloads(private=True, resolve=lambda _: ["127.0.0.1"], tls=trusting, limit=LIMIT)
    plain_url: list[str] = []

    def secure_answer(path: str) -> Iterable[bytes]:
        return [ok(MESH) if path == "/there" else redirect(plain_url[0])]

    with stranger(secure_answer, server) as secure:
        secure_url = f"https://cdn.invalid:{secure.port}"
        first, last = (secure_url, "/there") if scheme == "https" else ("", f"{secure_url}/there")
        with stranger(lambda path: [ok(MESH) if path == "/there" else redirect(last)]) as plain:
            plain_url.append(f"http://cdn.invalid:{plain.port}/moved")
            downloads.download(first or plain_url[0], to)
    assert to.read_bytes() == MESH
    assert len(plain.requests) + len(secure.requests) == (3 if scheme == "https" else 2)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (b"there", "/a/there"),
        (b"../there", "/there"),
        (b"/there?x=1#part", "/there?x=1"),
        (b"?x=1", "/a/b?x=1"),
        (b"  /there  ", "/there"),
        ("/größe".encode(), "/gr%C3%B6%C3%9Fe"),
        ("/größe".encode("latin-1"), "/gr%F6%DFe"),
        (b"/a b", "/a%20b"),
        (b"./", "/a/"),
    ],
)
def test_relative_redirects_lead_where_a_browser_goes(location: bytes, path: str, to: Path) -> None:
    moved = b"HTTP/1.1 307 Moved\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with stranger(lambda asked: [moved if asked == "/a/b" else ok(MESH)]) as cdn:
        LOCAL.download(f"{cdn.url}/a/b", to)
    assert cdn.requests[1].startswith(f"GET {path} HTTP/1.1\r\n")


needs_ipv6 = pytest.mark.skipif(
    not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6"
)


@needs_ipv6
def test_a_host_with_ipv6_alone_is_reached(to: Path) -> None:
    with stranger(lambda _: [ok(MESH)], host="::1") as cdn:
        downloads = Downloads(private=True, resolve=lambda _: ["::1"])
        downloads.download(f"http://cdn.invalid:{cdn.port}/", to)
        LOCAL.download(f"{cdn.url}/", to)
    assert [re.findall("Host: (.*)\r", request)[0] for request in cdn.requests] == [
        f"cdn.invalid:{cdn.port}",
        f"[::1]:{cdn.port}",
    ]


@needs_ipv6
def test_certificates_for_ip_addresses_are_checked(to: Path) -> None:
    server, trusting = certified("IP:127.0.0.1", "IP:::1")
    downloads = Downloads(private=True, tls=trusting, limit=LIMIT)
    for host in ("127.0.0.1", "::1"):
        with stranger(lambda _: [ok(MESH)], server, host) as cdn:
            downloads.download(cdn.url.replace("http:", "https:"), to)
    with stranger(lambda _: [ok(MESH)], server, "127.0.0.2") as other:
        to.unlink()
        assert "connection failed" in reason(other.url.replace("http:", "https:"), to, downloads)


def test_many_addresses_of_one_family_leave_room_for_the_other(to: Path) -> None:
    unreachable = [f"fd00::{number}" for number in range(1, 9)]
    with stranger(lambda _: [ok(MESH)]) as cdn:
        downloads = Downloads(
            private=True, resolve=lambda _: [*unreachable, "127.0.0.1"], timeout=60
        )
        downloads.download(f"http://cdn.invalid:{cdn.port}/", to)
    assert to.read_bytes() == MESH


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


TEN_AT_ONCE = """
import ssl, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from resources.downloads import Downloads
url, folder, certificate = sys.argv[1:]
tls = ssl.create_default_context(cafile=certificate)
downloads = Downloads(private=True, resolve=lambda _: ["127.0.0.1"], tls=tls)
with ThreadPoolExecutor(10) as threads:
    print(*threads.map(lambda n: downloads.download(url, Path(folder) / str(n)), range(10)))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])
"""


@pytest.mark.parametrize("way", ["http2", "gzip"])
def test_g20_ten_large_downloads_at_once_stay_under_256_mib_in_every_way(
    way: str, to: Path
) -> None:
    size = 40 * 2**20
    with TemporaryDirectory() as folder:
        server, _ = certified("DNS:cdn.invalid", keep=Path(folder) / "ca.pem")
        zipped = gzip.compress(bytes(size), 1)
        serving = (
            http2_stranger(lambda _: Answer(itertools.repeat(bytes(1 << 20), size >> 20)), server)
            if way == "http2"
            else stranger(lambda _: [ok(zipped, "Content-Encoding: gzip")], server)
        )
        with serving as cdn:
            url = f"https://cdn.invalid:{cdn.port}/"
            command = [
                sys.executable,
                "-c",
                TEN_AT_ONCE,
                url,
                str(to.parent),
                str(Path(folder) / "ca.pem"),
            ]
            printed = subprocess.run(
                command, check=True, capture_output=True, text=True
            ).stdout.split()
    assert printed[:10] == [str(size)] * 10
    assert int(printed[10]) < 256 * 1024


CHARACTERS = st.sampled_from(
    [
        *"/:@?#[]%.-_ \\\t\n\0",
        "xn--",
        "http://",
        "https://",
        "//",
        "a",
        "é",
        "\u0660",
        "\ud800",
        "\u3002",
    ]
)
URLS = st.one_of(
    st.text(),
    st.lists(CHARACTERS, max_size=12).map("".join),
    st.lists(CHARACTERS, max_size=12).map(lambda parts: "http://" + "".join(parts)),
    st.lists(CHARACTERS, max_size=8).map(lambda parts: "https://xn--" + "".join(parts)),
)


def nobody_else(host: str) -> list[str]:
    if host == "127.0.0.1":
        return [host]
    raise OSError("no such host")


ALONE = Downloads(private=True, limit=LIMIT, resolve=nobody_else)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(URLS)
def test_g19_any_url_is_refused_or_not_found(tmp_path: Path, url: str) -> None:
    with pytest.raises(MinerFault):
        ALONE.download(url, tmp_path / "file")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.binary(max_size=80), URLS.map(lambda url: url.encode(errors="surrogatepass"))))
def test_g19_redirects_lead_anywhere_without_harm(tmp_path: Path, location: bytes) -> None:
    moved = b"HTTP/1.1 302 Moved\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with stranger(lambda path: [moved if path == "/start" else ok(MESH)]) as cdn:
        try:
            ALONE.download(f"{cdn.url}/start", tmp_path / "file")
        except MinerFault as fault:
            assert str(fault)
