"""Links from Dagster's UI to the competition's repository, where that is on a web host."""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import dagster as dg

from gen404_assets.competition.catalogue import Asset

_PAGES = (
    Asset.STATE,
    Asset.SUBMISSIONS,
    Asset.RENDERS,
    Asset.MATCHES_MATRIX,
    Asset.DUELS,
    Asset.AUDITS,
    Asset.WINNER,
    "report",
)
"""Those of a round's assets that a person goes to from one to another."""
_SSH = re.compile(r"(?:ssh://)?git@([A-Za-z0-9.-]+)[:/](.+)")


def web_page(repository: str) -> str | None:
    """The web page of a repository by its git URL, as GitHub and GitLab have it; None for a path, a
    bundle, or a URL that is none of a web host. Credentials in the URL are dropped.
    """
    if ssh := _SSH.fullmatch(repository):
        host, path = ssh[1], ssh[2]
    else:
        try:
            url = urlsplit(repository)
        except ValueError:
            return None
        if url.scheme not in {"http", "https"} or not url.hostname:
            return None
        host, path = url.netloc.rpartition("@")[2], url.path
    path = path.strip("/").removesuffix(".git")
    return f"https://{host}/{quote(path)}" if path else None


def links(repository: str, number: int, commit: str) -> Mapping[str, dg.MetadataValue]:
    """To the commit, and to the round's files as that commit left them; nothing where there is no
    page to link to.
    """
    page = web_page(repository)
    if page is None:
        return {}
    return {
        "commit's page": dg.MetadataValue.url(f"{page}/commit/{commit}"),
        "round's files": dg.MetadataValue.url(f"{page}/tree/{commit}/rounds/{number}"),
    }


def partition_page(asset: str, number: int | None = None) -> str:
    """The address of an asset's partitions in Dagster's UI, at the round `number`."""
    page = f"/assets/{asset}?view=partitions"
    return page if number is None else f"{page}&partition={number}"


def round_pages(number: int) -> str:
    """Markdown: from one page of a round to its others."""
    pages = [f"[{asset}]({partition_page(asset, number)})" for asset in _PAGES]
    return " · ".join(pages)
