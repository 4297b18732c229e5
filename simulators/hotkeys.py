"""Hotkeys that nobody holds."""

from bittensor_core import Keypair  # type: ignore[import-untyped]


def to_hotkey(public_key: bytes) -> str:
    """The ss58 address of a 32-byte public key, as Bittensor's SDK writes it."""
    return str(Keypair(public_key=public_key).ss58_address)
