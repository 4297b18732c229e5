"""`seed.json`: the round's random seed, which anyone can check, and the prompts without a
picture.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import ClassVar

from pydantic import Field

from gen404_assets.competition.files import ObjectFile


class Seed(ObjectFile):
    """A 32-bit seed and, where it was derived, the block it comes from. One line, as it has always
    been.

    `missing_prompts`: the stems of the prompts whose picture could not be had when the round
    opened; the key is there only if there are any (`rules.md`, OPEN).
    """

    one_line: ClassVar[bool] = True

    seed: int = Field(ge=0, lt=2**32)
    block: int | None = None
    block_hash: str | None = None
    missing_prompts: list[str] | None = None

    def naming(self, missing: Sequence[str]) -> "Seed":
        """The seed with these missing prompts; itself where it names them already."""
        if list(missing) == (self.missing_prompts or []):
            return self
        return self.model_copy(update={"missing_prompts": list(missing)})


def draw_seed(block: int, block_hash: str, round_name: str) -> Seed:
    """The first four bytes, big-endian, of SHA-256 over `{block hash}:{round name}` (`rules.md`,
    OPEN).
    """
    digest = sha256(f"{block_hash}:{round_name}".encode()).digest()
    return Seed(seed=int.from_bytes(digest[:4], "big"), block=block, block_hash=block_hash)
