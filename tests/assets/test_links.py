"""Links from the UI to the repository's pages: right ones, and no secret in any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.assets.links import links, web_page


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/owner/name",
        "https://github.com/owner/name.git",
        "https://token@github.com/owner/name/",
        "https://user:s3cret@github.com/owner/name.git",
        "git@github.com:owner/name.git",
        "ssh://git@github.com/owner/name",
    ],
)
def test_a_repository_on_a_web_host_has_its_page_without_credentials(url: str) -> None:
    assert web_page(url) == "https://github.com/owner/name"


@pytest.mark.parametrize("url", ["", "/srv/git/name.git", "file:///srv/name", "https://", "a:b"])
def test_a_path_or_a_bundle_has_no_page(url: str) -> None:
    assert web_page(url) is None
    assert links(url, 3, "0" * 40) == {}


def test_a_round_is_linked_as_the_commit_left_it() -> None:
    found = links("https://github.com/owner/name", 3, "abc")
    assert {name: each.value for name, each in found.items()} == {
        "commit's page": "https://github.com/owner/name/commit/abc",
        "round's files": "https://github.com/owner/name/tree/abc/rounds/3",
    }


@given(st.text())
def test_no_url_makes_it_fail(url: str) -> None:
    page = web_page(url)
    assert page is None or page.startswith("https://")
