"""Gaussian splats as 3DGS writes them into PLY files, in binary or as text."""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gpu.faults import Refused
from gpu.splats.ply_header import Element, Header, read_header
from gpu.splats.ply_text import after_lines, numbers

LARGEST_SIDE = 1.5
"""Of the box around all means, as it is shown (interfaces.md, Render service)."""
# 1 / (2 sqrt(pi)), by which 3DGS has its colours.
HARMONIC = 0.2820948  # of degree 0
NAMES = (
    *("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
    *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Splats:
    """n Gaussians, moved and scaled as they are shown: means, scales, colors (n, 3), unit
    quaternions w first (n, 4) and opacities (n,), 0 to 1. `notes` says what was wrong with the file
    and did no harm."""

    means: Floats
    scales: Floats
    turns: Floats
    colors: Floats
    opacities: Floats
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Rows:
    """`count` rows of `size` bytes from `start` on; in each, the numbers of NAMES lie at `offsets`,
    as little-endian 32-bit floats."""

    content: NDArray[np.uint8]
    start: int
    size: int
    count: int
    offsets: NDArray[np.uint64]


def read_splats(data: memoryview) -> Splats:
    """The Gaussians of a PLY file; one that shows nothing whatever the view is left out.

    A row with a NaN, or at no finite place, is no part of the model: its middle and size are those
    of the others. Refused says what is wrong.
    """
    header = read_header(data)
    _check_layout(header.vertices)
    rows = _text(header, data) if header.order is None else _binary(header, data)
    parts = _parts(rows.content, rows.start, rows.size, rows.count, rows.offsets)
    whole, sound = parts[-2:]
    if not whole.any():
        raise Refused("no Gaussian of the PLY is free of NaN and at a finite place")
    if not whole.all():
        parts = tuple(part[whole] for part in parts)
    places, turns, colors, powers, _, sound = parts
    side = _move(places)
    if not 1e-9 < side < 1e9:
        raise Refused(
            "the Gaussians have no extent" if side < 1 else "the Gaussians are too far apart"
        )
    with np.errstate(over="ignore"):
        np.exp(powers, out=powers)
    scales, opacities = _finish(places, powers, sound, np.float32(LARGEST_SIDE / side))
    shown = (places, scales, turns, colors, opacities)
    if not sound.all():
        shown = tuple(part[sound] for part in shown)
    dropped = rows.count - int(sound.sum())
    note = f"{dropped:,} of {rows.count:,} Gaussians are degenerate and were left out"
    return Splats(*shown, (note,) if dropped else ())


@numba.njit(cache=True, nogil=True)
def _parts(content: Any, start: int, size: int, count: int, offsets: Any) -> Any:
    """Of each row: place (n, 3), quaternion at length 1 (n, 4), colour (n, 3), and what the
    exponential is taken of (n, 4): less the opacity's logit, and the scales' logarithms. Whether it
    has no NaN and a finite place (n,); whether quaternion and colour can be drawn (n,)."""
    places, turns = np.empty((count, 3), np.float32), np.empty((count, 4), np.float32)
    colors, powers = np.empty((count, 3), np.float32), np.empty((count, 4), np.float32)
    whole, sound = np.empty(count, np.bool_), np.empty(count, np.bool_)
    words = np.empty(14, np.uint32)
    row = words.view(np.float32)
    for i in range(count):
        source = content[start + i * size : start + (i + 1) * size]
        for k in range(14):
            at = offsets[k]
            low = np.uint32(source[at]) | np.uint32(source[at + np.uint64(1)]) << np.uint32(8)
            high = np.uint32(source[at + np.uint64(2)]) << np.uint32(16)
            words[k] = low | high | np.uint32(source[at + np.uint64(3)]) << np.uint32(24)
        ok = True
        for k in range(14):
            ok &= row[k] == row[k]  # false for NaN
        for axis in range(3):
            places[i, axis] = row[axis]
            ok &= abs(row[axis]) < np.inf
        whole[i] = ok
        square = row[10] * row[10] + row[11] * row[11] + row[12] * row[12] + row[13] * row[13]
        length = np.sqrt(square)
        ok = length > 1e-12 and length < 1e12
        for axis in range(4):
            turns[i, axis] = row[10 + axis] / length if ok else np.float32(0)
        for axis in range(3):
            colors[i, axis] = np.float32(0.5) + np.float32(HARMONIC) * row[3 + axis]
            ok &= abs(colors[i, axis]) < np.inf
            powers[i, 1 + axis] = row[7 + axis]
        powers[i, 0] = -row[6]  # for the sigmoid: 1 / (1 + exp(-logit))
        sound[i] = ok
    return places, turns, colors, powers, whole, sound


@numba.njit(cache=True, nogil=True)
def _move(places: Any) -> float:
    """Move the places (n, 3) so that their mean is the origin. The largest side of their box."""
    middle = np.zeros(3)
    for i in range(len(places)):
        for axis in range(3):
            middle[axis] += places[i, axis]
    middle /= len(places)
    least, most = np.full(3, np.float32(np.inf)), np.full(3, np.float32(-np.inf))
    for i in range(len(places)):
        for axis in range(3):
            place = np.float32(places[i, axis] - middle[axis])
            places[i, axis] = place
            least[axis] = min(least[axis], place)
            most[axis] = max(most[axis], place)
    return float((most - least).max())


@numba.njit(cache=True, nogil=True)
def _finish(places: Any, exponentials: Any, sound: Any, factor: Any) -> Any:
    """Scales (n, 3) and opacities (n,). The places are made to fit, and `sound` becomes false where
    a scale is beyond measure."""
    scales = np.empty((len(places), 3), np.float32)
    opacities = np.empty(len(places), np.float32)
    for i in range(len(places)):
        opacities[i] = np.float32(1) / (np.float32(1) + exponentials[i, 0])
        for axis in range(3):
            places[i, axis] *= factor
            scales[i, axis] = exponentials[i, 1 + axis] * factor
            sound[i] &= scales[i, axis] < 1e6  # false for infinity and NaN as well
    return scales, opacities


def _check_layout(vertices: Element) -> None:
    names = {each.name for each in vertices.properties}
    for name in NAMES:
        if name not in names:
            other = _other_layout(names)
            raise Refused(f"the PLY has no property {name!r}: it must hold Gaussian splats{other}")


def _other_layout(names: set[str]) -> str:
    """What the file seems to hold instead."""
    if "packed_position" in names:
        return ", and these are compressed: export them uncompressed"
    if "scale_1" in names and "scale_2" not in names:
        return ", and these are of 2DGS, flat ones"
    if not any(name.startswith("f_dc_") for name in names):
        return ", and this is a point cloud or a mesh"
    return ""


def _binary(header: Header, data: memoryview) -> _Rows:
    start = header.start
    for element in header.before:
        start = _after(element, header, data, start)
    row = np.dtype(
        [(each.name, f"{header.order}{each.kind}") for each in header.vertices.properties]
    )
    count = header.vertices.rows
    if count * row.itemsize > len(data) - start:
        whole = f"{count:,} Gaussians take {count * row.itemsize:,} bytes"
        raise Refused(f"the file is cut short: {whole}")
    if all(row[name] == "<f4" for name in NAMES):
        fields: Any = row.fields
        offsets = np.array([fields[name][1] for name in NAMES], np.uint64)
        return _Rows(_bytes(data), start, row.itemsize, count, offsets)
    rows = np.frombuffer(data, row, count, start)
    return _converted([rows[name] for name in NAMES])


def _converted(columns: list[Any]) -> _Rows:
    """Columns of any type, by NAMES."""
    values = np.empty((len(columns[0]), len(NAMES)), "<f4")
    with np.errstate(over="ignore", invalid="ignore"):
        for place, column in enumerate(columns):
            values[:, place] = column
    offsets = np.arange(0, values.strides[0], 4, dtype=np.uint64)
    return _Rows(_bytes(values.data.cast("B")), 0, values.strides[0], len(values), offsets)


def _bytes(data: memoryview) -> NDArray[np.uint8]:
    content = np.frombuffer(data, np.uint8)
    content.flags.writeable = False  # so that one compiled version serves every buffer
    return content


def _after(element: Element, header: Header, data: memoryview, start: int) -> int:
    """Where the rows of an element end that begin at `start`."""
    name = element.name[:80]
    lists = [each.count for each in element.properties if each.count is not None]
    if any(kind.startswith("f") for kind in lists):
        raise Refused(f"the PLY's {name!r} have lists of fractional length")
    sizes = [np.dtype(each.count or each.kind).itemsize for each in element.properties]
    if lists:
        items = [np.dtype(each.kind).itemsize if each.count else 0 for each in element.properties]
        shape = np.array([sizes, items], np.int64)
        end = int(_walked(_bytes(data), start, element.rows, shape, header.order == "<"))
    else:
        end = start + element.rows * sum(sizes)
    if end > len(data):
        raise Refused(f"the file is cut short: its {name!r} go on beyond its end")
    return end


@numba.njit(cache=True, nogil=True)
def _walked(content: Any, start: int, rows: int, shape: Any, little: bool) -> int:
    """Where rows end that hold lists. `shape` (2, properties): the bytes of a number or of a list's
    length; those of each of a list's numbers, or 0. Beyond the content's end if that is too
    short."""
    at = start
    for _ in range(rows):
        for k in range(shape.shape[1]):
            size = shape[0, k]
            if at + size > len(content):
                return len(content) + 1
            if shape[1, k]:
                length = 0
                for byte in range(size):
                    length = length << 8 | content[at + (size - 1 - byte if little else byte)]
                at += length * shape[1, k]
            at += size
    return at


def _text(header: Header, data: memoryview) -> _Rows:
    """Numbers in text. Elements before the vertices have a line a row."""
    content = _bytes(data)
    start = after_lines(content, header.start, sum(element.rows for element in header.before))
    names = [each.name for each in header.vertices.properties]
    table = numbers(content, start, header.vertices.rows * len(names)).reshape(-1, len(names))
    return _converted([table[:, names.index(name)] for name in NAMES])
