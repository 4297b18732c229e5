"""The present way to make a grid of a mesh, written afresh to compare with: pyrender, a scene and
an off-screen context for each request, 2x supersampling reduced with Lanczos by PIL, and PIL's
PNG."""

import io
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
if not hasattr(np, "infty"):  # pyrender's last release still says so
    np.infty = np.inf  # type: ignore[attr-defined]

SIDE, GAP = 518, 5
GL_LINEAR = 9729
TEXTURES = (
    "baseColorTexture",
    "metallicRoughnessTexture",
    "normalTexture",
    "occlusionTexture",
    "emissiveTexture",
)


def available() -> bool:
    """Whether pyrender is installed (extra `bench`), and works."""
    try:
        import pyrender  # type: ignore[import-not-found]  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def grid(path: Path) -> bytes:
    """The PNG of a file's four views."""
    import pyrender  # noqa: PLC0415
    import trimesh  # noqa: PLC0415

    (mesh,) = trimesh.load_scene(path).geometry.values()
    scene = pyrender.Scene(bg_color=[1.0, 1.0, 1.0, 1.0], ambient_light=[0.3, 0.3, 0.3])
    shown = pyrender.Mesh.from_trimesh(mesh, smooth=True)
    for primitive in shown.primitives:
        _settings(primitive.material)
    scene.add(shown)
    camera = scene.add(pyrender.PerspectiveCamera(yfov=np.radians(49.1), aspectRatio=1.0))
    light = scene.add(pyrender.DirectionalLight(color=np.ones(3), intensity=6.0))
    renderer = pyrender.OffscreenRenderer(2 * SIDE, 2 * SIDE)
    picture = np.zeros((2 * SIDE + GAP, 2 * SIDE + GAP, 3), np.uint8)
    try:
        for number, azimuth in enumerate((24, 120, 216, 312)):
            around, up = np.radians(azimuth), np.radians(15)
            eye = 2.0 * np.array(
                [np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)]
            )
            scene.set_pose(camera, _pose(eye))
            scene.set_pose(light, _pose(eye + np.array([1, 1, 0])))
            color, _ = renderer.render(scene)
            top, left = ((SIDE + GAP) * place for place in divmod(number, 2))
            view = Image.fromarray(color).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            picture[top : top + SIDE, left : left + SIDE] = np.asarray(view)
    finally:
        renderer.delete()
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def _settings(material: Any) -> None:
    """The present renderer's: backs are always culled, textures are filtered linearly, and have no
    mipmaps.
    """
    material.doubleSided = False
    for name in TEXTURES:
        texture = getattr(material, name, None)
        if texture is not None:
            texture.sampler.minFilter = texture.sampler.magFilter = GL_LINEAR


def _pose(eye: NDArray[np.float64]) -> NDArray[np.float64]:
    backward = eye / np.linalg.norm(eye)
    right = np.cross([0, 1, 0], backward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = (
        right,
        np.cross(backward, right),
        backward,
        eye,
    )
    return pose


def main() -> None:
    """For each line of standard input, `FILE OUT`: draw it, and print its seconds of CPU and of
    wall.
    """
    for line in sys.stdin:
        file, out = map(Path, line.split())
        cpu, wall = time.process_time(), time.perf_counter()
        picture = grid(file)
        print(time.process_time() - cpu, time.perf_counter() - wall, flush=True)
        out.write_bytes(picture)


if __name__ == "__main__":
    main()
