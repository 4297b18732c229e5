"""What a miner's CDN may do, and what comes of it: a file, or a reason; in time, in bounds, and
never elsewhere.
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from resources.downloads import Downloads, is_public, open_downloads
from resources.settings import BadSetting
from simulators.strangers import certified, ok, redirect, stranger

LIMIT = 1 << 20
LOCAL = Downloads(private=True, limit=LIMIT, timeout=5)
PUBLIC = Downloads(limit=LIMIT, timeout=5)
HASTY = Downloads(private=True, limit=LIMIT, timeout=0.5)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def reason(url: str, to: Path, downloads: Downloads = LOCAL) -> str:
    """Why nothing was saved; nothing is left behind either."""
    with pytest.raises(MinerFault) as failure:
        downloads.download(url, to)
    assert list(to.parent.iterdir()) == []
    return str(failure.value)


@pytest.fixture
def to(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files" / "chair.glb"


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


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "neither http nor https"),
        ("ftp://127.0.0.1/x", "neither http nor https"),
        ("//127.0.0.1/x", "neither http nor https"),
        ("http://user:word@127.0.0.1/", "credentials"),
        ("http://user@127.0.0.1/", "credentials"),
        ("http:///x", "host and port"),
        ("http://127.0.0.1:0/", "host and port"),
        ("http://127.0.0.1:99999/", "host and port"),
        ("http://[::1", "not a URL"),
        ("http://127.0.0.1/\r\nHost: x", "not a URL"),
        ("http://\ud800/", "not a URL"),
        ("", "neither http nor https"),
        ("http://nobody.invalid/", "isn't found"),
        (f"http://{'a' * 300}.invalid/", "isn't found"),
        ("http://a..b/", "isn't found"),
        ("https://xn--a..invalid/", "isn't found"),
        ("https://my_bucket.xn--p1ai.invalid/", "isn't found"),
        ("https://xn--/", "isn't found"),
    ],
)
def test_g19_only_proper_urls_are_followed(url: str, why: str, to: Path) -> None:
    assert why in reason(url, to)


HOSTS = st.one_of(
    st.from_regex(r"(xn--|[a-z0-9_.%-]|[\u00e0-\u017f\u0660-\u0669\u3002]){1,30}", fullmatch=True),
    st.sampled_from(["xn--a..com", "my_bucket.xn--p1ai", "[::1", "[::1%eth0]", "a" * 300, "xn--"]),
    st.text(max_size=30),
)
ADDRESSES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["https://", "http://", "//", "", "HTTPS:", "\u2100://"]),
    HOSTS,
    st.sampled_from(["", ":0", ":443", ":99999", ":-1", ":x", "@b"]),
    st.sampled_from(["", "/", "/%zz", "/\u0130", "/#\ud800", "?\x00", "/..//"]),
)


def unknown(host: str) -> list[str]:
    """No host is found, after its name has been encoded as the system's resolver does."""
    host.encode("idna")
    raise OSError(-2, "Name or service not known")


NOWHERE = Downloads(limit=LIMIT, timeout=5, resolve=unknown)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(url=ADDRESSES)
def test_g10_whatever_a_miners_url_is_it_is_the_miners_fault(url: str, to: Path) -> None:
    assert reason(url, to, NOWHERE)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(location=ADDRESSES)
def test_g10_wherever_a_redirect_leads_it_is_the_miners_fault(location: str, to: Path) -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
    answer = head + location.encode("utf-8", "surrogatepass") + b"\r\n\r\n"

    def resolve(host: str) -> list[str]:
        return ["127.0.0.1"] if host == "127.0.0.1" else unknown(host)

    with stranger(lambda path: [answer if path == "/first" else ok(b"")]) as cdn:
        downloads = Downloads(private=True, limit=LIMIT, timeout=5, resolve=resolve)
        try:
            downloads.download(f"{cdn.url}/first", to)
        except MinerFault as fault:
            assert str(fault)
        to.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
    ],
)
def test_g19_no_spelling_of_this_machine_is_reached(host: str, to: Path) -> None:
    with stranger(lambda _: [ok(b"secret")]) as inside:
        why = reason(f"http://{host}:{inside.port}/", to, PUBLIC)
    assert any(words in why for words in ("public", "isn't found", "not a URL"))
    assert not inside.requests


@pytest.mark.parametrize(
    "address",
    [
        *(
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.8.9.1",
            "168.63.129.16",
            "169.254.169.254",
        ),
        *(
            "172.16.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.5",
        ),
        *(
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
        ),
        *(
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a9fe:a9fe::1",
        ),
        *(
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fe80::1%1",
            "fec0::1",
            "ff02::1",
            "2606:4700::1%1",
        ),
    ],
)
def test_g19_addresses_that_are_not_public_are_refused(address: str, to: Path) -> None:
    assert not is_public(address)
    assert "public" in reason(
        "http://cdn.invalid/", to, Downloads(resolve=lambda _: ["8.8.8.8", address])
    )


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "172.15.0.1", "192.1.0.1", "2606:4700::1111", "::ffff:1.1.1.1"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "::ffff:169.254.169.254"]
)
def test_g19_where_private_ones_are_allowed_no_others_are(address: str, to: Path) -> None:
    assert "public" in reason(
        "http://cdn.invalid/", to, Downloads(private=True, resolve=lambda _: [address])
    )


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("file:///etc/passwd", "neither"),
        ("http://a:b@127.0.0.1/", "credentials"),
        ("http://169.254.169.254/latest", "public"),
        ("//0.0.0.0/", "public"),
        ("http://[::1", "not a URL"),
        ("/again", "more than 3 redirects"),
    ],
)
def test_g19_redirects_are_checked_like_the_first_url(location: str, why: str, to: Path) -> None:
    with stranger(lambda _: [redirect(location)]) as cdn:
        assert why in reason(f"{cdn.url}/start", to)
    assert len(cdn.requests) == (4 if location == "/again" else 1)


def test_g19_a_public_cdn_leads_to_no_private_address(to: Path) -> None:
    hosts = {"cdn.invalid": ["127.0.0.1"], "inside.invalid": ["169.254.169.254"]}
    with stranger(lambda _: [redirect("http://inside.invalid/")]) as cdn:
        downloads = Downloads(private=True, resolve=hosts.__getitem__)
        assert "public" in reason(f"http://cdn.invalid:{cdn.port}/", to, downloads)


def test_three_redirects_are_followed(to: Path) -> None:
    with stranger(
        lambda path: [ok(b"there") if path == "/3" else redirect(f"/{int(path[1:]) + 1}")]
    ) as cdn:
        assert LOCAL.download(f"{cdn.url}/0", to) == 5


def test_g19_a_host_is_resolved_once_and_connected_to_at_that_address(to: Path) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    with stranger(lambda path: [redirect("/again") if path == "/moved" else ok(b"mesh")]) as cdn:
        rebinding = Downloads(private=True, resolve=lambda _: next(answers))
        assert rebinding.download(f"http://cdn.invalid:{cdn.port}/chair.glb", to) == 4
        assert f"Host: cdn.invalid:{cdn.port}\r\n" in cdn.requests[0]
        to.unlink()
        assert "public" in reason(f"http://cdn.invalid:{cdn.port}/moved", to, rebinding)
    assert len(cdn.requests) == 1


def test_certificates_are_checked_by_name_though_the_address_is_pinned(to: Path) -> None:
    names: list[str | None] = []
    server, trusting = certified("DNS:cdn.invalid")
    server.sni_callback = lambda _, name, __: names.append(name)
    with stranger(lambda _: [ok(b"mesh")], server) as cdn:
        downloads = Downloads(private=True, resolve=lambda _: ["127.0.0.1"], tls=trusting)
        assert downloads.download(f"https://cdn.invalid:{cdn.port}/", to) == 4
        to.unlink()
        assert "connection failed" in reason(f"https://other.invalid:{cdn.port}/", to, downloads)
        assert "connection failed" in reason(f"https://127.0.0.1:{cdn.port}/", to, LOCAL)
        assert downloads.download(f"https://cdn.invalid.:{cdn.port}/", to) == 4, (
            "a final dot is no part of the name"
        )
    assert names == ["cdn.invalid", "other.invalid", None, "cdn.invalid"]


def test_one_of_the_host_s_addresses_is_enough(to: Path) -> None:
    with stranger(lambda _: [ok(b"mesh")]) as cdn:
        downloads = Downloads(private=True, resolve=lambda _: ["127.0.0.77", "127.0.0.1"])
        assert downloads.download(f"http://cdn.invalid:{cdn.port}/", to) == 4


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
    code = f"from tests.resources.storage.test_downloads import *; Downloads(private=True).download(sys.argv[1], Path({str(to)!r}))"
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


TEN_AT_ONCE = """
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from resources.downloads import open_downloads
url, folder = sys.argv[1:]
downloads = open_downloads({"ALLOW_PRIVATE_CDN": "true"})
with ThreadPoolExecutor(10) as threads:
    print(*threads.map(lambda n: downloads.download(url, Path(folder) / str(n)), range(10)))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])  # getrusage would tell of the parent, too, from before the exec
"""


def test_g20_ten_large_downloads_at_once_stay_under_256_mib(to: Path) -> None:
    size = 48 * 2**20  # together nearly twice the memory allowed
    parts = [ok(b"", length=size), *itertools.repeat(bytes(1 << 20), size >> 20)]
    with stranger(lambda _: parts) as cdn:
        command = [sys.executable, "-c", TEN_AT_ONCE, cdn.url, str(to.parent)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert printed[:10] == [str(size)] * 10
    kibibytes = int(printed[10])
    assert kibibytes < 256 * 1024


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
