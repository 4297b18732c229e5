"""What strangers write, in Dagster: as text. Dagster's UI renders Markdown, so that a commit's
subject with a picture once made whoever opened an asset's page load it.
"""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gen404_assets.assets
import sensors
from gen404_assets.assets import shown
from gen404_assets.assets.tables import table
from gen404_assets.competition.plain_text import plain

markdown_it = pytest.importorskip("markdown_it")  # rich brings it, and Dagster rich

HOSTILE = [
    "![x](http://127.0.0.1:9/p)",
    '<img src="http://evil.example/p">',
    "<script>alert(1)</script>",
    "[l](javascript:alert(1))",
    "http://evil.example/auto and www.evil.example",
    "` ![x](http://evil.example/p)",
    "`` ![x](http://evil.example/p) ``` <b>",
    "a\n\n![x](http://evil.example/p)",
    "- a\n# b\n| c | d |\n|---|---|",
    "\\` ![x](http://evil.example/p)",
    "&lt;img&gt; &#96;",
    "![x][y]\n\n[y]: http://evil.example/p",
]


def kinds(markdown: str) -> set[str]:
    """The kinds of what Markdown is rendered to."""
    tokens = markdown_it.MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    return {child.type for token in tokens for child in (token.children or [])}


@pytest.mark.parametrize("text", HOSTILE)
def test_g26_what_a_stranger_wrote_is_shown_as_it_is(text: str) -> None:
    for markdown in (shown.code(text), str(shown.listed([text]).value)):
        assert kinds(markdown) == {"code_inline"}, markdown


@given(st.text(alphabet=st.sampled_from("`![](<>)ab \\\n&\u202e#-*_|~\t:/.")))
def test_g26_no_text_leaves_its_code_span(text: str) -> None:
    if shown.code(text) == "(empty)":
        assert not text.strip()
        return
    assert kinds(shown.code(text)) == {"code_inline"}
    (token,) = markdown_it.MarkdownIt().parseInline(shown.code(text))[0].children
    assert " ".join(token.content.split()) == " ".join(plain(text).split())


def test_every_number_is_shown_with_three_digits_after_the_point() -> None:
    values = {"margin": 2 / 3, "many": [0.12345, 7], "inner": {"weight": 0.95}, "count": 8}
    assert shown.metadata(values) == {
        "margin": 0.667,
        "many": [0.123, 7],
        "inner": {"weight": 0.95},
        "count": 8,
    }
    rows = table([{"left": "a", "distance": 0.04999, "duels": 128}])
    assert isinstance(rows, dg.TableMetadataValue)
    assert dict(rows.records[0].data) == {"left": "a", "distance": 0.05, "duels": 128}


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "http://a/x) ![y](http://b/z", "http://a/ x", "http://a@b/", ""],
)
def test_only_a_plain_url_becomes_a_link(url: str) -> None:
    assert "link_open" not in kinds(shown.link("label", url))
    assert "image" not in kinds(shown.link("label", url))


def test_a_plain_url_becomes_one() -> None:
    assert shown.link("label", "https://cdn/a/b.png") == "[label](https://cdn/a/b.png)"


def test_tables_and_metadata_are_plain_text() -> None:
    made: Any = table([{"a": "x\u202ey", "b": 1}])
    assert made.records[0].data == {"a": "x\\u202ey", "b": 1}
    assert shown.metadata({"k\x1b": "v\x1b", "l": ["\x1b", {"m": "\x1b"}], "n": 1.5}) == {
        "k\\x1b": "v\\x1b",
        "l": ["\\x1b", {"m": "\\x1b"}],
        "n": 1.5,
    }


def test_a_log_gets_plain_text() -> None:
    said: list[str] = []
    shown.plain_teller(said.append)("a miner says \x1b[2J")
    assert said == ["a miner says \\x1b[2J"]


def test_nothing_else_makes_markdown() -> None:
    """So that whatever is shown goes through the one module that knows how."""
    for package in (gen404_assets.assets, sensors):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            made = re.findall(r"MetadataValue\.md|MarkdownMetadataValue\(", path.read_text())
            assert not made or path.name == "shown.py", path
