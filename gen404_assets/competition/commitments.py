"""Commitments on the chain, read as submissions. Whatever a miner wrote there, nothing raises."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from gen404_assets.competition.hotkeys import confusable, is_hotkey
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.submissions import Submission, Submissions

FIELDS = ("repo", "commit", "cdn_url")

_LONGEST = 1 << 16
"""Characters: more than any chain keeps of a commitment, few enough to be read at once."""

_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
# `key: value` of a Python dict, and the comma after it; a value without quotes is one word.
_MEMBER = re.compile(
    rf"\s*({_QUOTED})\s*:\s*({_QUOTED}|[^\s,{{}}\[\]'\"]+)\s*(?:,\s*|$)", re.DOTALL
)
# GitHub's limits (`rules.md`, Commitments, Submission): at most 39 characters, then at most 100.
_REPO = re.compile(
    r"(?=[^/]{1,39}/)[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
)
_COMMIT = re.compile(r"[0-9A-Fa-f]{40}")
_URL_CHARACTERS = re.compile(r"[!-~]{1,2048}")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
# No hyphen at either end, nor at the third and fourth place, which `xn--` alone may have.
_PLAIN_LABEL = re.compile(r"(?!-|..--)[a-z0-9-]+(?<!-)")
_BRACKETS = re.compile(r"\[([^\[\]]*)\](?::[0-9]*)?")  # an IPv6 address and a port
_DOTTED_QUAD = re.compile(r"[0-9]+(\.[0-9]+){3}")


@dataclass(frozen=True, slots=True)
class Reading:
    """The submissions of a round, and why the other hotkeys have none."""

    submissions: Submissions
    refused: Mapping[str, str]


def parse_commitment(text: str) -> dict[str, object]:
    """The fields in a commitment's text; empty if it is no object (`rules.md`, Commitments)."""
    if len(text) > _LONGEST:
        return {}
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = _python_style(text)
    if not isinstance(document, dict):
        return {}
    return {field: document[field] for field in FIELDS if field in document}


def read_submissions(
    commitments: Mapping[str, Iterable[tuple[int, str]]], schedule: Schedule, round_name: str
) -> Reading:
    """Hotkey -> (block, text) pairs as the chain keeps them, to submissions in order of reveal,
    then hotkey.
    """
    revealed: list[tuple[int, str, Submission]] = []
    refused: dict[str, str] = {}
    window = range(schedule.earliest_reveal_block, schedule.latest_reveal_block + 1)
    for hotkey in sorted(commitments):
        inside = [entry for entry in commitments[hotkey] if entry[0] in window]
        if not inside:
            continue
        latest = _latest(inside)
        reason = (
            "the hotkey is not a valid ss58 address" if not is_hotkey(hotkey) else _fault(latest)
        )
        if reason:
            refused[hotkey] = reason
            continue
        block = latest["commit"][0]
        values = {field: str(value) for field, (_, value) in latest.items()}
        values["cdn_url"] = values["cdn_url"].rstrip("/")
        revealed.append(
            (block, hotkey, Submission(**values, revealed_at_block=block, round=round_name))
        )
    revealed.sort(key=lambda entry: entry[:2])
    for hotkey, earlier in confusable(hotkey for _, hotkey, _ in revealed).items():
        refused[hotkey] = (
            f"its first ten characters are those of {earlier}, which revealed before it"
        )
    return Reading(
        Submissions(
            {hotkey: submission for _, hotkey, submission in revealed if hotkey not in refused}
        ),
        refused,
    )


def _latest(commitments: Iterable[tuple[int, str]]) -> dict[str, tuple[int, object]]:
    """Field -> (block, value) of the value revealed last."""
    latest: dict[str, tuple[int, object]] = {}
    # Stable: of one block, the later stays so.
    for block, text in sorted(commitments, key=lambda entry: entry[0]):
        for field, value in parse_commitment(text).items():
            latest[field] = (block, value)
    return latest


def _fault(latest: Mapping[str, tuple[int, object]]) -> str | None:
    missing = [field for field in FIELDS if field not in latest]
    if missing:
        return f"no {', '.join(missing)} revealed"
    checks = {"repo": is_repo, "commit": is_commit, "cdn_url": is_cdn_url}
    bad = [field for field, check in checks.items() if not check(latest[field][1])]
    return f"not a valid {', '.join(bad)}" if bad else None


def is_repo(value: object) -> bool:
    """`owner/name` as GitHub allows it."""
    return (
        isinstance(value, str)
        and bool(_REPO.fullmatch(value))
        and not value.lower().endswith(".git")
    )


def is_commit(value: object) -> bool:
    """40 hex digits."""
    return isinstance(value, str) and bool(_COMMIT.fullmatch(value))


def is_cdn_url(value: object) -> bool:
    """An http(s) URL with a host that can be looked up and without credentials."""
    if not isinstance(value, str) or not _URL_CHARACTERS.fullmatch(value):
        return False
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        return False
    if url.scheme not in {"http", "https"} or port == 0 or "@" in url.netloc:
        return False
    if literal := _BRACKETS.fullmatch(url.netloc):
        return _is_ipv6(literal[1])
    return "[" not in url.netloc and _is_host(url.hostname or "")


def _is_ipv6(literal: str) -> bool:
    """An IPv6 address, without a zone: that would be an interface of this machine's."""
    try:
        return IPv6Address(literal).scope_id is None
    except ValueError:
        return False


def _is_host(name: str) -> bool:
    """A name that the DNS can hold, or an IPv4 address. An underscore is none of a host's name, but
    resolves.

    Beside a label of an internationalised name (`xn--`), the others must be plain as well: an HTTP
    client that shows such a name in its own script can't read it otherwise (IDNA, RFC 5891).
    """
    if _DOTTED_QUAD.fullmatch(name):
        return all(int(part) < 256 and part == str(int(part)) for part in name.split("."))
    labels = name.lower().removesuffix(".").split(".")
    if (
        len(name) > 253
        or name.startswith("-")
        or not all(_LABEL.fullmatch(label) for label in labels)
    ):
        return False
    if "xn--" not in name.lower():
        return True
    return all(label.startswith("xn--") or _PLAIN_LABEL.fullmatch(label) for label in labels)


def _python_style(text: str) -> dict[str, object]:
    """A flat Python-style dict of plain values, `{'repo': 'a/b'}`, read without Python's own
    parser.
    """
    inner = text.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        return {}
    inner, at = inner[1:-1].strip(), 0
    members: dict[str, object] = {}
    while at < len(inner):
        member = _MEMBER.match(inner, at)
        if member is None:
            return {}
        key, value = (_unquote(part) for part in member.groups())
        if isinstance(key, str):
            members[key] = value
        at = member.end()
    return members


def _unquote(quoted: str) -> object:
    if quoted[0] not in "\"'":
        return None
    body = quoted[1:-1]
    if quoted[0] == "'":
        body = re.sub(
            r"""\\'|(?<!\\)\"""", lambda match: "'" if len(match[0]) == 2 else '\\"', body
        )
    try:
        return json.loads(f'"{body}"', strict=False)
    except ValueError:
        return None
