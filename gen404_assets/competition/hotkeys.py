"""Hotkeys: what a valid ss58 address is, and which of them the ten-character names of the format
confuse.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b

LEADER = "leader"
"""The name under which the defending leader plays; never a hotkey."""

SHORT = 10
"""Characters (`rules.md`, Commitments, Names of ten characters)."""
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BITTENSOR_FORMAT = 42  # Substrate's format of no chain in particular
PATTERN = rf"[{_ALPHABET}]{{47,48}}"
"""What a hotkey in the name of a folder looks like, as a regular expression."""

_WORD = re.compile(rf"\b[{_ALPHABET}]{{46,48}}\b")


def is_hotkey(address: str) -> bool:
    """Whether `address` is an ss58 address of Bittensor's format (42) with a right checksum.

    Source: Substrate's ss58 registry: base58 of format byte, 32-byte key, and the first two bytes
    of BLAKE2b-512("SS58PRE" + format + key).
    """
    if not 46 <= len(address) <= 48:
        return False
    number = 0
    for character in address:
        digit = _ALPHABET.find(character)
        if digit < 0:
            return False
        number = number * 58 + digit
    if number.bit_length() > 8 * 35:  # a byte of format, 32 of key, 2 of checksum
        return False
    raw = number.to_bytes(35, "big")
    return raw[0] == _BITTENSOR_FORMAT and raw[33:] == blake2b(b"SS58PRE" + raw[:33]).digest()[:2]


def short(hotkey: str) -> str:
    """The first ten characters, by which match reports, images and pods are named."""
    return hotkey[:SHORT]


def named(hotkey: str) -> str:
    """Who plays under a hotkey, as texts for people name it."""
    return "the leader" if hotkey == LEADER else short(hotkey)


def shortened(text: str) -> str:
    """A text in which each hotkey stands with its first ten characters."""
    return _WORD.sub(lambda word: short(word[0]) if is_hotkey(word[0]) else word[0], text)


def confusable(hotkeys: Iterable[str]) -> dict[str, str]:
    """Hotkey -> the earlier one from which its ten-character name can't be told (images and pods:
    in lower case).
    """
    first: dict[str, str] = {}
    confused = {}
    for hotkey in hotkeys:
        earlier = first.setdefault(short(hotkey).lower(), hotkey)
        if earlier != hotkey:
            confused[hotkey] = earlier
    return confused
