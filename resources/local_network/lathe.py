"""What a local miner can do: a turned object's picture becomes its mesh or its Gaussian splats, as
its skill allows.
"""

import functools
import io
import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter
from trimesh import Trimesh

Floats = NDArray[np.floating[Any]]

SIDE = 518
"""Pixels of a prompt's side, and of a view's (interfaces.md, Render service)."""
# Camera and light as the renderer has them for meshes (interfaces.md, Render service).
_DISTANCE = 2.0
_ELEVATION = math.radians(15)
_FOCAL = SIDE / 2 / math.tan(math.radians(49.1) / 2)
_TO_CAMERA = np.array([0.0, math.sin(_ELEVATION), math.cos(_ELEVATION)])
_CAMERA = _DISTANCE * _TO_CAMERA
_UP = np.array([0.0, math.cos(_ELEVATION), -math.sin(_ELEVATION)])
_AZIMUTH = math.radians(24)  # of a prompt's camera; the light is off it by (1, 1, 0) of the scene
_TO_LIGHT = _CAMERA + np.array([math.cos(_AZIMUTH), 1.0, math.sin(_AZIMUTH)])
_TO_LIGHT /= np.linalg.norm(_TO_LIGHT)
_UPWARD = np.array([[0.0, 1.0]])  # a normal's outward and upward parts
# Turns points (n, 3), as rows, from where the prompt's camera is in front to where the scene has
# it.
_FROM_PROMPT = np.array(
    [
        [math.cos(_AZIMUTH), 0, -math.sin(_AZIMUTH)],
        [0, 1, 0],
        [math.sin(_AZIMUTH), 0, math.cos(_AZIMUTH)],
    ]
)
_AMBIENT = 0.3
_LIGHT = 6
_GAMMA = 2.2  # of the pictures, as an approximation of sRGB
_HARMONIC = 0.2820948  # of 3DGS: colour = 0.5 + _HARMONIC * f_dc
_INSET = 2.0  # by how many of its deviations a Gaussian lies below the surface that it shows
_OPAQUE, _UNSEEN = 4.6, -20.0  # logits: 99 %, and nothing
_EDGE = (
    1.5 / 2.5 * _DISTANCE / 2
)  # of the longest side, half of which a splat's picture shows as large as a mesh's
_WHITE = 24  # how much darker than white is still white
_LEVELS = 240  # heights at which the picture is measured
_GOLDEN = math.pi * (3 - math.sqrt(5))  # the golden angle: turned by it, points spread evenly


@dataclass(frozen=True, kw_only=True)
class Skill:
    """How well a miner's code works: the rings and segments of its meshes, the Gaussians of its
    splats, what it sees of the colours, and by how much of a radius and of a colour it errs at
    random."""

    rings: int = 160
    segments: int = 64
    splats: int = 20_000
    colours: Literal["full", "few", "grey"] = "full"
    noise: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Skill":
        """From a JSON object of some of the fields; ValueError or TypeError for anything else."""
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Turned:
    """A surface of revolution about the y axis, closed by flat ends: rings from the bottom up.

    `heights` and `radii` (n,) in units of the scene, `colours` (n, 3) and the upper end's `top`
    (3,) linear, 0 to 1.
    """

    heights: Floats
    radii: Floats
    colours: Floats
    top: Floats

    @property
    def normals(self) -> Floats:
        """(n, 2) of unit length: outward and upward parts."""
        slope = np.gradient(self.radii, self.heights)
        outward = 1 / np.hypot(1, slope)
        return np.stack([outward, -slope * outward], axis=1)

    @property
    def front(self) -> Floats:
        """The points (n, 3) nearest to a camera in front."""
        return np.stack([np.zeros(len(self.heights)), self.heights, self.radii], axis=1)

    @property
    def middle(self) -> Floats:
        """The middle (1, 3) of the upper end."""
        return np.array([[0.0, self.heights[-1], 0.0]])

    def with_rings(self, rings: int) -> "Turned":
        """The same surface, of `rings` rings at equal distances."""
        heights = np.linspace(self.heights[0], self.heights[-1], rings)
        colours = [np.interp(heights, self.heights, channel) for channel in self.colours.T]
        return Turned(
            heights,
            np.interp(heights, self.heights, self.radii),
            np.stack(colours, axis=1),
            self.top,
        )

    def to_glb(self, segments: int) -> bytes:
        """One mesh with smooth normals and vertex colours."""
        angles = np.arange(segments) * (2 * math.pi / segments)
        circle = np.stack([np.sin(angles), np.zeros(segments), np.cos(angles)], axis=1)
        up = np.array([0.0, 1.0, 0.0])
        rings = len(self.heights)
        profile = self.radii[:, None, None] * circle + self.heights[:, None, None] * up
        sides = self.normals[:, :1, None] * circle + self.normals[:, 1:, None] * up
        # An end has a rim of its own, for its normal and colour, and a middle.
        ends = np.concatenate(
            [profile[0], [up * self.heights[0]], profile[-1], [up * self.heights[-1]]]
        )
        vertices = np.concatenate([profile.reshape(-1, 3), ends])
        normals = np.concatenate([sides.reshape(-1, 3), np.repeat([-up, up], segments + 1, axis=0)])
        colours = np.concatenate(
            [
                np.repeat(self.colours, segments, axis=0),
                np.repeat([self.colours[0], self.top], segments + 1, axis=0),
            ]
        )

        here, there = np.arange(segments), np.roll(np.arange(segments), -1)
        lower = (np.arange(rings - 1) * segments)[:, None]
        quads = np.stack(
            [lower + here, lower + there, lower + there + segments, lower + here + segments],
            axis=-1,
        )
        bottom, top = rings * segments, rings * segments + segments + 1
        faces = np.concatenate(
            [
                quads[..., [0, 1, 2]].reshape(-1, 3),
                quads[..., [0, 2, 3]].reshape(-1, 3),
                np.stack(
                    [bottom + there, bottom + here, np.full(segments, bottom + segments)], axis=1
                ),
                np.stack([top + here, top + there, np.full(segments, top + segments)], axis=1),
            ]
        )
        opaque = np.column_stack([colours, np.ones(len(colours))])
        mesh = Trimesh(
            vertices, faces, vertex_normals=normals, vertex_colors=_bytes(opaque), process=False
        )
        return cast(bytes, mesh.export(file_type="glb", include_normals=True))

    def to_ply(self, count: int) -> bytes:
        """`count` round Gaussians spread evenly over the surface, in the 3DGS format of
        interfaces.md.

        Splats are not lit: their colours are those of the surface lit for a prompt, its back like
        its front.
        """
        # Ends are rings too, of shrinking radius at one height: rings from the lower middle to the
        # upper one.
        heights = np.concatenate(
            [self.heights[:1], self.heights, self.heights[-1:], self.heights[-1:]]
        )
        radii = np.concatenate([[0.0], self.radii, [self.radii[-1], 0.0]])
        colours = np.concatenate([self.colours[:1], self.colours, [self.top, self.top]])
        slopes = np.concatenate([-_UPWARD, self.normals, _UPWARD, _UPWARD])
        area = math.pi * (radii[1:] + radii[:-1]) * np.hypot(np.diff(radii), np.diff(heights))
        reached = np.concatenate([[0.0], np.cumsum(area)])
        number = np.arange(count)
        ring = np.interp((number + 0.5) / count * reached[-1], reached, np.arange(len(reached)))
        low = np.minimum(ring.astype(int), len(area) - 1)
        nearest = np.round(ring).astype(int)
        # Between two rings the area grows with the square of the radius.
        radius = np.sqrt(radii[low] ** 2 + (radii[low + 1] ** 2 - radii[low] ** 2) * (ring - low))
        around = np.stack([np.sin(number * _GOLDEN), np.cos(number * _GOLDEN)], axis=1)
        points = np.insert(
            radius[:, None] * around, 1, np.interp(ring, np.arange(len(heights)), heights), axis=1
        )
        normals = np.insert(slopes[nearest, :1] * around, 1, slopes[nearest, 1], axis=1)
        front = np.array([1, 1, -1]) ** (points[:, 2:] < 0)
        light = _shade(points * front, normals * front)
        lit = np.clip(colours[nearest] * light[:, None], 0, 1) ** (1 / _GAMMA)
        size = 0.6 * math.sqrt(reached[-1] / count)
        inside = points - _INSET * size * normals
        return _splats(inside @ _FROM_PROMPT, lit, size)


def rebuild(picture: bytes, *, seed: int, skill: Skill, output_format: str) -> bytes:
    """A prompt's picture as a GLB or PLY file (`output_format`). The same arguments give the same
    bytes.

    Raises ValueError for what is no picture of an object on white.
    """
    turned = _with_skill(measure(picture), skill, np.random.default_rng(seed))
    return turned.to_glb(skill.segments) if output_format == "glb" else turned.to_ply(skill.splats)


def measure(picture: bytes) -> Turned:
    """The turned object that a prompt shows; ValueError where there is none."""
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            image = opened.convert("RGB").resize((SIDE, SIDE))
    except OSError as error:
        raise ValueError(f"not a picture: {error}") from error
    pixels = np.asarray(image, dtype=float)
    heights = np.linspace(-0.6, 0.6, _LEVELS)
    radii = _radii(_half_widths(image), heights)
    solid = np.flatnonzero(radii > 0)
    if len(solid) < 3:
        raise ValueError("no object on white in the picture")
    heights, radii = heights[solid[0] : solid[-1] + 1], radii[solid[0] : solid[-1] + 1]
    kept = _without_cones(heights, radii)
    heights, radii = heights[kept], radii[kept]
    radii = np.convolve(np.pad(radii, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    shape = Turned(heights, radii, np.zeros((len(heights), 3)), np.zeros(3))
    return _coloured(shape, pixels)


def _half_widths(image: Image.Image) -> Floats:
    """Half the object's width in each row, in pixels, partly covered ones counted by their part."""
    dark = ImageChops.invert(functools.reduce(ImageChops.darker, image.split()))
    near, least = (
        np.asarray(dark.filter(filter_(3)), float)
        for filter_ in (ImageFilter.MaxFilter, ImageFilter.MinFilter)
    )
    # Only pixels next to white are partly covered; those next to another colour are not.
    covered = np.where(
        least > _WHITE, 1.0, np.where(near > _WHITE, np.asarray(dark) / np.maximum(near, 1), 0.0)
    )
    return np.asarray(covered.sum(axis=1) / 2)


def _project(points: Floats) -> tuple[Floats, Floats]:
    """Columns from the middle, and rows from the top, in pixels, of points (..., 3) with the camera
    in front.
    """
    depth = _DISTANCE - points @ _TO_CAMERA
    return _FOCAL * points[..., 0] / depth, SIDE / 2 - _FOCAL * (points @ _UP) / depth


def _radii(half_widths: Floats, heights: Floats) -> Floats:
    """At each height the largest circle about the axis that the silhouette has room for: the visual
    hull.
    """
    angles = np.linspace(-math.pi / 2, math.pi / 2, 25)
    circle = np.stack([np.cos(angles), np.zeros(len(angles)), np.sin(angles)], axis=1)
    rows = np.arange(SIDE) + 0.5
    low = np.zeros(len(heights))
    step = 0.6
    for _ in range(2):  # to 3 %, then to 0.1 % of the scene
        step /= 24
        radii = low[:, None] + step * np.arange(1, 25)
        points = radii[..., None, None] * circle
        points[..., 1] += heights[:, None, None]
        columns, at = _project(points)
        fits = (np.abs(columns) <= np.interp(at, rows, half_widths)).all(axis=-1)
        low = low + step * np.cumprod(fits, axis=1).sum(axis=1)
    return low


def _without_cones(heights: Floats, radii: Floats) -> slice:
    """The rings without the ends that come from seeing flat ends at an angle: cones as steep as the
    view.
    """
    steep = 0.8 * _CAMERA[2] / np.maximum(_CAMERA[1] - heights, 0.01)
    slope = np.gradient(radii, heights)
    start, end = 0, len(radii)
    while start < end - 3 and slope[start] > steep[start]:
        start += 1
    while start < end - 3 and -slope[end - 1] > steep[end - 1]:
        end -= 1
    return slice(start, end)


def _coloured(shape: Turned, pixels: Floats) -> Turned:
    """The shape with the colours of the picture's middle column, its light undone."""
    rows = _project(shape.front)[1]
    # What bulges further up hides what projects above its lower edge.
    visible = rows >= np.maximum.accumulate(rows[::-1])[::-1]
    middle = pixels[:, SIDE // 2 - 2 : SIDE // 2 + 2].mean(axis=1) / 255
    solid = middle.min(axis=1) < 1 - _WHITE / 255
    whole = solid & np.roll(solid, 2) & np.roll(solid, -2)  # not mixed with the white beside it
    at = np.clip(rows.astype(int), 0, SIDE - 1)
    known = np.flatnonzero(visible & whole[at])
    if not len(known):
        raise ValueError("no object on white in the picture")
    facing = np.stack([np.zeros(len(rows)), shape.normals[:, 1], shape.normals[:, 0]], axis=1)
    light = _shade(shape.front, facing)[:, None]
    colours = np.clip(middle[at] ** _GAMMA / light, 0, 1)
    nearest = known[np.abs(np.arange(len(rows))[:, None] - known).argmin(axis=1)]
    end = int(_project(shape.middle)[1][0])
    upward = np.array([[0.0, 1.0, 0.0]])
    top = (
        np.clip(middle[end] ** _GAMMA / _shade(shape.middle, upward), 0, 1)
        if whole[end]
        else colours[known[-1]]
    )
    return replace(shape, colours=colours[nearest], top=top)


def _shade(points: Floats, normals: Floats) -> Floats:
    """The light (n,) that comes from white at points of the front with normals, both (n, 3).

    Source: interfaces.md's light and glTF's metallic-roughness model, as the renderer has it for a
    mesh with colours and no material: metallic 0.2, roughness 0.8.
    """
    to_camera = _CAMERA - points
    to_camera /= np.linalg.norm(to_camera, axis=1, keepdims=True)
    between = to_camera + _TO_LIGHT
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    light = np.clip(normals @ _TO_LIGHT, 0.001, 1)
    view, half = (
        np.clip((normals * other).sum(axis=1), 0.001, 1) for other in (to_camera, between)
    )
    # F0 = 0.2 + 0.8 * 0.04, by Schlick.
    reflected = 0.232 + 0.768 * (1 - (to_camera * between).sum(axis=1)) ** 5
    rest = 1.8**2 / 8  # k of the Schlick-GGX term, from roughness 0.8
    hidden = view / (view * (1 - rest) + rest) * light / (light * (1 - rest) + rest)
    # The GGX distribution, alpha = 0.8 squared.
    spread = 0.8**4 / (math.pi * (half**2 * (0.8**4 - 1) + 1) ** 2)
    shine = reflected * hidden * spread / (4 * light * view + 0.001)
    return np.asarray(_AMBIENT + _LIGHT * light * ((1 - reflected) * 0.768 / math.pi + shine))


def _splats(points: Floats, colours: Floats, radius: float) -> bytes:
    """Round opaque Gaussians at points (n, 3), of colours (n, 3) and one radius, as a 3DGS PLY.

    The renderer moves the mean of all to the origin, makes the longest side 1.5, and looks from 2.5
    away. Unseen ones, at the height of `_EDGE` above and below, see to it that what is seen stays
    where it is and as large as a mesh.
    """
    shift = points[:, 1].sum() / _EDGE
    above, below = 1 + max(0, round(-shift)), 1 + max(0, round(shift))
    count = len(points) + above + below
    names = [
        "x",
        "y",
        "z",
        "f_dc_0",
        "f_dc_1",
        "f_dc_2",
        "opacity",
        "scale_0",
        "scale_1",
        "scale_2",
    ]
    names += ["rot_0", "rot_1", "rot_2", "rot_3"]
    rows = np.zeros((count, len(names)), "<f4")
    rows[: len(points), :3] = points
    rows[len(points) :, 1] = np.repeat([_EDGE, -_EDGE], [above, below])
    rows[: len(points), 3:6] = (colours - 0.5) / _HARMONIC
    rows[:, 6] = np.where(np.arange(count) < len(points), _OPAQUE, _UNSEEN)
    rows[:, 7:10] = math.log(radius)
    rows[:, 10] = 1
    properties = "".join(f"property float {name}\n" for name in names)
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{properties}end_header\n"
    )
    return header.encode() + rows.tobytes()


def _with_skill(turned: Turned, skill: Skill, rng: np.random.Generator) -> Turned:
    """What a miner of this skill makes of it."""
    turned = turned.with_rings(skill.rings)
    radii = turned.radii * (1 + skill.noise * rng.standard_normal(skill.rings))
    colours = np.vstack([turned.colours, turned.top])
    if skill.colours == "grey":
        colours = np.repeat(colours.mean(axis=1, keepdims=True), 3, axis=1)
    elif skill.colours == "few":
        colours = (np.round(colours ** (1 / _GAMMA) * 3) / 3) ** _GAMMA
    colours = np.clip(colours * (1 + skill.noise * rng.standard_normal(colours.shape)), 0, 1)
    return Turned(turned.heights, np.clip(radii, 0.002, 0.5), colours[:-1], colours[-1])


def _bytes(values: Floats) -> NDArray[np.uint8]:
    return np.round(values * 255).astype(np.uint8)
