"""Meshes drawn with OpenGL (EGL, no window): one context and one set of targets for all files."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import moderngl
import numpy as np

from gpu import shaders
from gpu.mesh import Material, Model, Texture
from gpu.reduce import halve
from gpu.views import AZIMUTHS, FIELD_OF_VIEW, SIDE, Matrix, Picture, eye, world_to_camera

DISTANCE = 2.0
LARGE = 2 * SIDE  # drawn at twice the size, and reduced
SAMPLES = 4
AMBIENT = 0.3
INTENSITY = 6.0
LIGHT = np.array([1.0, 1.0, 0.0])  # from the camera, along the world's axes
NEAR = 0.05
_NO_WINDOW: dict[str, Any] = {"backend": "egl"}
_MIRRORED = 33648
_CLAMPED = 33071
_BARE = Material(base_color=(1, 1, 1, 1))  # with colours of vertices, and no material


class MeshDrawing:
    """What draws meshes. One at a time; whatever was drawn before leaves no trace."""

    def __init__(self, samples: int = SAMPLES) -> None:
        self._gl = moderngl.create_context(require=330, standalone=True, **_NO_WINDOW)
        self._programs: dict[tuple[str, ...], moderngl.Program] = {}
        size = (LARGE, LARGE)
        self._target = self._gl.framebuffer(
            self._gl.renderbuffer(size, 4, samples=samples), self._gl.depth_renderbuffer(size, samples=samples)
        )
        self._plain = self._gl.framebuffer(self._gl.renderbuffer(size, 4)) if samples else self._target

    @property
    def device(self) -> str:
        """What draws, in the driver's words."""
        return str(self._gl.info["GL_RENDERER"])

    def draw(self, model: Model) -> list[Picture]:
        """The four views of a mesh, each (518, 518, 3)."""
        material = model.material or (Material() if model.colors is None else _BARE)
        with self._uploaded(model, material) as array:
            return [self._view(array, material, azimuth) for azimuth in AZIMUTHS]

    def _view(self, array: moderngl.VertexArray, material: Material, azimuth: float) -> Picture:
        at = eye(azimuth, DISTANCE)
        program = array.program
        _set(program, "projection", (_perspective() @ world_to_camera(at)).T.astype("f4").tobytes())
        _set(program, "eye", at.astype("f4").tobytes())
        toward = at + LIGHT
        _set(program, "light", (toward / np.linalg.norm(toward)).astype("f4").tobytes())
        self._target.use()
        self._target.clear(1, 1, 1, 1)
        self._gl.enable_only(moderngl.DEPTH_TEST)
        if not material.double_sided:
            self._gl.enable(moderngl.CULL_FACE)
        if material.alpha_mode == "BLEND":
            self._gl.enable(moderngl.BLEND)
            self._gl.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        array.render(moderngl.TRIANGLES)
        if self._plain is not self._target:
            self._gl.copy_framebuffer(self._plain, self._target)
        pixels = np.frombuffer(self._plain.read(components=4), np.uint8).reshape(LARGE, LARGE, 4)
        return halve(pixels)

    @contextmanager
    def _uploaded(self, model: Model, material: Material) -> Iterator[moderngl.VertexArray]:
        """The model in the driver's memory, and the program that draws it; gone again afterwards."""
        sets, places = _coordinate_sets(model.textures)
        program = self._program(model, material, places, len(sets))
        held: list[Any] = []
        try:
            parts = [("3f", "position", model.positions), ("3f", "normal", model.normals)]
            parts += [("2f", f"coordinates_{number}", values) for number, values in enumerate(sets)]
            if model.colors is not None:
                parts.append(("4f", "color", model.colors))
            content = []
            for form, name, values in parts:
                held.append(self._gl.buffer(values))
                content.append((held[-1], form, name))
            index = self._gl.buffer(model.triangles)
            held.append(index)
            for unit, (slot, texture) in enumerate(model.textures.items()):
                held.append(self._texture(texture))
                held[-1].use(unit)
                _set(program, f"{slot}_picture", unit)
            _factors(program, material)
            array = self._gl.vertex_array(program, content, index, index_element_size=4)
            held.append(array)
            yield array
        finally:
            for part in held:
                part.release()

    def _texture(self, texture: Texture) -> moderngl.Texture:
        picture, sampler = texture.picture, texture.sampler
        if sampler.wrapS == _MIRRORED:
            picture = np.concatenate([picture, picture[:, ::-1]], axis=1)
        if sampler.wrapT == _MIRRORED:
            picture = np.concatenate([picture, picture[::-1]], axis=0)
        height, width, _ = picture.shape
        uploaded = self._gl.texture((width, height), 4, np.ascontiguousarray(picture))
        uploaded.repeat_x = sampler.wrapS != _CLAMPED
        uploaded.repeat_y = sampler.wrapT != _CLAMPED
        if sampler.minFilter > moderngl.LINEAR:
            uploaded.build_mipmaps()
        uploaded.filter = sampler.minFilter, sampler.magFilter
        return uploaded

    def _program(self, model: Model, material: Material, places: dict[str, int], sets: int) -> moderngl.Program:
        defines = [f"COORDINATES {sets}"] + [f"{slot.upper()} uv_{number}" for slot, number in places.items()]
        defines += ["COLORS"] if model.colors is not None else []
        defines += ["MATERIAL"] if model.material is not None else []
        defines += [material.alpha_mode] if material.alpha_mode != "OPAQUE" else []
        key = tuple(defines)
        if key not in self._programs:
            head = "#version 330 core\n" + "".join(f"#define {define}\n" for define in defines)
            vertex, fragment = (
                text.strip().replace("#version 330 core\n", head) for text in (shaders.VERTEX, shaders.FRAGMENT)
            )
            self._programs[key] = self._gl.program(vertex_shader=vertex, fragment_shader=fragment)
        return self._programs[key]


def _coordinate_sets(textures: dict[str, Texture]) -> tuple[list[Any], dict[str, int]]:
    """The different coordinates that textures are looked up with, and by slot which of them."""
    sets: list[Any] = []
    places = {}
    for slot, texture in textures.items():
        mirrored = np.array([texture.sampler.wrapS == _MIRRORED, texture.sampler.wrapT == _MIRRORED])
        values = np.ascontiguousarray(texture.coordinates * np.where(mirrored, 0.5, 1).astype(np.float32))
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
    ):
        _set(program, name, getattr(material, name))
    _set(program, "intensity", INTENSITY)
    _set(program, "ambient", AMBIENT)


def _set(program: moderngl.Program, name: str, value: Any) -> None:
    uniform = program.get(name, None)  # the driver leaves out what a program has no use for
    if isinstance(uniform, moderngl.Uniform):
        if isinstance(value, bytes):
            uniform.write(value)
        else:
            uniform.value = value


def _perspective() -> Matrix:
    """A projection without a far plane; the target's rows are read from the top, so up is turned down."""
    focal = 1 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    matrix = np.zeros((4, 4))
    matrix[0, 0], matrix[1, 1] = focal, focal
    matrix[2, 2], matrix[2, 3], matrix[3, 2] = -1, -2 * NEAR, -1
    return matrix
