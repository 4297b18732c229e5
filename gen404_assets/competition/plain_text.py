"""Texts from outside as they may be shown, logged and recorded: what a server, a file or a miner
says decides neither what a terminal or page does, nor how long a log is, nor shows a key of ours.
"""

import base64
import unicodedata
from urllib.parse import quote

LONGEST = 4000
"""Characters of one text."""

_SHORTEST_SECRET = 8
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of what doesn't show, or turns the direction of what does."""
_KEPT = {"\n", "\t"}
_SECRETS: set[str] = set()


def keep_secret(secret: str) -> None:
    """From now on, have `plain` hide a key or token of ours, also as HTTP and URLs encode it: a
    server may say what was sent to it.

    A word of fewer than eight characters is none that texts could be searched for.
    """
    if len(secret) >= _SHORTEST_SECRET:
        basic = base64.b64encode(f"x-access-token:{secret}".encode()).decode()
        _SECRETS.update({secret, quote(secret, safe=""), basic})


def quoted(text: str, most: int) -> str:
    """At most `most` characters of what a server or program said, with our secrets hidden before
    it is cut: what is left of a secret at the cut would be found by nobody.
    """
    return _without_secrets(text)[:most]


def plain(text: str) -> str:
    """A text whose characters all show: control characters, those that turn the direction, and
    those without a width become escapes such as U+202E's. A long one is cut, a secret hidden.

    What is given back is a `str` and of no subclass: Dagster can't send enums of ours.
    """
    text = _without_secrets(text)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text):,} characters)"
    if text.isascii() and text.isprintable():
        return str(text)
    return "".join(_shown(letter) for letter in text)


def _without_secrets(text: str) -> str:
    for secret in sorted(_SECRETS, key=len, reverse=True):  # one may begin with another
        text = text.replace(secret, "***")
    return text


def _shown(letter: str) -> str:
    if letter in _KEPT or unicodedata.category(letter) not in _HIDDEN:
        return letter
    return letter.encode("unicode_escape").decode()
