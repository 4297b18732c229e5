"""What the prompts of the local network show: turned objects, each made up from its name, and their
pictures.
"""

import colorsys
import io
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from resources.local_network.lathe import SIDE, Floats, Turned
from resources.whole_file import write_whole

if TYPE_CHECKING:
    from resources.renderer import Renderer

_RINGS, _SEGMENTS = 200, 48
_BRIGHTEST = 0.55  # linear; the renderer's light makes it nearly twice as bright

# Height and radius along the profile, bottom to top, each in tenths of the object's height.
_PROFILES = {
    "vase": ((0, 2.0), (1, 1.7), (4.5, 3.4), (8, 1.3), (9.2, 1.2), (10, 2.0)),
    "bottle": ((0, 1.9), (0.4, 2.1), (5.6, 2.1), (7.2, 0.8), (9.2, 0.7), (9.3, 1.0), (10, 1.0)),
    "lamp": ((0, 2.4), (0.7, 2.3), (0.9, 0.5), (4.8, 0.5), (5.0, 3.6), (10, 1.7)),
    "goblet": ((0, 2.3), (0.5, 1.9), (1.2, 0.5), (4.2, 0.4), (5.2, 1.9), (7.5, 2.7), (10, 2.3)),
    "pawn": (
        (0, 2.8),
        (1, 2.8),
        (1.4, 2.0),
        (5.6, 0.9),
        (5.8, 1.7),
        (6.3, 1.7),
        (6.5, 0.8),
        (8.2, 1.9),
        (10, 0.4),
    ),
    "rook": ((0, 3.0), (1.1, 2.9), (1.5, 2.0), (6.6, 1.5), (7.2, 2.2), (10, 2.3)),
    "candlestick": (
        (0, 3.0),
        (0.6, 2.6),
        (1.3, 0.8),
        (3.2, 1.3),
        (5, 0.6),
        (6.8, 1.4),
        (8.2, 0.7),
        (8.6, 2.0),
        (10, 1.8),
    ),
    "bell": (
        (0, 3.6),
        (0.6, 3.5),
        (3.5, 2.3),
        (6.5, 1.8),
        (7.6, 0.5),
        (8.0, 0.4),
        (9, 0.8),
        (10, 0.3),
    ),
    "hourglass": ((0, 2.8), (0.8, 2.7), (1.0, 2.1), (5, 0.4), (9.0, 2.1), (9.2, 2.7), (10, 2.8)),
    "bowl": ((0, 1.6), (0.9, 1.3), (1.6, 1.0), (4.5, 4.0), (7.2, 4.6), (8, 4.5)),
    "top": (
        (0, 0.3),
        (1.5, 0.6),
        (4.5, 3.8),
        (5.5, 4.0),
        (6.8, 1.2),
        (7.4, 0.5),
        (9.4, 0.5),
        (10, 0.8),
    ),
}
KINDS = tuple(_PROFILES)


def make_object(name: str) -> Turned:
    """The object of this name, `{kind}-{anything}`, always the same, within ±0.5; KeyError for an
    unknown kind.
    """
    rng = random.Random(name)  # noqa: S311
    points = [
        (height, radius * rng.uniform(0.75, 1.25))
        for height, radius in _PROFILES[name.partition("-")[0]]
    ]
    slant = rng.uniform(-0.8, 0.8)
    inner = [(height + slant * _bump(height, points[-1][0]), radius) for height, radius in points]
    heights = np.linspace(inner[0][0], inner[-1][0], _RINGS)
    radii = _smooth(heights, inner)
    scale = 0.96 / max(heights[-1] - heights[0], 2 * radii.max())
    colours, top = _bands(rng)
    return Turned((heights - heights.mean()) * scale, radii * scale, colours, top)


def render_prompt(turned: Turned, renderer: "Renderer") -> bytes:
    """The prompt that shows it: the first view of the renderer's grid, a PNG of 518 by 518."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "object.glb"
        path.write_bytes(turned.to_glb(_SEGMENTS))
        grid = renderer.render(path, "glb")
    with Image.open(io.BytesIO(grid)) as opened:
        view = opened.convert("RGB").crop((0, 0, SIDE, SIDE))
    picture = io.BytesIO()
    view.save(picture, "PNG", compress_level=3)
    return picture.getvalue()


def make_prompts(folder: Path, count: int, renderer: "Renderer") -> list[Path]:
    """Write `count` prompts, `{stem}.png`; those already there are kept. All of them, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{KINDS[number % len(KINDS)]}-{number:04d}.png" for number in range(count)]

    def make(path: Path) -> None:
        write_whole(path, render_prompt(make_object(path.stem), renderer))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make, [path for path in paths if not path.exists()]))
    return paths


def _bump(height: float, highest: float) -> float:
    """1 half-way up, 0 at both ends."""
    return 4 * height * (highest - height) / highest**2


def _smooth(heights: Floats, points: list[tuple[float, float]]) -> Floats:
    """Radii at the heights, level at each point and smooth between them."""
    at = np.array([height for height, _ in points])
    radii = np.array([radius for _, radius in points])
    low = np.clip(np.searchsorted(at, heights, side="right") - 1, 0, len(at) - 2)
    part = np.clip((heights - at[low]) / (at[low + 1] - at[low]), 0, 1)
    return np.asarray(radii[low] + (radii[low + 1] - radii[low]) * part * part * (3 - 2 * part))


def _bands(rng: random.Random) -> tuple[Floats, Floats]:
    """Colours (rings, 3) of three to seven bands, no two neighbours alike, and one for the upper
    end.
    """
    hue = rng.random()
    palette = [
        colorsys.hsv_to_rgb(hue + part, rng.uniform(0.7, 1.0), rng.uniform(0.35, 1.0))
        for part in (0, rng.uniform(0.25, 0.4), rng.uniform(0.55, 0.75))
    ]
    edges = sorted(rng.sample(range(8, _RINGS - 8, 8), rng.randint(2, 6)))
    colours = np.zeros((_RINGS, 3))
    last = -1
    for start, end in zip([0, *edges], [*edges, _RINGS], strict=True):
        last = rng.choice([number for number in range(len(palette)) if number != last])
        colours[start:end] = palette[last]
    return colours * _BRIGHTEST, np.array(rng.choice(palette)) * _BRIGHTEST * 0.5
