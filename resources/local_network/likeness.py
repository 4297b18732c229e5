"""How much a grid of four views looks like a prompt's picture, as the local network's judge sees
it. No I/O.
"""

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from resources.local_network.pictures import views

Floats = NDArray[np.floating[Any]]

_SIDE = 96  # to which what a view shows is brought, pixels
_WHITE = 24  # how much darker than white is still white, of 255
_BORDER = 0.04  # white left around the object, of its longer side
_BEST = 0.8  # the share of the view that fits best; all four share the rest
_PERFECT = 0.02  # a difference up to which the penalty is 0
_POINTS = 1.8  # for each doubling of the difference


@dataclass(frozen=True)
class Look:
    """What a view shows, cut out and brought to one size: colours (96, 96, 3) and how far each
    pixel is covered.
    """

    colours: Floats
    covered: Floats


@dataclass(frozen=True)
class Difference:
    """How a view, or a whole grid, differs from the prompt: in outline and in colour, each from 0
    to 1.
    """

    outline: float
    colour: float

    @property
    def whole(self) -> float:
        return self.outline + self.colour


def look(view: Image.Image) -> Look | None:
    """What a view on white shows, wherever and however large; None if it is empty."""
    picture = view.convert("RGB")
    darkness = ImageChops.invert(reduce(ImageChops.darker, picture.split()))
    box = darkness.point([255 * (level > _WHITE) for level in range(256)]).getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    side = max(4, round(max(right - left, bottom - top) * (1 + 2 * _BORDER)))
    square = Image.new("RGB", (side, side), "white")
    square.paste(picture, ((side - left - right) // 2, (side - top - bottom) // 2))
    small = np.asarray(square.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32) / 255
    covered = np.clip((1 - small.min(axis=-1)) * 255 / _WHITE, 0, 1)
    return Look(small, covered)


def looks(grid: Image.Image) -> list[Look | None]:
    """What each of a grid's four views shows."""
    return [look(view) for view in views(grid)]


def difference(prompt: Look | None, grid: list[Look | None]) -> Difference:
    """How a grid differs from the prompt: mostly by the view that fits best, and by all of them."""
    differences = [_difference(prompt, view) for view in grid]
    best = min(differences, key=lambda each: each.whole)
    outline, colour = (
        _BEST * getattr(best, part)
        + (1 - _BEST) * sum(getattr(each, part) for each in differences) / len(differences)
        for part in ("outline", "colour")
    )
    return Difference(outline, colour)


def penalty(gap: Difference) -> int:
    """From 0, a perfect match, to 10, a wrong object."""
    return min(10, max(0, round(_POINTS * math.log2(max(gap.whole, 1e-9) / _PERFECT))))


def in_words(gap: Difference) -> str:
    """What is wrong, as the judge says it."""
    if gap.outline >= 1:
        return "shows nothing"
    phrases = [
        words
        for amount, grades in (
            (
                gap.outline,
                (
                    (0.3, "another object"),
                    (0.08, "outline differs"),
                    (0.035, "outline is a little off"),
                ),
            ),
            (
                gap.colour,
                (
                    (0.15, "colours are wrong"),
                    (0.08, "colours are off"),
                    (0.04, "colours are a little off"),
                ),
            ),
        )
        for words in [next((words for least, words in grades if amount > least), "")]
        if words
    ]
    return ", ".join(phrases) or "very close"


def _difference(one: Look | None, other: Look | None) -> Difference:
    if one is None or other is None:
        return Difference(1, 1)
    both = np.minimum(one.covered, other.covered)
    either = np.maximum(one.covered, other.covered)
    red, green, blue = np.moveaxis(one.colours - other.colours, -1, 0)
    # Contrasts of colour; lightness counts for less, since light falls on each view from another
    # side.
    off = (np.abs(red - green) + np.abs((red + green) / 2 - blue)) / 2 + np.abs(
        red + green + blue
    ) / 12
    shared = float(both.sum())
    return Difference(
        1 - shared / float(either.sum()), float((off * both).sum()) / shared if shared else 1.0
    )
