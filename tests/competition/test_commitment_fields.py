"""A commitment's fields: which repositories, commits and addresses the rules take, and that whoever
fetches from them can read them."""

from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.commitments import is_cdn_url
from simulators.examples import COMMIT, MINER
from tests.competition.commitments import VALID, commitment, read, reason_for


def test_a_trailing_slash_is_dropped() -> None:
    reading = read({MINER: [(150, commitment(cdn_url="http://10.0.0.1:8080/files/"))]})
    assert reading.submissions[MINER].cdn_url == "http://10.0.0.1:8080/files"


@pytest.mark.parametrize("field", ["repo", "commit", "cdn_url"])
def test_a_submission_needs_all_three_fields(field: str) -> None:
    assert field in reason_for(**{field: None})


NO_REPOS: list[Any] = [
    *(
        "",
        "model",
        "/model",
        "owner/",
        "owner/model/x",
        "a//b",
        "owner/.",
        "owner/..",
        "../etc",
        "owner/model.git",
    ),
    *(
        "owner/mo del",
        "owner/model\n",
        "\nowner/model",
        "-owner/model",
        "owner-/model",
        "o.w/model",
        "owner/mod\u00e9l",
    ),
    *(
        "https://github.com/owner/model",
        "owner/model;rm",
        "owner/$(id)",
        "owner\\model",
        "owner/\ud800",
    ),
    *("o" * 40 + "/model", "owner/" + "m" * 101, 5, True, ["owner/model"], {"a": 1}),
]


@pytest.mark.parametrize("repo", NO_REPOS)
def test_g22_what_github_allows_in_no_repository_name_is_refused(repo: Any) -> None:
    assert "repo" in reason_for(repo=repo)


@pytest.mark.parametrize(
    "repo", ["o/m", "Owner-1/Model_2.x", "o" * 39 + "/" + "m" * 100, "owner/.github", "a-b-c/-x"]
)
def test_what_github_allows_in_a_repository_name_is_accepted(repo: str) -> None:
    assert read({MINER: [(150, commitment(repo=repo))]}).submissions[MINER].repo == repo


@pytest.mark.parametrize(
    "commit",
    [
        "",
        COMMIT[:-1],
        COMMIT + "0",
        COMMIT[:-1] + "g",
        COMMIT + "\n",
        "main",
        "--" + COMMIT[2:],
        1234567890,
        [],
    ],
)
def test_g22_a_commit_is_40_hex_digits(commit: Any) -> None:
    assert "commit" in reason_for(commit=commit)


def test_an_upper_case_commit_is_40_hex_digits_too() -> None:
    assert read({MINER: [(150, commitment(commit=COMMIT.upper()))]}).submissions.names == [MINER]


NO_URLS: list[Any] = [
    *(
        "",
        "cdn.example/x",
        "ftp://cdn.example",
        "file:///etc/passwd",
        "http://",
        "https:///x",
        "//cdn.example",
        "http:/x",
    ),
    *(
        "https://user@cdn.example",
        "https://u:p@cdn.example",
        "https://@cdn.example",
        "https://cdn.example/a b",
    ),
    *(
        "https://cdn.example\n",
        "https://cdn.example:port",
        "https://cdn.example:0",
        "https://cdn.example:70000",
    ),
    *(
        "http://[::1",
        "https://cdn.ex\u00e4mple",
        "https://\ud800",
        "javascript:alert(1)",
        "https://" + "a" * 3000,
        5,
        [""],
    ),
]


@pytest.mark.parametrize("url", NO_URLS)
def test_g19_what_is_no_plain_http_address_is_refused(url: Any) -> None:
    assert "cdn_url" in reason_for(cdn_url=url)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "xn--a..com",
            "my_bucket.xn--p1ai",
            "A_B.XN--P1AI",
            "ab--cd.xn--p1ai",
            "a-.xn--p1ai",
        ),  # no IDNA
        *(
            "a..b",
            ".com",
            "a.b..",
            ".",
            "-a.com",
            "a" * 64 + ".com",
            "a." * 127 + "com",
        ),  # no name of the DNS
        *("*.com", "exa$mple.com", "%41.com", "a,b", "256.1.1.1", "1.2.3.999", "01.2.3.4"),
        *(
            "[::1%25lo]",
            "[fe80::1%1]",
            "[v1.x]",
            "[]",
            "[1.2.3.4]",
            "a[::1]",
            "[::1]a",
            "[::1]:80:80",
        ),
    ],
)
def test_g19_a_host_that_no_fetch_could_ever_look_up_is_refused(host: str) -> None:
    assert "cdn_url" in reason_for(cdn_url=f"https://{host}/files")


@pytest.mark.parametrize(
    "host",
    [
        *(
            "my_bucket.example.com",
            "_files.example",
            "a-.example",
            "ab--cd.example",
            "localhost",
            "cdn.example.",
        ),
        *("xn--p1ai", "cdn.xn--p1ai:8443", "xn--ls8h.la", "XN--P1AI", "a" * 63 + ".example"),
        *(
            "10.0.0.1",
            "255.255.255.255:65535",
            "[2001:db8::1]",
            "[::ffff:10.0.0.1]:8080",
            "123.example",
        ),
    ],
)
def test_a_host_that_can_be_looked_up_is_accepted_and_the_client_can_read_it(host: str) -> None:
    url = f"https://{host}/files"
    assert read({MINER: [(150, commitment(cdn_url=url))]}).submissions[MINER].cdn_url == url
    assert httpx2.URL(url).host


labels = st.text(st.sampled_from("ab0-_x"), min_size=1, max_size=6) | st.sampled_from(
    ["xn--p1ai", "xn--", "xn--a", ""]
)


@settings(max_examples=300)
@given(st.lists(labels, min_size=1, max_size=3).map(".".join))
def test_what_is_accepted_as_a_host_the_resolver_and_the_client_can_read(host: str) -> None:
    if is_cdn_url(f"https://{host}/x"):
        assert httpx2.URL(f"https://{host}/x").host
        assert host.encode("idna")


def test_every_fault_is_named() -> None:
    reason = reason_for(repo="x", commit="y", cdn_url="z")
    assert all(field in reason for field in VALID)
