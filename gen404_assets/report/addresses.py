"""Where pages and objects stand: the paths of a report's pages, and which addresses a page may load
by itself.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gen404_assets.competition.commitments import is_repo
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.matches import Pair

_PLAIN = re.compile(r"[A-Za-z0-9]{1,64}")
_SHA = re.compile(r"[0-9a-f]{40}")

SEASON = "index.html"


def plain(name: str) -> str:
    """A hotkey as part of a path. What is no plain word goes by its digest: it may be anything."""
    if _PLAIN.fullmatch(name):
        return name
    return "x" + hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:20]


def round_page(number: int) -> str:
    """The path of a round's page in the report's folder, as are all paths here."""
    return f"rounds/{number}/index.html"


def match_page(number: int, pair: Pair) -> str:
    """The path of a match's page. Where a hotkey is none, whole digests keep the names apart."""
    left, right = (short(plain(side)) if _PLAIN.fullmatch(side) else plain(side) for side in pair)
    return f"rounds/{number}/matches/{left}-{right}.html"


def miner_page(number: int, hotkey: str) -> str:
    """The path of the page of a miner in a round."""
    return f"rounds/{number}/miners/{plain(hotkey)}.html"


def audit_page(number: int, hotkey: str) -> str:
    """The path of an audit's page."""
    return f"rounds/{number}/audits/{plain(hotkey)}.html"


def up_from(page: str) -> str:
    """What leads from a page to the report's folder, such as `../../`."""
    return "../" * page.count("/")


def web_address(url: str | None) -> str | None:
    """A URL that a page may link to; None for what isn't http(s) with a host."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None


def code_address(repo: str, commit: str) -> str | None:
    """The address of a miner's code on GitHub; None where it isn't named as GitHub allows it."""
    if not is_repo(repo) or not _SHA.fullmatch(commit):
        return None
    return f"https://github.com/{repo}/tree/{commit}"


@dataclass(frozen=True, slots=True)
class Objects:
    """Which pictures and 3D files a page shows by itself.

    `host`: the base URL under which the pages will lie, such as the store's `CDN_URL`: what lies
    under it too is shown. `copies`: URL -> the path of its copy in the report's folder. Anything
    else is on somebody else's host, and a page only links to it.
    """

    host: str | None = None
    copies: Mapping[str, str] = field(default_factory=dict)

    def shown(self, url: str | None, up: str) -> str | None:
        """The address by which a page shows an object; None where it may not. `up`: `up_from`."""
        if url is None:
            return None
        if url in self.copies:
            return up + self.copies[url]
        base = self.host.rstrip("/") + "/" if self.host else None
        return web_address(url) if base and url.startswith(base) else None
