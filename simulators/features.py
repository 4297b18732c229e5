"""A GLB for each feature of glTF that decides how a mesh is drawn: an open shell that shows its
outside and its inside.

Its base is plain, and each file changes one thing. `bench.threejs` and the golden pictures draw
them all.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from simulators.feature_parts import (
    CLAMP,
    LINEAR,
    MIRROR,
    NEAREST,
    Values,
    bumped,
    bumps,
    colored,
    file,
    material,
    png,
    sampler,
    shell,
    textured,
    tiles,
)


@dataclass(frozen=True)
class Feature:
    """A file, the one that three.js is given in its place (mostly the same), and why we mean to
    differ, if we do.
    """

    file: bytes
    reference: bytes
    departure: str | None = None


def scalars() -> Iterator[tuple[str, bytes]]:
    """Factors, without textures."""
    yield "plain", file(**material())
    yield "base colour factor", file(**material({"baseColorFactor": [0.8, 0.3, 0.05, 1]}))
    yield (
        "metal",
        file(
            **material(
                {
                    "baseColorFactor": [0.4, 0.25, 0.1, 1],
                    "metallicFactor": 1,
                    "roughnessFactor": 0.35,
                }
            )
        ),
    )
    yield "half metal, smooth", file(**material({"metallicFactor": 0.5, "roughnessFactor": 0.2}))
    yield (
        "emissive factor of one",
        file(**material({"baseColorFactor": [0.1, 0.1, 0.1, 1]}, emissiveFactor=[0, 1, 0])),
    )
    strength = {"extensions": {"KHR_materials_emissive_strength": {"emissiveStrength": 3}}}
    dark = {"baseColorFactor": [0.02, 0.02, 0.02, 1]}
    glow = {"emissiveTexture": {"index": 0}, "emissiveFactor": [1, 1, 1], **strength}
    yield "emissive strength", file(pictures=(png(tiles() // 3),), **material(dark, **glow))
    yield (
        "unlit",
        textured(factors={"baseColorFactor": [1, 1, 1, 1]}, extensions={"KHR_materials_unlit": {}}),
    )
    yield (
        "double-sided",
        file(**material({"baseColorFactor": [0.2, 0.5, 0.8, 1]}, doubleSided=True)),
    )
    yield "mirrored node", textured(node={"scale": [-1, 1, 1]}, doubleSided=True)
    yield (
        "node of three scales",
        textured(node={"scale": [1, 0.5, 0.8], "rotation": [0, 0, 0.3826834, 0.9238795]}),
    )


def bumps_and_references() -> Iterator[tuple[str, bytes, bytes]]:
    """Normal maps. What the derivatives make of one without tangents is compared with what three.js
    makes of it with tangents: glTF wants MikkTSpace's, and three.js's own derivatives are only near
    to them (43 dB)."""
    mirrored = {"TEXCOORD_0": (shell()["TEXCOORD_0"] * (-1, 1)).astype("<f4")}
    turned = {"TANGENT": (shell()["TANGENT"] * (-1, -1, -1, -1)).astype("<f4")}
    moved = {"extensions": {"KHR_texture_transform": {"offset": [0.3, 0.1], "scale": [0.7, 2]}}}
    yield "normal texture with tangents", bumped(tangents=True), bumped(tangents=True)
    yield "normal texture", bumped(), bumped(tangents=True)
    yield "normal scale", bumped({"scale": 0.4}), bumped({"scale": 0.4}, tangents=True)
    yield "negative normal scale", bumped({"scale": -1.2}), bumped({"scale": -1.2}, tangents=True)
    yield (
        "normal texture, mirrored",
        bumped(values=mirrored),
        bumped(values=mirrored | turned, tangents=True),
    )
    yield "normal texture, transformed", bumped(moved), bumped(moved, tangents=True)
    yield (
        "normal texture, double-sided",
        bumped(doubleSided=True),
        bumped(tangents=True, doubleSided=True),
    )
    yield "all five textures", five_textures(tangents=False), five_textures(tangents=True)


def five_textures(*, tangents: bool) -> bytes:
    """The shell with a texture in every slot."""
    metals = {
        "baseColorTexture": {"index": 0},
        "metallicRoughnessTexture": {"index": 1},
        "metallicFactor": 0.8,
    }
    slots = {
        "normalTexture": {"index": 2},
        "occlusionTexture": {"index": 1},
        "emissiveTexture": {"index": 3},
    }
    pictures = (png(tiles()), png(tiles()[::-1]), png(bumps()), png(tiles()[:, ::-1] // 4))
    attributes = ("POSITION", "NORMAL", "TEXCOORD_0") + (("TANGENT",) if tangents else ())
    made = material(metals, **slots, emissiveFactor=[1, 1, 1])
    return file(attributes=attributes, pictures=pictures, **made)


def maps() -> Iterator[tuple[str, bytes]]:
    """Textures in each slot."""
    yield "base colour texture", textured()
    yield (
        "base colour texture and factor",
        textured(factors={"baseColorFactor": [0.5, 0.2, 0.4, 1]}),
    )
    rough = {
        "metallicRoughnessTexture": {"index": 0},
        "metallicFactor": 0.8,
        "roughnessFactor": 0.9,
    }
    yield "metallic-roughness texture", file(pictures=(png(tiles()),), **material(rough))
    occluded = {"occlusionTexture": {"index": 0}}
    yield "occlusion texture", file(pictures=(png(tiles()),), **material(**occluded))
    faint = {"occlusionTexture": {"index": 0, "strength": 0.4}}
    yield "occlusion strength", file(pictures=(png(tiles()),), **material(**faint))
    yield (
        "occlusion beside roughness",
        file(pictures=(png(tiles()),), **material(rough, **occluded)),
    )
    glow = {"emissiveTexture": {"index": 0}, "emissiveFactor": [1, 1, 1]}
    yield (
        "emissive texture",
        file(pictures=(png(tiles()),), **material({"baseColorFactor": [0.1, 0.1, 0.1, 1]}, **glow)),
    )


def lookups() -> Iterator[tuple[str, bytes]]:
    """How textures are looked up."""
    both = ("POSITION", "NORMAL", "TEXCOORD_0", "TEXCOORD_1")
    yield "second coordinates", textured(info={"texCoord": 1}, attributes=both)
    moves: dict[str, dict[str, Any]] = {
        "offset": {"offset": [0.3, 0.1]}, "rotation": {"rotation": 0.6},
        "scale": {"scale": [0.5, 2]},
        "all": {"offset": [0.3, 0.1], "rotation": -0.4, "scale": [1.5, 0.5]},
        "coordinates": {"texCoord": 1},
    }  # fmt: skip
    for name, move in moves.items():
        yield (
            f"texture transform: {name}",
            textured(info={"extensions": {"KHR_texture_transform": move}}, attributes=both),
        )
    for name, wrap in {"clamped": CLAMP, "mirrored": MIRROR}.items():
        yield f"wrap: {name}", textured(**sampler(wrapS=wrap, wrapT=wrap))
    yield "wrap: one of each", textured(**sampler(wrapS=CLAMP, wrapT=MIRROR))
    fine = tiles(512)
    yield "filters: none said", textured(fine)
    yield "magnified, nearest", textured(tiles(8), **sampler(magFilter=NEAREST, minFilter=LINEAR))
    yield "magnified, linear", textured(tiles(8), **sampler(magFilter=LINEAR, minFilter=LINEAR))
    names = (
        "nearest",
        "linear",
        "nearest of nearest",
        "linear of nearest",
        "nearest of linear",
        "linear of linear",
    )
    close = {"extensions": {"KHR_texture_transform": {"scale": [6, 6]}}}
    for name, number in zip(names, (NEAREST, LINEAR, 9984, 9985, 9986, 9987), strict=True):
        yield (
            f"minified, {name}",
            textured(fine, close, **sampler(magFilter=LINEAR, minFilter=number)),
        )
    odd = np.asarray(Image.fromarray(fine).resize((300, 177), Image.Resampling.NEAREST))
    yield "sides that are no powers of two", textured(odd, close)


def alphas() -> Iterator[tuple[str, bytes]]:
    """Transparency."""
    clear = tiles(alpha=True)
    yield "alpha: opaque", textured(clear, alphaMode="OPAQUE")
    yield "alpha: mask", textured(clear, alphaMode="MASK")
    yield "alpha: mask, double-sided", textured(clear, alphaMode="MASK", doubleSided=True)
    yield "alpha: cutoff", textured(clear, alphaMode="MASK", alphaCutoff=0.8)
    yield "alpha: blend", textured(clear, alphaMode="BLEND")
    yield "alpha: blend, double-sided", textured(clear, alphaMode="BLEND", doubleSided=True)
    yield (
        "alpha: factor",
        file(
            **material(
                {"baseColorFactor": [0.9, 0.2, 0.2, 0.4]}, alphaMode="BLEND", doubleSided=True
            )
        ),
    )
    yield "alpha: of vertices", colored(alphaMode="BLEND")


def colors() -> Iterator[tuple[str, bytes]]:
    """Colours of vertices, and textures of every kind."""
    yield "colours of vertices", colored()
    yield "colours of vertices, factor", colored({"baseColorFactor": [0.5, 1, 0.5, 1]})
    attributes = ("POSITION", "NORMAL", "TEXCOORD_0", "COLOR_0")
    yield "colours of vertices, texture", textured(attributes=attributes)
    grey = Image.fromarray(tiles()).convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    indexed = Image.fromarray(tiles()[..., 0] // 16, "P")
    indexed.putpalette(np.random.default_rng(3).integers(0, 256, 48, np.uint8).tobytes())
    yield "picture: palette", textured(png(indexed))
    yield "picture: grey", textured(png(grey))
    yield (
        "picture: grey and alpha",
        textured(png(Image.fromarray(tiles(alpha=True)), "LA"), alphaMode="MASK"),
    )
    yield "picture: grey of 16 bits", textured(png(deep))


def glossy() -> bytes:
    """A specular-glossiness material; three.js has stopped reading them."""
    gloss = {
        "diffuseTexture": {"index": 0}, "diffuseFactor": [0.4, 0.5, 0.4, 1],
        "glossinessFactor": 0.6,
        "specularFactor": [0.9, 0.7, 0.3], "specularGlossinessTexture": {"index": 1},
    }  # fmt: skip
    pictures = (png(tiles()), png(tiles(alpha=True)[::-1]))
    return file(
        pictures=pictures,
        materials=[{"extensions": {"KHR_materials_pbrSpecularGlossiness": gloss}}],
    )


def departures() -> Iterator[tuple[str, bytes, str]]:
    """What is not drawn as three.js draws it, and why."""
    glow = material({"baseColorFactor": [0.1, 0.1, 0.1, 1]}, emissiveFactor=[0, 0.2, 0.5])
    yield "emissive factor between 0 and 1", file(**glow), "squared, as in the pictures to match"
    smooth = file(attributes=("POSITION",), **material())
    yield "no normals", smooth, "interfaces.md: smooth shading; glTF: flat"
    yield "no material", file(), "the present renderer's grey; glTF: a white metal"
    yield (
        "specular-glossiness",
        glossy(),
        "three.js has stopped reading it, and draws a white metal",
    )


def all_features() -> dict[str, Feature]:
    """The files by feature."""
    plain = [(name, Feature(made, made)) for group in GROUPS for name, made in group()]
    bumpy = [(name, Feature(made, reference)) for name, made, reference in bumps_and_references()]
    other = [(name, Feature(made, made, reason)) for name, made, reason in departures()]
    return dict(plain + bumpy + other)


GROUPS: tuple[Callable[[], Iterator[tuple[str, bytes]]], ...] = (
    scalars,
    maps,
    lookups,
    alphas,
    colors,
)


def golden(name: str) -> Path:
    """Where three.js's picture of a feature is kept."""
    return Path(__file__).parent / "threejs" / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.png"


def reduced(picture: Values) -> Values:
    """A grid to a sixth of its size, as it is kept."""
    return np.asarray(Image.fromarray(picture).convert("RGB").reduce(6))
