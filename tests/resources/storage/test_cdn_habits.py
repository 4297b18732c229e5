"""What real CDNs do that no specification of ours foresaw; each is a file all the same, or is
tried again later."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from gen404_assets.competition.faults import MinerFault, TryLater
from resources.downloads import Downloads
from simulators.strangers import certified, ok, redirect, status, stranger
from tests.resources.storage.downloading import AGENT, LIMIT, LOCAL, MESH, fetched, reason


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
