"""`prompts.txt`: the pool of prompt pictures, a round's share of it, and the plain names (stems)
they go by.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from gen404_assets.competition.config import Config
from gen404_assets.competition.files import decode_text
from gen404_assets.competition.settings import Rules

_URL = re.compile(r"https?://[^/]")
# No leading dot; with an extension, within a file system's 255 bytes.
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_EXTENSION = re.compile(r"[A-Za-z0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A line of `prompts.txt`."""

    url: str


@lru_cache(maxsize=4096)
def stem(url: str) -> str:
    """The file name of a prompt's URL without the extension."""
    name = url[url.rfind("/") + 1 :]
    dot = name.rfind(".")
    return name[:dot] if dot > 0 else name  # a leading dot begins no extension


def picture_key(number: int, url: str) -> str:
    """Where the store keeps round `number`'s copy of a prompt's picture.

    The key ends like the prompt's URL, so that both have the same stem and it follows from
    `prompts.txt` alone. An extension that is no plain word becomes `picture`; what the picture
    really is, its content type says.
    """
    name = stem(url)
    extension = url[url.rfind("/") + 1 + len(name) + 1 :]
    plain = extension if _EXTENSION.fullmatch(extension) else "picture"
    return f"rounds/{number}/prompts/{name}.{plain}"


def is_plain(name: str) -> bool:
    """Whether a stem can be part of a path and of a URL as it is (`guarantees.md`, 9)."""
    return _PLAIN.fullmatch(name) is not None


def parse_prompts(raw: bytes, path: str) -> list[str]:
    """The URLs of a prompt list, one a line. Raises MalformedFile where it isn't text."""
    return [line for line in map(str.strip, decode_text(raw, path).split("\n")) if line]


def prompts_bytes(prompts: Sequence[str]) -> bytes:
    """A prompt list as a file."""
    return "\n".join(prompts).encode()


def usable(pool: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The pool without the lines that can't be used, and those with the reason: stems are unique
    and plain.
    """
    names = [stem.__wrapped__(url) for url in pool]  # so many would push a round's own out
    if (
        len(set(names)) == len(names)
        and all(map(_PLAIN.fullmatch, names))
        and all(map(_URL.match, pool))
    ):
        return list(pool), []
    kept: list[str] = []
    skipped: list[tuple[str, str]] = []
    seen: set[str] = set()
    for url, name in zip(pool, names, strict=True):
        if not _URL.match(url):
            skipped.append((url, "it is no http(s) URL"))
        elif not _PLAIN.fullmatch(name):
            skipped.append((url, f"the stem {name!r} is not plain"))
        elif name in seen:
            skipped.append((url, f"the stem {name!r} occurs above"))
        else:
            seen.add(name)
            kept.append(url)
    return kept, skipped


def select_prompts(
    seed: int, pool: Sequence[str], previous: Sequence[str] | None, config: Config, rules: Rules
) -> list[str]:
    """A round's prompts: a share of the `previous` round's (None for round 0), then new ones from
    the (usable) pool.

    `rules.md`, OPEN: one generator for both draws, in that order; a list shorter than its sample is
    taken whole without drawing. A prompt whose stem the round has already is left out.
    """
    rng = random.Random(seed)  # noqa: S311 -- the draw must be repeatable by anyone
    carried = _sample(rng, previous, config.carryover_prompts) if previous is not None else []
    drawn = _sample(rng, pool, max(0, config.prompts_per_round - len(carried)))
    if not rules.unique_prompts:
        return carried + drawn
    by_stem: dict[str, str] = {}
    for url in carried + drawn:
        by_stem.setdefault(stem(url), url)
    return list(by_stem.values())


def _sample(rng: random.Random, urls: Sequence[str], size: int) -> list[str]:
    # `rules.md`, Prompts: one that is as long as its sample is drawn, too, which puts it in another
    # order.
    return list(urls) if len(urls) < size else rng.sample(urls, size)
