"""Gaussian splats drawn on the CPU: the 3DGS equations in tiles of the picture, compiled by numba.

As in gsplat: 0.3 px added to the 2D covariance, contributions below 1/255 left out, alpha at most
0.999, the projection's Jacobian taken at most 1.3 times the field of view off the axis. Ties in
depth go by place in the file.
"""

from typing import Any

import numba
import numpy as np

from gpu.faults import Refused
from gpu.picture_size import SIDE
from gpu.splats.ply import Splats
from gpu.views import AZIMUTHS, FIELD_OF_VIEW, Picture, eye, world_to_camera

# Camera: interfaces.md, Render service. NEAR, BLUR, LEAST, MOST and SPENT are gsplat's.
DISTANCE = 2.5
NEAR = 0.01
BLUR = 0.3  # px², on the diagonal
LEAST = 1 / 255
MOST = 0.999
SPENT = 1e-4  # of the background showing through: what lies behind is no longer seen
PAIRS = 100_000_000  # of a Gaussian and a tile that it touches, in a view
TOO_MANY = "the Gaussians are so large and so many that they can't be drawn"
TILE = 32  # pixels of a side
ACROSS = -(-SIDE // TILE)  # rounded up: the last tiles reach over the edge
LANES = 8  # pixels that are computed together
_FOCAL = SIDE / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
_LIMIT = 1.3 * np.tan(np.radians(FIELD_OF_VIEW) / 2)


def draw_splats(splats: Splats) -> list[Picture]:
    """The four views, each (518, 518, 3)."""
    covariances = _covariances(splats.turns, splats.scales)
    colors = splats.colors.astype(np.float32)
    return [_view(splats, covariances, colors, azimuth) for azimuth in AZIMUTHS]


def _view(splats: Splats, covariances: Any, colors: Any, azimuth: float) -> Picture:
    camera = np.diag([1.0, -1.0, -1.0, 1.0]) @ world_to_camera(
        eye(azimuth, DISTANCE)
    )  # rows go down, depth is ahead
    depths, flat = _project(splats.means, covariances, splats.opacities, camera)
    order = _order(depths)
    starts, spans = _starts(flat, depths)
    if starts[-1] > PAIRS:
        raise Refused(TOO_MANY)
    picture: Picture = _paint(flat, colors, starts, _members(spans, order, starts))
    return picture


@numba.njit(cache=True)
def _covariances(turns: Any, scales: Any) -> Any:
    """Each Gaussian's 3D covariance (n, 6): xx, xy, xz, yy, yz, zz."""
    covariances = np.empty((len(turns), 6))
    for i in range(len(turns)):
        w, x, y, z = turns[i]
        a, b, c = scales[i]
        m00, m01, m02 = (
            (1 - 2 * (y * y + z * z)) * a,
            2 * (x * y - w * z) * b,
            2 * (x * z + w * y) * c,
        )
        m10, m11, m12 = (
            2 * (x * y + w * z) * a,
            (1 - 2 * (x * x + z * z)) * b,
            2 * (y * z - w * x) * c,
        )
        m20, m21, m22 = (
            2 * (x * z - w * y) * a,
            2 * (y * z + w * x) * b,
            (1 - 2 * (x * x + y * y)) * c,
        )
        covariances[i, 0] = m00 * m00 + m01 * m01 + m02 * m02
        covariances[i, 1] = m00 * m10 + m01 * m11 + m02 * m12
        covariances[i, 2] = m00 * m20 + m01 * m21 + m02 * m22
        covariances[i, 3] = m10 * m10 + m11 * m11 + m12 * m12
        covariances[i, 4] = m10 * m20 + m11 * m21 + m12 * m22
        covariances[i, 5] = m20 * m20 + m21 * m21 + m22 * m22
    return covariances


@numba.njit(cache=True)
def _project(means: Any, covariances: Any, opacities: Any, camera: Any) -> Any:
    """Depths (n,), 0 for what isn't seen, and on the picture (n, 9): centre x and y, the inverse
    covariance's xx, xy, yy, opacity, half the ellipse's width and height in pixels, and the
    exponent beyond which nothing shows."""
    n = len(means)
    depths = np.zeros(n, np.float32)
    flat = np.zeros((n, 9), np.float32)
    r = camera
    for i in range(n):
        px, py, pz = means[i]
        x = r[0, 0] * px + r[0, 1] * py + r[0, 2] * pz + r[0, 3]
        y = r[1, 0] * px + r[1, 1] * py + r[1, 2] * pz + r[1, 3]
        z = r[2, 0] * px + r[2, 1] * py + r[2, 2] * pz + r[2, 3]
        if z < NEAR or opacities[i] < LEAST:
            continue
        tx = min(max(x / z, -_LIMIT), _LIMIT)
        ty = min(max(y / z, -_LIMIT), _LIMIT)
        f = _FOCAL / z
        u0, u1, u2 = (
            f * (r[0, 0] - tx * r[2, 0]),
            f * (r[0, 1] - tx * r[2, 1]),
            f * (r[0, 2] - tx * r[2, 2]),
        )
        v0, v1, v2 = (
            f * (r[1, 0] - ty * r[2, 0]),
            f * (r[1, 1] - ty * r[2, 1]),
            f * (r[1, 2] - ty * r[2, 2]),
        )
        xx, xy, xz, yy, yz, zz = covariances[i]
        cu0, cu1, cu2 = (
            xx * u0 + xy * u1 + xz * u2,
            xy * u0 + yy * u1 + yz * u2,
            xz * u0 + yz * u1 + zz * u2,
        )
        cv0, cv1, cv2 = (
            xx * v0 + xy * v1 + xz * v2,
            xy * v0 + yy * v1 + yz * v2,
            xz * v0 + yz * v1 + zz * v2,
        )
        a = u0 * cu0 + u1 * cu1 + u2 * cu2 + BLUR
        b = u0 * cv0 + u1 * cv1 + u2 * cv2
        c = v0 * cv0 + v1 * cv1 + v2 * cv2 + BLUR
        det = a * c - b * b
        if not det > 0:  # true for NaN as well
            continue
        reach = np.log(opacities[i] / LEAST)
        width, height = np.sqrt(2 * reach * a), np.sqrt(2 * reach * c)
        mx, my = _FOCAL * x / z + SIDE / 2, _FOCAL * y / z + SIDE / 2
        if mx + width < 0 or mx - width > SIDE or my + height < 0 or my - height > SIDE:
            continue
        depths[i] = z
        flat[i, 0], flat[i, 1], flat[i, 2], flat[i, 3], flat[i, 4] = (
            mx,
            my,
            c / det,
            -b / det,
            a / det,
        )
        flat[i, 5], flat[i, 6], flat[i, 7], flat[i, 8] = opacities[i], width, height, reach
    return depths, flat


@numba.njit(cache=True)
def _span(middle: float, half: float) -> Any:
    """The first tile, and the one after the last, that an ellipse can touch along an axis."""
    first = min(max((middle - half) / TILE, 0.0), ACROSS)
    # So that the one after it is ACROSS at most.
    last = min(max((middle + half) / TILE, 0.0), ACROSS - 0.5)
    return int(first), int(last) + 1


@numba.njit(cache=True)
def _order(depths: Any) -> Any:
    """Those that are seen, nearest first, and of equal depths the earlier in the file: a radix
    sort, in three steps.
    """
    keys = depths.view(np.uint32)  # of positive floats, the bits are in the same order
    order = np.flatnonzero(keys).astype(np.int32)
    other = np.empty_like(order)
    # 11 bits a step, so that three steps sort by all 32.
    for shift in (np.uint32(0), np.uint32(11), np.uint32(22)):
        counts = np.zeros(2048, np.int64)
        for i in order:
            counts[(keys[i] >> shift) & np.uint32(2047)] += 1
        places = np.cumsum(counts) - counts
        for i in order:
            digit = (keys[i] >> shift) & np.uint32(2047)
            other[places[digit]] = i
            places[digit] += 1
        order, other = other, order
    return order


@numba.njit(cache=True)
def _starts(flat: Any, depths: Any) -> Any:
    """Where each tile's list of Gaussians begins, and the total, (tiles + 1,); and each one's tiles
    (n, 4): the first column, the one after the last, the first row, the one after the last."""
    starts = np.zeros(ACROSS * ACROSS + 1, np.int64)
    spans = np.zeros((len(flat), 4), np.uint8)
    for i in range(len(flat)):
        if depths[i] == 0:
            continue
        left, right = _span(flat[i, 0], flat[i, 6])
        top, bottom = _span(flat[i, 1], flat[i, 7])
        spans[i, 0], spans[i, 1], spans[i, 2], spans[i, 3] = left, right, top, bottom
        for row in range(top, bottom):
            for column in range(left, right):
                starts[row * ACROSS + column + 1] += 1
    return np.cumsum(starts), spans


@numba.njit(cache=True)
def _members(spans: Any, order: Any, starts: Any) -> Any:
    """The Gaussians of each tile, nearest first, one tile after another."""
    members = np.empty(starts[-1], np.int32)
    ends = starts.copy()
    for i in order:
        for row in range(spans[i, 2], spans[i, 3]):
            for column in range(spans[i, 0], spans[i, 1]):
                tile = row * ACROSS + column
                members[ends[tile]] = i
                ends[tile] += 1
    return members


@numba.njit(cache=True, nogil=True)
def _paint(flat: Any, colors: Any, starts: Any, members: Any) -> Any:
    picture = np.empty((ACROSS * TILE, ACROSS * TILE, 3), np.uint8)
    paint = np.empty((4, TILE, TILE), np.float32)  # red, green, blue, and what shows through
    for tile in range(ACROSS * ACROSS):
        top, left = tile // ACROSS * TILE, tile % ACROSS * TILE
        paint[:3] = 0
        paint[3] = 1
        _paint_tile(
            flat,
            colors,
            members[starts[tile] : starts[tile + 1]],
            paint,
            np.float32(left),
            np.float32(top),
        )
        for row in range(TILE):
            for column in range(TILE):
                for channel in range(3):
                    # The background is white: what shows through of it is added to each channel.
                    value = paint[channel, row, column] + paint[3, row, column]
                    picture[top + row, left + column, channel] = np.uint8(
                        min(max(value, 0), 1) * 255
                    )
    return picture[:SIDE, :SIDE].copy()


@numba.njit(
    cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy", nogil=True
)
def _paint_tile(flat: Any, colors: Any, members: Any, paint: Any, left: Any, top: Any) -> None:
    half, zero, most = np.float32(0.5), np.float32(0), np.float32(MOST)
    for number in range(len(members)):
        if number % 64 == 63 and paint[3].max() < SPENT:  # the look takes a whole tile
            return
        i = members[number]
        x, y = flat[i, 0] - left - half, flat[i, 1] - top - half
        a, b, c = flat[i, 2], flat[i, 3], flat[i, 4]
        opacity, height, reach = flat[i, 5], flat[i, 7], flat[i, 8]
        red, green, blue = colors[i, 0], colors[i, 1], colors[i, 2]
        first, last = max(int(np.ceil(y - height)), 0), min(int(np.floor(y + height)), TILE - 1)
        for row in range(first, last + 1):
            dy = np.float32(row) - y
            # along the row, the ellipse is where a dx² + 2 b dx dy + c dy² <= 2 reach
            root = b * b * dy * dy - a * (c * dy * dy - 2 * reach)
            if root < 0:
                continue
            side = np.sqrt(root)
            begin = max(x + (-b * dy - side) / a, zero)
            end = min(x + (-b * dy + side) / a, np.float32(TILE - 1))
            if begin > end:
                continue
            start = int(begin) // LANES * LANES
            stop = (int(end) // LANES + 1) * LANES
            reds, greens, blues = (
                paint[0, row, start:stop],
                paint[1, row, start:stop],
                paint[2, row, start:stop],
            )
            throughs = paint[3, row, start:stop]
            offset = np.float32(start) - x
            for column in range(stop - start):
                dx = np.float32(column) + offset
                power = max(half * (a * dx * dx + c * dy * dy) + b * dx * dy, zero)
                alpha = min(opacity * _falloff(power), most) if power <= reach else zero
                weight = alpha * throughs[column]
                reds[column] += weight * red
                greens[column] += weight * green
                blues[column] += weight * blue
                throughs[column] -= weight


@numba.njit(cache=True, inline="always")
def _falloff(power: Any) -> Any:
    """exp(-power) to within 1e-6 for 0 to 5.6, in what compiles to a few vector instructions."""
    # Exp(-power) is the eighth power of exp(t), which is a short series.
    t = power * np.float32(-0.125)
    p = np.float32(1 / 5040)
    p = p * t + np.float32(1 / 720)
    p = p * t + np.float32(1 / 120)
    p = p * t + np.float32(1 / 24)
    p = p * t + np.float32(1 / 6)
    p = p * t + np.float32(0.5)
    p = p * t + np.float32(1)
    p = p * t + np.float32(1)
    p = p * p
    p = p * p
    return p * p
