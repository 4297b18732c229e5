"""Downloads from a competition's store by its public URLs, and from nowhere else."""

from collections.abc import Mapping

import httpx2

from gen404_assets.competition.faults import MinerFault
from resources.downloads import Downloads, DownloadSettings
from resources.settings import read_settings

_TIMEOUT = 180.0  # seconds of one object


class StoreDownloads(Downloads):
    """Fetches what the store at a public base URL holds: no other host is asked, whatever redirects
    say. Raises MinerFault where the base is no URL.
    """

    def __init__(self, base: str, *, limit: int, timeout: float = _TIMEOUT, private: bool) -> None:
        super().__init__(limit=limit, timeout=timeout, private=private)
        try:
            self._host = httpx2.URL(base).netloc.decode()
        except (httpx2.InvalidURL, ValueError):
            raise MinerFault("not a URL") from None

    def _check(self, target: httpx2.URL) -> None:
        if target.netloc.decode() != self._host:
            raise MinerFault(f"it leads to another host than {self._host}")


def open_store_downloads(environment: Mapping[str, str], base: str, limit: int) -> StoreDownloads:
    """Downloads from the store at a public base URL with the setting `ALLOW_PRIVATE_CDN`; `limit`
    is in bytes. Raises BadSetting, and MinerFault where the base is no URL.
    """
    settings = read_settings(DownloadSettings, environment)
    return StoreDownloads(base, limit=limit, private=settings.allow_private_cdn)
