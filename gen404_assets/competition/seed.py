"""`seed.json`: the round's random seed, which anyone can check against the chain."""

from hashlib import sha256
from typing import ClassVar

from pydantic import Field

from gen404_assets.competition.files import ObjectFile


class Seed(ObjectFile):
    """A 32-bit seed and, where it was derived, the block it comes from. One line, as it has always been."""

    one_line: ClassVar[bool] = True

    seed: int = Field(ge=0, lt=2**32)
    block: int | None = None
    block_hash: str | None = None


def draw_seed(block: int, block_hash: str, round_name: str) -> Seed:
    """The first four bytes, big-endian, of SHA-256 over `{block hash}:{round name}` (`rules.md`, OPEN)."""
    digest = sha256(f"{block_hash}:{round_name}".encode()).digest()
    return Seed(seed=int.from_bytes(digest[:4], "big"), block=block, block_hash=block_hash)
