"""Gaussian splats drawn on CUDA by gsplat (extra `gpu`)."""

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np

from gpu.faults import Refused, RendererDown
from gpu.picture_size import SIDE
from gpu.splats.cpu import BLUR, DISTANCE, NEAR, PAIRS, TILE, TOO_MANY
from gpu.splats.kernels import WARM_UP, KernelsMissing, load_kernels
from gpu.splats.ply import Splats
from gpu.views import AZIMUTHS, FIELD_OF_VIEW, Matrix, Picture, eye, world_to_camera

KEPT_BYTES = 2 * 2**30  # of the GPU's memory, from one file to the next


def device() -> str | None:
    """The name of the CUDA device, None where there is none or gsplat isn't installed (extra
    `gpu`).

    Raises RendererDown where torch can't be loaded.
    """
    if not all(map(importlib.util.find_spec, ("torch", "gsplat"))):
        return None
    try:
        torch = importlib.import_module("torch")  # takes seconds, and isn't installed everywhere
        return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else None
    except (ImportError, OSError, RuntimeError) as error:
        raise RendererDown(f"torch can't use the GPU: {_first_line(error)}") from error


def architectures(environment: Mapping[str, str]) -> str:
    """What kernels are to be compiled for, as TORCH_CUDA_ARCH_LIST has it: what that variable says,
    and the GPUs that are here. Empty if there are neither."""
    torch = importlib.import_module("torch")
    wanted = [
        name
        for name in environment.get("TORCH_CUDA_ARCH_LIST", "").replace(" ", ";").split(";")
        if name
    ]
    known = {name.removesuffix("+PTX") for name in wanted}
    for number in range(torch.cuda.device_count()):
        major, minor = torch.cuda.get_device_capability(number)
        if (name := f"{major}.{minor}") not in known:
            known.add(name)
            wanted.append(name)
    return ";".join(wanted)


def cameras() -> tuple[Matrix, Matrix]:
    """The four views as gsplat has them: world to camera (4, 4, 4), rows down and depth ahead, and
    focal (4, 3, 3).
    """
    turned = np.diag([1.0, -1.0, -1.0, 1.0])
    poses = np.stack([turned @ world_to_camera(eye(azimuth, DISTANCE)) for azimuth in AZIMUTHS])
    focal = SIDE / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    intrinsic = np.array([[focal, 0, SIDE / 2], [0, focal, SIDE / 2], [0, 0, 1]])
    return poses, np.broadcast_to(intrinsic, (len(poses), 3, 3))


def gaussians(splats: Splats) -> dict[str, Any]:
    """What gsplat's functions are given of the Gaussians, by argument: arrays of 32-bit floats."""
    return {
        "means": splats.means,
        "quats": splats.turns,
        "scales": splats.scales,
        "opacities": splats.opacities,
    }


def view(number: slice) -> dict[str, Any]:
    """What both functions are given of some of the four views."""
    poses, intrinsics = cameras()
    return {
        "viewmats": poses[number].astype(np.float32),
        "Ks": intrinsics[number].astype(np.float32),
        "width": SIDE,
        "height": SIDE,
        "near_plane": NEAR,
        "eps2d": BLUR,
        "packed": False,  # gsplat 1.5.3 refuses a background for packed Gaussians
    }


def painting(number: int) -> dict[str, Any]:
    """What `rasterization` is given for one of the four views, but the Gaussians."""
    one = slice(number, number + 1)
    return {**view(one), "backgrounds": np.ones((1, 3), np.float32)}


class CudaSplats:
    """What draws splats on the GPU: `rasterization` and `fully_fused_projection` of gsplat, and
    torch.
    """

    def __init__(self, environment: Mapping[str, str], device: str = "cuda") -> None:
        """Raises RendererDown where gsplat can't be used."""
        try:
            load_kernels(environment)
            self._torch = importlib.import_module("torch")
            self._gsplat = importlib.import_module("gsplat")
        except KernelsMissing as missing:
            raise RendererDown(str(missing)) from missing
        except (ImportError, OSError) as error:
            raise RendererDown(f"gsplat can't be loaded: {_first_line(error)}") from error
        self._device = device

    def try_out(self, splats: Splats) -> None:
        """Draw, for the first time. Raises RendererDown, whatever goes wrong: no file of a
        stranger's is to blame.
        """
        try:
            self.draw(splats)
        except (
            RuntimeError,
            AssertionError,
            ImportError,
            OSError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            raise RendererDown(
                f"gsplat can't draw on this GPU ({_first_line(error)}): {WARM_UP}"
            ) from error

    def draw(self, splats: Splats) -> list[Picture]:
        """The four views, each (518, 518, 3). Raises Refused for what is too much to draw, and
        RendererDown if the GPU has no memory left."""
        torch = self._torch
        try:
            with torch.inference_mode():
                return self._drawn(splats)
        except torch.OutOfMemoryError as error:
            raise RendererDown(f"the GPU has no memory left: {_first_line(error)}") from None
        finally:
            self._give_back()

    def _drawn(self, splats: Splats) -> list[Picture]:
        there = self._there(gaussians(splats))
        self._check_size(there)
        there |= self._there({"colors": splats.colors})
        views = [self._view(there, number) for number in range(len(AZIMUTHS))]
        return list(self._torch.cat(views).cpu().numpy())

    def _view(self, there: dict[str, Any], number: int) -> Any:
        """One view at a time, which bounds the memory that it takes: (1, 518, 518, 3), bytes on the
        GPU.
        """
        colors, _, _ = self._gsplat.rasterization(**there, **self._there(painting(number)))
        return (colors.clamp(0, 1) * 255).to(self._torch.uint8)

    def _check_size(self, there: dict[str, Any]) -> None:
        """Refuse what the drawing on a CPU refuses, too: more pairs of a Gaussian and a tile than
        PAIRS, in a view.
        """
        radii, middles, *_ = self._gsplat.fully_fused_projection(
            covars=None, **there, **self._there(view(slice(None)))
        )
        across = -(-SIDE // TILE)
        first = ((middles - radii) / TILE).floor().clamp(0, across)
        last = ((middles + radii) / TILE).floor().add(1).clamp(0, across)
        seen = (radii > 0).all(-1)  # elsewhere, the middles are whatever was in memory
        tiles = self._torch.where(seen, (last - first).prod(-1), 0).sum(
            -1, dtype=self._torch.float64
        )
        if tiles.max().item() > PAIRS:
            raise Refused(TOO_MANY)

    def _there(self, values: dict[str, Any]) -> dict[str, Any]:
        """The arrays on the GPU, and the rest as it is."""
        return {
            name: self._torch.from_numpy(value).to(self._device)
            if isinstance(value, np.ndarray)
            else value
            for name, value in values.items()
        }

    def _give_back(self) -> None:
        """Give a large file's memory back to the GPU, for the other workers."""
        cuda = self._torch.cuda
        if cuda.is_available() and cuda.memory_reserved() > KEPT_BYTES:
            cuda.empty_cache()


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.partition("\n")[0][:300]
