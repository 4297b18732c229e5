"""Gaussian splats drawn on CUDA by gsplat."""

import importlib
import importlib.util
from typing import Any

import numpy as np

from gpu.ply import Splats
from gpu.splats import BLUR, DISTANCE, NEAR
from gpu.views import AZIMUTHS, FIELD_OF_VIEW, SIDE, Matrix, Picture, eye, world_to_camera


def device() -> str | None:
    """The name of the CUDA device, None where there is none or gsplat isn't installed (extra `gpu`)."""
    if not all(map(importlib.util.find_spec, ("torch", "gsplat"))):
        return None
    torch = importlib.import_module("torch")  # takes seconds, and isn't installed everywhere
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else None


def cameras() -> tuple[Matrix, Matrix]:
    """The four views as gsplat has them: world to camera (4, 4, 4), rows down and depth ahead, and focal (4, 3, 3)."""
    turned = np.diag([1.0, -1.0, -1.0, 1.0])
    poses = np.stack([turned @ world_to_camera(eye(azimuth, DISTANCE)) for azimuth in AZIMUTHS])
    focal = SIDE / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    intrinsic = np.array([[focal, 0, SIDE / 2], [0, focal, SIDE / 2], [0, 0, 1]])
    return poses, np.broadcast_to(intrinsic, (len(poses), 3, 3))


def draw_splats(splats: Splats) -> list[Picture]:
    """The four views, each (518, 518, 3)."""
    torch = importlib.import_module("torch")
    rasterization = importlib.import_module("gsplat").rasterization

    def there(values: Any) -> Any:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32, device="cuda")

    poses, intrinsics = cameras()
    with torch.inference_mode():
        colors, _, _ = rasterization(
            means=there(splats.means),
            quats=there(splats.turns),
            scales=there(splats.scales),
            opacities=there(splats.opacities),
            colors=there(splats.colors),
            viewmats=there(poses),
            Ks=there(intrinsics),
            width=SIDE,
            height=SIDE,
            near_plane=NEAR,
            eps2d=BLUR,
            backgrounds=torch.ones((len(poses), 3), device="cuda"),
        )
        pictures = (colors.clamp(0, 1) * 255).to(torch.uint8).cpu().numpy()
    return list(pictures)
