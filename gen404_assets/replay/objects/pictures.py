"""Whether two pictures of four views show the same: a preview as it was recorded, and as it is
drawn again, maybe by another driver.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.unpacking import unpacked

LEAST_DECIBELS = 35.0
"""Of a preview to its file drawn again, at least: see `docs/decisions/0105-objects-are-checked.md`.
"""
LARGEST_BLOCK = 60.0
"""The mean difference of a block's colours, of 255, at most."""
BLOCK = 16  # pixels of a side
_MAX_PIXELS = 1 << 24  # a preview has a million


@dataclass(frozen=True, slots=True)
class Apart:
    """How far two pictures are apart: over all, in decibels (PSNR, 99 for none), and the largest
    mean difference of the colours in a block of 16 x 16 pixels, of 255.
    """

    decibels: float
    block: float

    @property
    def alike(self) -> bool:
        """Whether another driver could have drawn the one for the other."""
        return self.decibels >= LEAST_DECIBELS and self.block <= LARGEST_BLOCK

    def __str__(self) -> str:
        return f"{self.decibels:.1f} dB, {self.block:.0f} of 255 in one block"


def apart(one: bytes, other: bytes) -> Apart:
    """How far two PNGs are apart. Raises NoPicture for what is none; pictures of two sizes have
    nothing in common.
    """
    first, second = _pixels(one), _pixels(other)
    if first.shape != second.shape:
        return Apart(0.0, 255.0)
    difference = np.abs(first - second)
    error = float((difference**2).mean())
    decibels = 10 * np.log10(255**2 / error) if error else 99.0
    return Apart(float(decibels), _largest_block(difference.mean(axis=2)))


def read_picture(file: bytes) -> None:
    """Raises NoPicture for what is no PNG."""
    _pixels(file)


def _largest_block(difference: NDArray[np.float32]) -> float:
    height, width = (-(-side // BLOCK) * BLOCK for side in difference.shape)
    padded = np.zeros((height, width), np.float32)
    padded[: difference.shape[0], : difference.shape[1]] = difference
    blocks = padded.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return float(blocks.mean(axis=(1, 3)).max())


def _pixels(file: bytes) -> NDArray[np.float32]:
    return np.asarray(unpacked(file, _MAX_PIXELS), np.float32)
