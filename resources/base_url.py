"""Settings that are the base URL of a server."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from resources.settings import BadSetting


def base_url(environment: Mapping[str, str], name: str) -> str:
    """The http(s) URL that setting `name` holds, without a trailing slash. Raises BadSetting."""
    text = environment.get(name, "").strip()
    try:
        parts = urlsplit(text)
        good = bool(parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or parts.query or parts.fragment or not text.isprintable():
        raise BadSetting(f"{name} must be an http(s) URL without credentials, query and fragment")
    return text.rstrip("/")
