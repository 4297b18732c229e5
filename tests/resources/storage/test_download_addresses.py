"""Which addresses are fetched from: whatever a URL or a redirect says, never one that is not
public, and whatever its host is, what comes of it is a file or a reason."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen404_assets.competition.faults import MinerFault
from resources.downloads import Downloads, is_public
from simulators.strangers import certified, ok, redirect, stranger
from tests.resources.storage.downloading import LIMIT, LOCAL, MESH, reason

PUBLIC = Downloads(limit=LIMIT, timeout=5)


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
