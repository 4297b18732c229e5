"""The boundary at which texts from outside enter Dagster: metadata, tables, logs and descriptions.

Commit subjects, hotkeys, reasons, file names, a judge's or a server's words: whoever wrote them
must not decide what the UI loads, links to or hides. All of it is `plain`, and nothing but this
module makes Markdown (a test holds that).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg

from gen404_assets.competition.plain_text import plain

DIGITS = 3
"""After the point, of every number shown."""
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~/%-]*)?")


def code(text: object) -> str:
    """A text as Markdown that shows it as it is: a code span, in which nothing is a link, a picture
    or HTML. Escaping with backslashes would not do: GitHub's Markdown makes links of bare URLs.
    """
    line = " ".join(plain(str(text)).split())
    if not line:
        return "(empty)"
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}"


def link(label: str, url: str) -> str:
    """A Markdown link to a plain http(s) URL; any other is shown as text."""
    if _PLAIN_URL.fullmatch(url):
        return f"[{label}]({url})"
    return f"{label} {code(url)}"


def listed(texts: Iterable[object]) -> dg.MarkdownMetadataValue:
    """Texts from outside, one below the other."""
    return dg.MetadataValue.md("\n".join(f"- {code(text)}" for text in texts))


def markdown(text: str) -> dg.MarkdownMetadataValue:
    """Markdown of our own, in which all that is from outside went through `code` or `link`."""
    return dg.MetadataValue.md(text)


def metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with every text in it plain, every number in few digits. What is of Dagster's
    classes was made here, or is a table of `tables.table`.
    """
    return {plain(key): plain_value(value) for key, value in values.items()}


def plain_value(value: Any) -> Any:
    """A value as it is shown: see `metadata`."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, list):
        return [plain_value(each) for each in value]
    return metadata(value) if isinstance(value, dict) else value


def plain_teller(tell: Callable[[str], object]) -> Callable[[str], None]:
    """`tell`, such as a run's log, of plain text."""

    def tell_plainly(text: str) -> None:
        tell(plain(text))

    return tell_plainly
