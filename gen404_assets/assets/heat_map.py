"""The margins of a round as a picture: an SVG, rows defend, columns challenge."""

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from gen404_assets.competition.hotkeys import short

if TYPE_CHECKING:
    import pandas as pd

_CELL_WIDTH, _CELL_HEIGHT, _LABEL_WIDTH, _LABEL_HEIGHT = 56, 24, 96, 92
_FULL_COLOUR = 0.3
"""The margin at which a cell has its full colour; the decisive ones are far below 1."""


def heat_map(matches: "pd.DataFrame", order: Sequence[str], win_margin: float) -> str:
    """An SVG of the matches `left`, `right`, `margin`: green where the challenger won, red where
    the defender did, framed where the margin was enough.
    """
    grid = matches.pivot(index="left", columns="right", values="margin")
    lefts = [hotkey for hotkey in order if hotkey in grid.index]
    rights = [hotkey for hotkey in order if hotkey in grid.columns]
    margins = grid.reindex(index=lefts, columns=rights).to_numpy()
    width = 2 * _LABEL_WIDTH + _CELL_WIDTH * len(rights)
    height = _LABEL_HEIGHT + _CELL_HEIGHT * len(lefts)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="monospace" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for row, left in enumerate(lefts):
        parts.append(_text(4, _LABEL_HEIGHT + row * _CELL_HEIGHT + 16, short(left)))
    for column, right in enumerate(rights):
        x = _LABEL_WIDTH + column * _CELL_WIDTH + 22
        parts.append(_text(x, _LABEL_HEIGHT - 6, short(right), turned=True))
        for row in range(len(lefts)):
            margin = float(margins[row, column])
            if not math.isnan(margin):
                parts.append(_cell(column, row, margin, margin >= win_margin))
    return "".join([*parts, "</svg>"])


def _cell(column: int, row: int, margin: float, enough: bool) -> str:
    x, y = _LABEL_WIDTH + column * _CELL_WIDTH, _LABEL_HEIGHT + row * _CELL_HEIGHT
    strength = min(1.0, abs(margin) / _FULL_COLOUR)
    full, faded = round(255 - 35 * strength), round(255 - 165 * strength)
    colour = f"rgb({faded},{full},{faded})" if margin > 0 else f"rgb({full},{faded},{faded})"
    frame = ' stroke="black" stroke-width="2"' if enough else ""
    size = f'width="{_CELL_WIDTH - 2}" height="{_CELL_HEIGHT - 2}"'
    box = f'<rect x="{x + 1}" y="{y + 1}" {size} fill="{colour}"{frame}/>'
    return box + _text(x + 5, y + 16, f"{margin:+.3f}" if abs(margin) < 10 else f"{margin:+.0f}")


def _text(x: int, y: int, text: str, *, turned: bool = False) -> str:
    turn = f' transform="rotate(-60 {x} {y})"' if turned else ""
    return f'<text x="{x}" y="{y}"{turn}>{escape(text)}</text>'
