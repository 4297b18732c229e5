"""What gsplat 1.5.3 asserts of a call, where gsplat and a GPU are missing.

Signatures, defaults and assertions are those of gsplat 1.5.3's `rendering.py` (`rasterization`) and
`cuda/_wrapper.py` (`fully_fused_projection`, `rasterize_to_pixels`), for the arguments that we
give; shapes only, so that numpy's arrays will do. What is returned is empty, of the shapes that
gsplat returns. `test_splats_cuda.py` compares the signatures with gsplat's where it is installed.
"""

# ruff: noqa: ARG001, PLR0913, PLR0917 - the arguments are gsplat's
from typing import Any

import numpy as np

GLOBAL = "RollingShutterType.GLOBAL"


def rasterization(
    means: Any,
    quats: Any,
    scales: Any,
    opacities: Any,
    colors: Any,
    viewmats: Any,
    Ks: Any,  # noqa: N803
    width: int,
    height: int,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    radius_clip: float = 0.0,
    eps2d: float = 0.3,
    sh_degree: Any = None,
    packed: bool = True,
    tile_size: int = 16,
    backgrounds: Any = None,
    render_mode: str = "RGB",
    sparse_grad: bool = False,
    absgrad: bool = False,
    rasterize_mode: str = "classic",
    channel_chunk: int = 32,
    distributed: bool = False,
    camera_model: str = "pinhole",
    segmented: bool = False,
    covars: Any = None,
    with_ut: bool = False,
    with_eval3d: bool = False,
    radial_coeffs: Any = None,
    tangential_coeffs: Any = None,
    thin_prism_coeffs: Any = None,
    ftheta_coeffs: Any = None,
    rolling_shutter: Any = GLOBAL,
    viewmats_rs: Any = None,
) -> tuple[Any, Any, dict[str, Any]]:
    batch = means.shape[:-2]
    count, views = means.shape[-2], viewmats.shape[-3]
    assert sh_degree is None
    assert not (distributed or with_ut or with_eval3d)
    assert means.shape == (*batch, count, 3), means.shape
    assert opacities.shape == (*batch, count), opacities.shape
    assert viewmats.shape == (*batch, views, 4, 4), viewmats.shape
    assert Ks.shape == (*batch, views, 3, 3), Ks.shape
    assert render_mode in ["RGB", "D", "ED", "RGB+D", "RGB+ED"], render_mode
    assert (colors.ndim == len(batch) + 2 and colors.shape[:-1] == (*batch, count)) or (
        colors.ndim == len(batch) + 3 and colors.shape[:-1] == (*batch, views, count)
    ), colors.shape
    fully_fused_projection(
        means, covars, quats, scales, viewmats, Ks, width, height, eps2d, opacities=opacities
    )
    channels = colors.shape[-1]
    # packed, the projected Gaussians of all views are in one row
    images = () if packed else (*batch, views)
    if backgrounds is not None:
        assert backgrounds.shape == (*images, channels), backgrounds.shape
    shape = (*batch, views, height, width)
    return np.zeros((*shape, channels)), np.zeros((*shape, 1)), {}


def fully_fused_projection(
    means: Any,
    covars: Any,
    quats: Any,
    scales: Any,
    viewmats: Any,
    Ks: Any,  # noqa: N803
    width: int,
    height: int,
    eps2d: float = 0.3,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    radius_clip: float = 0.0,
    packed: bool = False,
    sparse_grad: bool = False,
    calc_compensations: bool = False,
    camera_model: str = "pinhole",
    opacities: Any = None,
) -> tuple[Any, ...]:
    batch = means.shape[:-2]
    count, views = means.shape[-2], viewmats.shape[-3]
    assert means.shape == (*batch, count, 3), means.shape
    assert viewmats.shape == (*batch, views, 4, 4), viewmats.shape
    assert Ks.shape == (*batch, views, 3, 3), Ks.shape
    if covars is not None:
        assert covars.shape == (*batch, count, 6), covars.shape
    else:
        assert quats is not None, "covars or quats is required"
        assert scales is not None, "covars or scales is required"
        assert quats.shape == (*batch, count, 4), quats.shape
        assert scales.shape == (*batch, count, 3), scales.shape
    if sparse_grad:
        assert packed, "sparse_grad is only supported when packed is True"
    if opacities is not None:
        assert opacities.shape == (*batch, count), opacities.shape
    assert camera_model != "ftheta"
    shape = (*batch, views, count)
    return (
        np.zeros((*shape, 2), np.int32),
        np.zeros((*shape, 2)),
        np.zeros(shape),
        np.zeros((*shape, 3)),
        None,
    )
