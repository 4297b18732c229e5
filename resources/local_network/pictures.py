"""A picture descriptor for the local network, which looks at pictures on a CPU without a model to
download.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

VIEW = 518  # pixels of a view's side (interfaces.md, Render service)
GAP = 5  # pixels between two views of a grid
_SIDE = 128  # to which a view is reduced, pixels
_WHITE = 255
# Weights of the parts of a view's vector: lightness, red against green, yellow against blue; then
# the bands of each from fine to coarse.
_CHANNELS = (0.4, 0.3, 0.3)
_LEVELS = 2  # halvings of a view's size
_NOTHING = 0.05  # what all views have in common, so that empty ones have a vector too
# A band's root mean square below which it counts for little: noise, or a picture without colour.
_FAINT = 0.02


class PictureEmbedder:
    """An embedder that needs numpy and Pillow alone; its cosine distances behave like a perceptual
    model's.

    A view becomes small pictures of its lightness and two colour contrasts, cut into bands of
    detail; each band is brought to one length, so that outline and colour, coarse and fine, count
    alike. Bands are differences, hence of no sign, and other objects' vectors have little in
    common.
    """

    @property
    def model(self) -> str:
        return "gen404 pictures 1"

    def embed(self, pictures: Sequence[Image.Image]) -> Floats:
        """One vector for each RGB picture, whatever else is in the batch."""
        return np.stack(
            [np.concatenate([_described(view) for view in views(picture)]) for picture in pictures]
        )


def views(picture: Image.Image) -> list[Image.Image]:
    """The four views of a grid; of another picture, itself four times."""
    full = 2 * VIEW + GAP
    if picture.size != (full, full):
        return [picture] * 4
    step = VIEW + GAP
    return [picture.crop((x, y, x + VIEW, y + VIEW)) for y in (0, step) for x in (0, step)]


def _described(view: Image.Image) -> Floats:
    small = np.asarray(view.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32) / _WHITE
    red, green, blue = np.moveaxis(1 - small, -1, 0)  # white is nothing
    channels = ((red + green + blue) / 3, (red - green) / 2, (red + green) / 4 - blue / 2)
    parts = [np.full(1, _NOTHING)]
    for channel, weight in zip(channels, _CHANNELS, strict=True):
        for band in _bands(channel):
            length = np.sqrt(np.square(band).sum() + band.size * _FAINT**2)
            parts.append(band.ravel() * np.sqrt(weight) / length)
    return np.concatenate(parts).astype(np.float32)


def _bands(channel: Floats) -> list[Floats]:
    """What each halving of the size loses; then what is left, without its mean."""
    bands = []
    for _ in range(_LEVELS):
        half = channel.reshape(len(channel) // 2, 2, -1, 2).mean(axis=(1, 3))
        bands.append(channel - half.repeat(2, axis=0).repeat(2, axis=1))
        channel = half
    return [*bands, channel - channel.mean()]
