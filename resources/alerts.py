"""Alerts to people, by the services that `ALERT_URLS` names, through the library apprise."""

import logging
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from pydantic import Field

from resources.settings import BadSetting, Secret, Settings, read_settings

_LOG = logging.getLogger(__name__)
_TITLE = "404-GEN competition"
_WAITS = (0.0, 5.0, 30.0)
"""Seconds before each try to reach a service."""


class AlertSettings(Settings):
    """Who hears of what happens."""

    alert_urls: Secret | None = Field(
        None,
        description="where alerts go: URLs of apprise with commas between, such as "
        "`discord://id/token` or `mailto://user:password@example.org`; unset: nowhere",
    )
    alert_again_hours: float = Field(
        6.0,
        ge=0.01,
        le=720,
        description="hours after which a person is told again whom the round waits for",
    )


class Sender(Protocol):
    """Sends one alert to everybody."""

    def send(self, text: str) -> None:
        """Send it. Whom it can't reach after some tries doesn't get it; that is logged."""


class AppriseSender:
    """Sends through apprise, to each service by itself: one that fails disturbs no other."""

    def __init__(self, urls: str, waits: tuple[float, ...] = _WAITS) -> None:
        try:
            apprise: Any = import_module("apprise")  # an extra
        except ImportError:
            raise BadSetting(
                "ALERT_URLS needs the package apprise: `pip install 'gen404[alerts]'`"
            ) from None
        self._waits = waits
        services = apprise.Apprise()
        if not services.add(urls) or not len(services):
            raise BadSetting("ALERT_URLS must be URLs that apprise knows, with commas between")
        self._services: list[Any] = list(services)
        # What apprise logs of a failure may hold parts of a URL.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)

    def send(self, text: str) -> None:
        """See `Sender.send`."""
        for service in self._services:
            if not self._reached(service, text):
                _LOG.error("an alert could not be sent by %s: %s", service.service_name, text)

    def _reached(self, service: Any, text: str) -> bool:
        for wait in self._waits:
            time.sleep(wait)
            if service.notify(body=text, title=_TITLE, body_format="text"):
                return True
        return False


def open_sender(environment: Mapping[str, str]) -> Sender | None:
    """What the settings name; None where nobody is to hear. Raises BadSetting."""
    urls = read_settings(AlertSettings, environment).alert_urls
    return AppriseSender(urls.get_secret_value()) if urls else None
