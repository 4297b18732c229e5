"""What the files of `simulators.features` are made of: the shell, its textures and materials."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu.workers.warmup import glb

Values = NDArray[Any]
AROUND, UP = 40, 20
NEAREST, LINEAR = 9728, 9729
CLAMP, MIRROR = 33071, 33648


def shell() -> dict[str, Values]:
    """A sphere without its top, and open on a side: its attributes, and its triangles, whose front
    is outside.
    """
    turn, rise = np.meshgrid(np.linspace(0, 1, AROUND + 1), np.linspace(0, 1, UP + 1))
    azimuth, polar = 1.4 * np.pi * turn.ravel(), np.pi * (0.2 + 0.75 * rise.ravel())
    out = np.stack(
        [np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)], axis=1
    )
    along = np.stack([np.cos(azimuth), 0 * azimuth, -np.sin(azimuth), 1 + 0 * azimuth], axis=1)
    first = (np.arange(UP)[:, None] * (AROUND + 1) + np.arange(AROUND)).ravel()
    below = first + AROUND + 1
    corners = np.concatenate(
        [np.stack([first, below, first + 1], 1), np.stack([first + 1, below, below + 1], 1)]
    )
    uv = np.stack([3 * turn.ravel(), 1.5 * rise.ravel()], axis=1)
    mix = 0.5 + 0.5 * np.stack(
        [np.sin(azimuth), np.sin(azimuth + 2), np.cos(3 * polar), np.sin(2 * azimuth)], axis=1
    )
    return {
        "POSITION": (0.5 * out + (0, 0.05, 0)).astype("<f4"),
        "NORMAL": out.astype("<f4"),
        "TANGENT": along.astype("<f4"),
        "TEXCOORD_0": uv.astype("<f4"),
        "TEXCOORD_1": (uv[:, ::-1] * (0.5, 2)).astype("<f4"),
        "COLOR_0": mix.astype("<f4"),
        "triangles": corners.astype("<u4"),
    }


def file(
    *,
    attributes: tuple[str, ...] = ("POSITION", "NORMAL", "TEXCOORD_0"),
    values: dict[str, Values] | None = None,
    pictures: tuple[bytes, ...] = (),
    **others: Any,
) -> bytes:
    """The shell with these attributes and textures; further words are the JSON's, or its node's."""
    values = shell() | (values or {})
    parts = [values[name] for name in attributes] + [values["triangles"].ravel()]
    accessors = [
        {
            "bufferView": number,
            "componentType": 5126 if part.dtype.kind == "f" else 5125,
            "count": len(part),
            "type": f"VEC{part.shape[1]}" if part.ndim == 2 else "SCALAR",
        }
        for number, part in enumerate(parts)
    ]
    accessors[0] |= {"min": parts[0].min(axis=0).tolist(), "max": parts[0].max(axis=0).tolist()}
    primitive: dict[str, Any] = {
        "attributes": {name: number for number, name in enumerate(attributes)},
        "indices": len(attributes),
    }
    if "materials" in others:
        primitive["material"] = 0
    node = {"mesh": 0} | others.pop("node", {})
    header: dict[str, Any] = {
        "meshes": [{"primitives": [primitive]}],
        "accessors": accessors,
        "nodes": [node],
    }
    if pictures:
        views = [
            {"bufferView": len(parts) + number, "mimeType": "image/png"}
            for number in range(len(pictures))
        ]
        sampler = {"sampler": 0} if "samplers" in others else {}
        header["images"] = views
        header["textures"] = [{"source": number} | sampler for number in range(len(pictures))]
    header |= others
    header["extensionsUsed"] = sorted(set(_extensions(header)))
    return glb(header, *(part.tobytes() for part in parts), *pictures)


def _extensions(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from part.get("extensions", {})
    for inner in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        yield from _extensions(inner)


def png(picture: Values | Image.Image, mode: str | None = None) -> bytes:
    """A PNG file, in another of PIL's modes if one is named."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    held = io.BytesIO()
    (image.convert(mode) if mode else image).save(held, "PNG")
    return held.getvalue()


def tiles(side: int = 64, *, alpha: bool = False) -> Values:
    """A picture (side, side, 3 or 4) of tiles, each of a colour of its own, no two edges alike."""
    random = np.random.default_rng(7)
    colors = random.integers(0, 256, (8, 8, 4 if alpha else 3), np.uint8)
    large: Values = np.kron(colors, np.ones((side // 8, side // 8, 1), np.uint8))
    large[: side // 8, : side // 2, :3] = (250, 240, 20)
    return large


def bumps(side: int = 64) -> Values:
    """A normal map of waves."""
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    slope = np.stack(
        [0.5 * np.cos(x * 6 * np.pi / side), 0.6 * np.sin(y * 4 * np.pi / side), 0 * x + 1.0],
        axis=-1,
    )
    unit = slope / np.linalg.norm(slope, axis=-1, keepdims=True)
    colors: Values = np.round(127.5 + 127.5 * unit).astype(np.uint8)
    return colors


def metal(**factors: Any) -> dict[str, Any]:
    """A material's metallic-roughness part: rough dark plastic, but for the factors given."""
    return {
        "baseColorFactor": [0.3, 0.35, 0.4, 1],
        "metallicFactor": 0.0,
        "roughnessFactor": 0.7,
        **factors,
    }


def material(factors: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The JSON's materials: one."""
    return {"materials": [{"pbrMetallicRoughness": metal(**(factors or {})), **more}]}


def textured(
    picture: Values | bytes | None = None,
    info: dict[str, Any] | None = None,
    *,
    factors: Any = None,
    **more: Any,
) -> bytes:
    """The shell with a base colour texture; `more` is the material's but for what `file` knows."""
    content = (
        picture if isinstance(picture, bytes) else png(tiles() if picture is None else picture)
    )
    of_file = {
        name: more.pop(name)
        for name in ("attributes", "values", "samplers", "node")
        if name in more
    }
    named = {"baseColorTexture": {"index": 0, **(info or {})}, **(factors or {})}
    return file(pictures=(content,), **of_file, **material(named, **more))


def sampler(**fields: int) -> dict[str, Any]:
    return {"samplers": [fields]}


def bumped(info: dict[str, Any] | None = None, *, tangents: bool = False, **more: Any) -> bytes:
    of_file = {name: more.pop(name) for name in ("values", "node") if name in more}
    attributes = ("POSITION", "NORMAL", "TEXCOORD_0") + (("TANGENT",) if tangents else ())
    made = material(normalTexture={"index": 0, **(info or {})}, **more)
    return file(attributes=attributes, pictures=(png(bumps()),), **of_file, **made)


def colored(factors: dict[str, Any] | None = None, **more: Any) -> bytes:
    """The shell with colours of vertices."""
    return file(attributes=("POSITION", "NORMAL", "COLOR_0"), **material(factors, **more))
