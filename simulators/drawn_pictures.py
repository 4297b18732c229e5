"""Pictures of turned objects much as the renderer shows them, drawn without one: polygons from back
to front.
"""

import io
import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from resources.local_network.lathe import Turned
from resources.local_network.objects import make_object

SIDE = 518
GAP = 5
Floats = NDArray[np.floating[Any]]
_FOCAL = SIDE / 2 / math.tan(math.radians(49.1) / 2)
_UP = math.radians(15)

LADDER = {
    "finest": (80, 30),
    "fine": (28, 20),
    "coarse": (14, 9),
    "mediocre": (9, 7),
    "poor": (6, 5),
}
"""Rings and segments of a remake, best first."""


@cache
def drawn(name: str, remake: str = "truth") -> Image.Image:
    """The grid of an object: as it is, remade as `LADDER` says, `grey`, or in `other colours`."""
    turned = make_object(name)
    rings, segments = LADDER.get(remake, (100, 32))
    if remake in {"poor", "grey"}:
        grey = turned.colours.mean(axis=1, keepdims=True).repeat(3, axis=1)
        turned = replace(turned, colours=grey, top=np.full(3, turned.top.mean()))
    elif remake == "other colours":
        turned = replace(turned, colours=turned.colours[:, [1, 2, 0]], top=turned.top[[1, 2, 0]])
    return grid(turned.with_rings(rings), segments)


def prompt(name: str) -> Image.Image:
    """The first view of the object."""
    return drawn(name).crop((0, 0, SIDE, SIDE))


def grid(turned: Turned, segments: int, turn: float = 0) -> Image.Image:
    """An object from four sides, which look alike: the light travels with the camera. `turn` moves
    it, in degrees.
    """
    mesh: Any = trimesh.load(
        io.BytesIO(turned.to_glb(segments)), file_type="glb", force="mesh", process=False
    )
    corners = np.asarray(mesh.vertices)[mesh.faces]
    colours = np.asarray(mesh.visual.vertex_colors)[mesh.faces].mean(axis=1)[:, :3] / 255
    picture = Image.new("RGB", (2 * SIDE + GAP,) * 2, "black")
    view = _view(corners, colours, turn)
    for place in ((0, 0), (SIDE + GAP, 0), (0, SIDE + GAP), (SIDE + GAP, SIDE + GAP)):
        picture.paste(view, place)
    return picture


def noise(seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(
        0, 256, (2 * SIDE + GAP, 2 * SIDE + GAP, 3), np.uint8
    )
    return Image.fromarray(pixels)


def blank() -> Image.Image:
    return Image.new("RGB", (2 * SIDE + GAP,) * 2, "white")


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _view(corners: Floats, colours: Floats, azimuth: float) -> Image.Image:
    around = math.radians(azimuth)
    backward = np.array(
        [math.sin(around) * math.cos(_UP), math.sin(_UP), math.cos(around) * math.cos(_UP)]
    )
    right = np.array([math.cos(around), 0, -math.sin(around)])
    seen = corners @ np.stack([right, np.cross(backward, right), backward], axis=1)
    depth = 2 - seen[..., 2]
    at = SIDE / 2 + _FOCAL * seen[..., :2] / depth[..., None] * (1, -1)
    normals = np.cross(seen[:, 1] - seen[:, 0], seen[:, 2] - seen[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    light = 0.3 + 1.2 * np.clip(normals @ (0.5, 0.6, 0.62), 0, 1)
    shades = np.round(255 * np.clip(colours * light[:, None], 0, 1) ** (1 / 2.2)).astype(int)
    facing = (normals * (np.array([0, 0, 2]) - seen[:, 0])).sum(axis=1) > 0
    view = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(view)
    for face in np.argsort(-depth.mean(axis=1)):
        if facing[face]:
            draw.polygon([tuple(point) for point in at[face]], fill=tuple(shades[face]))
    return view
