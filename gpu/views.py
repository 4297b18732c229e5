"""The picture that every model gets (interfaces.md, "Render service"): cameras, the grid of four
views, PNG.
"""

import struct
from collections.abc import Sequence

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from gpu.picture_size import GAP, GRID, SIDE

AZIMUTHS = (24.0, 120.0, 216.0, 312.0)  # degrees, left to right and top to bottom
ELEVATION = 15.0  # degrees
FIELD_OF_VIEW = 49.1  # vertical, degrees

Picture = NDArray[np.uint8]
Matrix = NDArray[np.float64]


def eye(azimuth: float, distance: float) -> Matrix:
    """Where the camera stands, (3,): it looks at the origin, +Y is up, and azimuth 0 looks from
    +Z.
    """
    around, up = np.radians((azimuth, ELEVATION))
    return distance * np.array(
        [np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)]
    )


def world_to_camera(position: Matrix) -> Matrix:
    """The rigid transform (4, 4) into the space of a camera at `position` that looks along its -Z,
    +Y up.
    """
    backward = position / np.linalg.norm(position)
    right = np.cross([0.0, 1.0, 0.0], backward)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = right, np.cross(backward, right), backward
    matrix[:3, 3] = -matrix[:3, :3] @ position
    return matrix


def grid(views: Sequence[Picture]) -> Picture:
    """Four views, each (518, 518, 3), as one picture (1041, 1041, 3) with black gaps."""
    picture = np.zeros((GRID, GRID, 3), np.uint8)
    for number, view in enumerate(views):
        top, left = ((SIDE + GAP) * place for place in divmod(number, 2))
        picture[top : top + SIDE, left : left + SIDE] = view
    return picture


def png(picture: Picture) -> bytes:
    """An RGB picture (height, width, 3) as a PNG file: every row as its difference to the row
    above, fast deflate.
    """
    height, width, _ = picture.shape
    # PNG's filter 2, "up", at each row's beginning.
    rows = np.full((height, 1 + 3 * width), 2, np.uint8)
    flat = picture.reshape(height, 3 * width)
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    parts = (
        # 8 bits, RGB; deflate, the usual filters, not interlaced.
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", isal_zlib.compress(rows, 1)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + _check(kind + data) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _check(data: bytes) -> bytes:
    return struct.pack(">I", isal_zlib.crc32(data))
