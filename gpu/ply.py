"""Gaussian splats as 3DGS writes them into PLY files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.faults import Refused

GAUSSIANS = 2_000_000
HEADER_BYTES = 65_536
LARGEST_SIDE = 1.5
HARMONIC = 0.2820948  # of degree 0
_TYPES = dict(
    zip(
        [
            "char",
            "int8",
            "uchar",
            "uint8",
            "short",
            "int16",
            "ushort",
            "uint16",
            "int",
            "int32",
            "uint",
            "uint32",
            "float",
            "float32",
            "double",
            "float64",
        ],
        ["i1", "i1", "u1", "u1", "i2", "i2", "u2", "u2", "i4", "i4", "u4", "u4", "f4", "f4", "f8", "f8"],
        strict=True,
    )
)
_ORDERS = {("binary_little_endian", "1.0"): "<", ("binary_big_endian", "1.0"): ">"}
_PLACE = ("x", "y", "z")
_COLOR = ("f_dc_0", "f_dc_1", "f_dc_2")
_SCALE = ("scale_0", "scale_1", "scale_2")
_TURN = ("rot_0", "rot_1", "rot_2", "rot_3")

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Splats:
    """n Gaussians, moved and scaled as they are shown: means, scales, colors (n, 3), unit quaternions w first (n, 4)
    and opacities (n,), 0 to 1."""

    means: Floats
    scales: Floats
    turns: Floats
    colors: Floats
    opacities: Floats


def read_splats(data: memoryview) -> Splats:
    """The Gaussians of a PLY file; one that shows nothing whatever the view is left out. Refused says what is wrong."""
    rows = _rows(data)
    means, scales, turns, colors = (_together(rows, names) for names in (_PLACE, _SCALE, _TURN, _COLOR))
    if not np.isfinite(means).all():
        raise Refused("some Gaussians aren't at finite places")
    means -= means.mean(axis=0, dtype=np.float64)
    side = float(np.ptp(means, axis=0).max())
    if not 1e-9 < side < 1e9:
        raise Refused("the Gaussians have no extent" if side < 1 else "the Gaussians are too far apart")
    factor = LARGEST_SIDE / side
    with np.errstate(over="ignore", invalid="ignore"):
        opacities = 1 / (1 + np.exp(-rows["opacity"].astype(np.float32)))
        scales = np.exp(scales) * np.float32(factor)
        length = np.sqrt(np.einsum("ij,ij->i", turns, turns))
        colors = np.float32(0.5) + np.float32(HARMONIC) * colors
        sound = (scales.max(axis=1) < 1e6) & np.isfinite(colors.sum(axis=1)) & np.isfinite(opacities)
        sound &= (length > 1e-12) & (length < 1e12)
    return Splats(
        means[sound] * np.float32(factor),
        scales[sound],
        turns[sound] / length[sound, None],
        colors[sound],
        opacities[sound],
    )


def _together(rows: NDArray[np.void], names: tuple[str, ...]) -> Floats:
    found = np.empty((len(rows), len(names)), np.float32)
    for place, name in enumerate(names):
        found[:, place] = rows[name]
    return found


def _rows(data: memoryview) -> NDArray[np.void]:
    """The vertices' values by property."""
    head = bytes(data[:HEADER_BYTES])
    if not head.startswith(b"ply"):
        raise Refused("the file isn't a PLY")
    end = head.find(b"end_header")
    line = head.find(b"\n", end)
    if end < 0 or line < 0:
        raise Refused(f"the PLY's header doesn't end within {HEADER_BYTES:,} bytes")
    try:
        lines = [text.split() for text in head[:end].decode("ascii").splitlines()[1:]]
    except UnicodeDecodeError:
        raise Refused("the PLY's header isn't ASCII") from None
    count, fields, order = _layout(lines)
    rows = np.dtype([(name, order + kind) for name, kind in fields])
    start = line + 1
    if count * rows.itemsize > len(data) - start:
        raise Refused(f"the file is cut short: {count:,} Gaussians take {count * rows.itemsize:,} bytes")
    return np.frombuffer(data, rows, count, start)


def _layout(lines: list[list[str]]) -> tuple[int, list[tuple[str, str]], str]:
    """From a header: how many Gaussians, their properties' names and types, and the order of bytes."""
    formats = [tuple(words[1:]) for words in lines if words[:1] == ["format"]]
    if len(formats) != 1 or formats[0] not in _ORDERS:
        raise Refused("the PLY isn't binary, of version 1.0")
    elements = [place for place, words in enumerate(lines) if words[:1] == ["element"]]
    if not elements or lines[elements[0]][1:2] != ["vertex"] or len(lines[elements[0]]) != 3:
        raise Refused("the PLY doesn't begin with its vertices")
    end = elements[1] if len(elements) > 1 else len(lines)
    properties = [words for words in lines[elements[0] : end] if words[:1] == ["property"]]
    for words in properties:
        if len(words) != 3 or words[1] not in _TYPES:
            raise Refused(f"the PLY's vertices have a property that isn't a number: {' '.join(words)[:80]!r}")
    fields = [(name, _TYPES[kind]) for _, kind, name in properties]
    names = [name for name, _ in fields]
    if len(set(names)) < len(names):
        raise Refused("the PLY has two properties of one name")
    for name in (*_PLACE, *_COLOR, "opacity", *_SCALE, *_TURN):
        if name not in names:
            raise Refused(f"the PLY has no property {name!r}: it must hold Gaussian splats")
    return _count(lines[elements[0]][2]), fields, _ORDERS[formats[0]]


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused(f"the PLY's number of vertices is {text[:80]!r}")
    count = int(text)
    if not count:
        raise Refused("the PLY holds no Gaussians")
    if count > GAUSSIANS:
        raise Refused(f"the PLY holds {count:,} Gaussians, more than {GAUSSIANS:,}")
    return count
