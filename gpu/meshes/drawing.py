"""Meshes drawn with OpenGL (EGL, no window): one context and one set of targets for all files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import moderngl
import numba
import numpy as np
from numpy.typing import NDArray

from gpu.meshes import shaders
from gpu.meshes.gltf import Sampler
from gpu.meshes.mesh import Material, Model, Texture
from gpu.meshes.posing import Floats
from gpu.meshes.reduce import Box, halve
from gpu.picture_size import SIDE
from gpu.views import AZIMUTHS, FIELD_OF_VIEW, Matrix, Picture, eye, world_to_camera

# Camera and light: interfaces.md, Render service.
DISTANCE = 2.0
LARGE = 2 * SIDE  # pixels of the side that is drawn; `halve` brings it to SIDE
SAMPLES = 4  # a pixel, for edges
AMBIENT = 0.3
INTENSITY = 6.0
LIGHT = np.array([1.0, 1.0, 0.0])  # from the camera, along the world's axes
NEAR = 0.05  # units before the eye; what is nearer isn't drawn
_NO_WINDOW: dict[str, Any] = {"backend": "egl"}
_MIRRORED = 33648  # GL_MIRRORED_REPEAT
_CLAMPED = 33071  # GL_CLAMP_TO_EDGE
_SRGB = (
    0x8C43  # GL_SRGB8_ALPHA8: texels are taken from sRGB before they are filtered, as glTF wants
)
_OPAQUE = 254.5 / 255  # alpha that 8 bits round to 255
_BARE = Material(base_color=(1, 1, 1, 1))  # with colours of vertices, and no material


class _Target:
    """Where a view is drawn, at twice its size, with `samples` a pixel (0: one, in its middle)."""

    def __init__(self, gl: moderngl.Context, samples: int) -> None:
        self._gl = gl
        square = (LARGE, LARGE)
        self._drawn = gl.framebuffer(
            gl.renderbuffer(square, 4, samples=samples),
            gl.depth_renderbuffer(square, samples=samples),
        )
        self._plain = gl.framebuffer(gl.renderbuffer(square, 4)) if samples else self._drawn

    def begin(self, box: Box) -> None:
        """Have `box` white, and what is drawn from now on drawn there."""
        left, top, right, bottom = box
        self._drawn.scissor = (
            left,
            LARGE - bottom,
            right - left,
            bottom - top,
        )  # GL counts rows from the bottom
        self._drawn.use()
        self._drawn.clear(1, 1, 1, 1)

    def write_depth(self, on: bool) -> None:
        """Whether what is drawn hides what is drawn behind it later."""
        self._drawn.depth_mask = on

    def picture(self, box: Box) -> Picture:
        """What was drawn, (1036, 1036, 4): white outside of `box`."""
        left, top, right, bottom = box
        if self._plain is not self._drawn:
            self._gl.copy_framebuffer(self._plain, self._drawn)
        pixels = self._plain.read(self._drawn.scissor, components=4)
        picture = np.full((LARGE, LARGE, 4), 255, np.uint8)
        picture[top:bottom, left:right] = np.frombuffer(pixels, np.uint8).reshape(
            bottom - top, right - left, 4
        )[::-1]
        return picture


class MeshDrawing:
    """What draws meshes. One at a time; whatever was drawn before leaves no trace."""

    def __init__(self) -> None:
        # Mesa's processor driver filters plain textures in 8 bits unless told not to; a GPU never
        # does.
        os.environ.setdefault("GALLIVM_PERF", "no_aos_sampling")
        self._gl = moderngl.create_context(require=330, standalone=True, **_NO_WINDOW)
        self._programs: dict[tuple[str, ...], moderngl.Program] = {}
        self._faithful = _Target(self._gl, SAMPLES)
        self._draft = _Target(self._gl, 0)

    @property
    def device(self) -> str:
        """What draws, in the driver's words."""
        return str(self._gl.info["GL_RENDERER"])

    def draw(self, model: Model, *, draft: bool = False) -> list[Picture]:
        """The four views of a mesh, each (518, 518, 3).

        A draft takes half the time: without samples for edges, it differs from the faithful picture
        at 40 dB or more.
        """
        material = model.material or (Material() if model.colors is None else _BARE)
        target = self._draft if draft else self._faithful
        with self._uploaded(model, material) as array:
            self._gl.enable_only(moderngl.DEPTH_TEST)
            if not material.double_sided:
                self._gl.enable(moderngl.CULL_FACE)
            views = [self._view(array, model, target, azimuth)[..., :3] for azimuth in AZIMUTHS]
            if self._gl.error == "GL_OUT_OF_MEMORY":  # drawn as black, otherwise
                raise MemoryError
            return views

    def _view(
        self, array: moderngl.VertexArray, model: Model, target: _Target, azimuth: float
    ) -> Picture:
        at = eye(azimuth, DISTANCE)
        transform = _perspective() @ world_to_camera(at)
        toward = at + LIGHT
        _set(array.program, "projection", transform.T.astype("f4").tobytes())
        _set(array.program, "eye", at.astype("f4").tobytes())
        _set(array.program, "light", (toward / np.linalg.norm(toward)).astype("f4").tobytes())
        box = _box(model.positions, transform)
        target.begin(box)
        if model.material and model.material.alpha_mode == "BLEND":
            self._blend(array, model, target, at)
        else:
            array.render(moderngl.TRIANGLES)
        return halve(target.picture(box), box)

    def _blend(
        self, array: moderngl.VertexArray, model: Model, target: _Target, at: Matrix
    ) -> None:
        """Draw what is opaque, and then over it, from back to front, what is translucent."""
        _set(array.program, "alphas", (_OPAQUE, 2.0))  # from, and to less than; no alpha reaches 2
        array.render(moderngl.TRIANGLES)
        _set(array.program, "alphas", (-1.0, _OPAQUE))
        array.index_buffer.write(
            model.triangles[from_back_to_front(model.positions, model.triangles, at)]
        )
        target.write_depth(False)
        self._gl.enable(moderngl.BLEND)
        self._gl.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        array.render(moderngl.TRIANGLES)
        self._gl.disable(moderngl.BLEND)
        target.write_depth(True)

    @contextmanager
    def _uploaded(self, model: Model, material: Material) -> Iterator[moderngl.VertexArray]:
        """The model in the driver's memory, and the program that draws it; gone again
        afterwards.
        """
        textures, within = (
            (model.textures, False) if material.specular else _with_occlusion_within(model.textures)
        )
        sets, places = _coordinate_sets(textures)
        defines = [f"COORDINATES {len(sets)}"] + [
            f"{slot.upper()} uv_{number}" for slot, number in places.items()
        ]
        defines += ["OCCLUSION_WITHIN"] if within else []
        program = self._program(model, material, defines)
        held: list[Any] = []
        try:
            parts = [("3f", "position", model.positions), ("3f", "normal", model.normals)]
            parts += [("2f", f"coordinates_{number}", values) for number, values in enumerate(sets)]
            if model.colors is not None:
                parts.append(("4f", "color", model.colors))
            if model.tangents is not None:
                parts.append(("4f", "tangent", model.tangents))
            content = []
            for form, name, values in parts:
                if name not in program:  # the driver leaves out what a program has no use for
                    continue
                held.append(self._gl.buffer(values))
                content.append((held[-1], form, name))
            index = self._gl.buffer(model.triangles)
            held.append(index)
            units: dict[tuple[int, Sampler, bool], int] = {}
            for slot, texture in textures.items():
                colors = slot in ("base_color", "emissive") or (
                    slot == "metallic_roughness" and material.specular
                )
                same = id(texture.picture), texture.sampler, bool(colors)
                if same not in units:
                    units[same] = len(units)
                    held.append(self._texture(texture, srgb=bool(colors)))
                    held[-1].use(units[same])
                _set(program, f"{slot}_picture", units[same])
            _factors(program, material)
            array = self._gl.vertex_array(program, content, index, index_element_size=4)
            held.append(array)
            yield array
        finally:
            for part in held:
                part.release()

    def _texture(self, texture: Texture, *, srgb: bool) -> moderngl.Texture:
        picture, sampler = texture.picture, texture.sampler
        # Picture and mirror image side by side, and repeated; `_coordinate_sets` halves the
        # coordinates.
        if sampler.wrapS == _MIRRORED:
            picture = np.concatenate([picture, picture[:, ::-1]], axis=1)
        if sampler.wrapT == _MIRRORED:
            picture = np.concatenate([picture, picture[::-1]], axis=0)
        height, width, _ = picture.shape
        stored: dict[str, Any] = {"internal_format": _SRGB} if srgb else {}
        uploaded = self._gl.texture((width, height), 4, np.ascontiguousarray(picture), **stored)
        uploaded.repeat_x = sampler.wrapS != _CLAMPED
        uploaded.repeat_y = sampler.wrapT != _CLAMPED
        if sampler.minFilter > moderngl.LINEAR:  # the filters that take mipmaps have greater codes
            uploaded.build_mipmaps()
        uploaded.filter = sampler.minFilter, sampler.magFilter
        return uploaded

    def _program(self, model: Model, material: Material, defines: list[str]) -> moderngl.Program:
        defines += ["COLORS"] if model.colors is not None else []
        defines += ["MATERIAL"] if model.material is not None else []
        defines += ["TANGENTS"] if model.tangents is not None else []
        defines += ["DOUBLE_SIDED"] if material.double_sided else []
        defines += ["UNLIT"] if material.unlit else []
        defines += ["SPECULAR_GLOSSINESS"] if material.specular else []
        defines += [material.alpha_mode] if material.alpha_mode != "OPAQUE" else []
        key = tuple(defines)
        if key not in self._programs:
            head = "#version 330 core\n" + "".join(f"#define {define}\n" for define in defines)
            vertex, fragment = (
                text.strip().replace("#version 330 core\n", head)
                for text in (shaders.VERTEX, shaders.FRAGMENT)
            )
            self._programs[key] = self._gl.program(vertex_shader=vertex, fragment_shader=fragment)
        return self._programs[key]


def _with_occlusion_within(textures: dict[str, Texture]) -> tuple[dict[str, Texture], bool]:
    """The occlusion, one channel, put where metallic-roughness has a channel free, if they are
    looked up alike: a texture less to look up. Whether it was."""
    rough, occlusion = textures.get("metallic_roughness"), textures.get("occlusion")
    alike = (
        rough
        and occlusion
        and rough.picture.shape == occlusion.picture.shape
        and rough.sampler == occlusion.sampler
    )
    if not (
        rough and occlusion and alike and np.array_equal(rough.coordinates, occlusion.coordinates)
    ):
        return textures, False
    picture = rough.picture
    if picture is not occlusion.picture:
        picture = picture.copy()
        picture[..., 0] = occlusion.picture[..., 0]
    rest = {slot: texture for slot, texture in textures.items() if slot != "occlusion"}
    return rest | {"metallic_roughness": replace(rough, picture=picture)}, True


def _coordinate_sets(textures: dict[str, Texture]) -> tuple[list[Any], dict[str, int]]:
    """The different coordinates that textures are looked up with, and by slot which of them."""
    sets: list[Any] = []
    places = {}
    for slot, texture in textures.items():
        mirrored = np.array(
            [texture.sampler.wrapS == _MIRRORED, texture.sampler.wrapT == _MIRRORED]
        )
        values = np.ascontiguousarray(
            texture.coordinates * np.where(mirrored, 0.5, 1).astype(np.float32)
        )
        same = (number for number, known in enumerate(sets) if np.array_equal(known, values))
        places[slot] = next(same, len(sets))
        if places[slot] == len(sets):
            sets.append(values)
    return sets, places


def _factors(program: moderngl.Program, material: Material) -> None:
    for name in (
        "base_color",
        "metallic",
        "roughness",
        "emissive",
        "normal_scale",
        "occlusion_strength",
        "alpha_cutoff",
        "emissive_strength",
    ):
        _set(program, name, getattr(material, name))
    _set(program, "specular_factor", material.specular or (0, 0, 0))
    _set(program, "intensity", INTENSITY)
    _set(program, "ambient", AMBIENT)


def _set(program: moderngl.Program, name: str, value: Any) -> None:
    uniform = program.get(name, None)  # None, too, if the driver left it out
    if isinstance(uniform, moderngl.Uniform):
        if isinstance(value, bytes):
            uniform.write(value)
        else:
            uniform.value = value


def _box(positions: Floats, transform: Matrix) -> Box:
    """The part of the large picture that a mesh can touch."""
    left, top, right, bottom = _extent(positions, transform)
    scale = LARGE / 2
    return (
        max(int((left + 1) * scale) - 2, 0),
        max(int((top + 1) * scale) - 2, 0),
        min(int((right + 1) * scale) + 3, LARGE),
        min(int((bottom + 1) * scale) + 3, LARGE),
    )


def from_back_to_front(
    positions: Floats, triangles: NDArray[np.uint32], at: Matrix
) -> NDArray[np.int64]:
    """The order of triangles in which the one whose middle is furthest along the view from `at`
    comes first.
    """
    depths = (positions @ (-at / np.linalg.norm(at)).astype(np.float32))[triangles].sum(axis=1)
    nearest, furthest = depths.min(), depths.max()
    steps = (furthest - depths) * (
        65_535 / max(furthest - nearest, 1e-9)
    )  # of 16 bits, which numpy sorts by radix
    return np.argsort(steps.astype(np.uint16), kind="stable")


@numba.njit(cache=True)
def _extent(positions: Any, transform: Any) -> Any:
    """Left, top, right and bottom of all vertices on the screen, from -1 to 1; all of it if one is
    beside the eye.
    """
    m = transform
    left, top, right, bottom = 1.0, 1.0, -1.0, -1.0
    for i in range(len(positions)):
        x, y, z = (
            np.float64(positions[i, 0]),
            np.float64(positions[i, 1]),
            np.float64(positions[i, 2]),
        )
        away = m[3, 0] * x + m[3, 1] * y + m[3, 2] * z + m[3, 3]
        if away < NEAR:
            return -1.0, -1.0, 1.0, 1.0
        across = (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]) / away
        down = -(m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]) / away
        left, right = min(left, across), max(right, across)
        top, bottom = min(top, down), max(bottom, down)
    return max(left, -1.0), max(top, -1.0), min(right, 1.0), min(bottom, 1.0)


def _perspective() -> Matrix:
    """A projection without a far plane."""
    focal = 1 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    matrix = np.zeros((4, 4))
    matrix[0, 0], matrix[1, 1] = focal, focal
    matrix[2, 2], matrix[2, 3], matrix[3, 2] = -1, -2 * NEAR, -1
    return matrix
