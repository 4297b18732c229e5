"""Splats as the 3DGS equations have them, told plainly and in float64, and what order and
degeneracy do to them.
"""

import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu.picture_size import SIDE
from gpu.splats import cuda as splats_cuda
from gpu.splats.cpu import BLUR, DISTANCE, LEAST, MOST, _covariances, _project, draw_splats
from gpu.splats.ply import Splats, read_splats
from gpu.views import AZIMUTHS, FIELD_OF_VIEW, Picture, eye
from gpu.workers.warmup import ply
from simulators.files_3d import gaussians

FOCAL = SIDE / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
Numbers = NDArray[np.float64]


def plainly(splats: Splats, azimuth: float) -> Numbers:
    """A view by the equations of 3D Gaussian splatting, one Gaussian after another, (518, 518, 3)
    from 0 to 1.
    """
    at = eye(azimuth, DISTANCE)
    ahead = -at / np.linalg.norm(at)
    right = np.cross(ahead, [0, 1, 0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    places = (splats.means - at) @ rotation.T
    row, column = np.mgrid[:SIDE, :SIDE] + 0.5
    color, through = np.zeros((SIDE, SIDE, 3)), np.ones((SIDE, SIDE))
    for i in np.argsort(places[:, 2], kind="stable"):
        x, y, z = places[i]
        axes = _rotation(splats.turns[i]) * splats.scales[i]
        jacobian = np.array([[FOCAL / z, 0, -FOCAL * x / z**2], [0, FOCAL / z, -FOCAL * y / z**2]])
        flat = jacobian @ rotation @ axes
        inverse = np.linalg.inv(flat @ flat.T + BLUR * np.eye(2))
        off = np.stack([column - FOCAL * x / z - SIDE / 2, row - FOCAL * y / z - SIDE / 2], axis=-1)
        power = np.einsum("...i,ij,...j", off, inverse, off) / 2
        alpha = np.minimum(splats.opacities[i] * np.exp(-power), MOST)
        alpha[alpha < LEAST] = 0
        color += (alpha * through)[..., None] * splats.colors[i]
        through *= 1 - alpha
    return color + through[..., None]


def _rotation(turn: Numbers) -> Numbers:
    w, x, y, z = turn
    across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + 2 * w * across + 2 * across @ across)


def some(count: int = 150, **columns: float) -> Splats:
    values = gaussians(count)
    values[:, 7:10] += 2
    for name, value in columns.items():
        values[:, ("x", "y", "z", "r", "g", "b", "opacity").index(name)] = value
    return read_splats(memoryview(ply(values)))


def decibels(one: Picture | Numbers, other: Picture | Numbers) -> float:
    error = ((one.astype(np.float64) - other.astype(np.float64)) ** 2).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def test_they_are_the_equations() -> None:
    splats = some(60)
    for view, azimuth in zip(draw_splats(splats), AZIMUTHS, strict=True):
        assert decibels(view, np.floor(plainly(splats, azimuth).clip(0, 1) * 255)) > 60


def test_the_model_is_moved_to_the_middle_and_made_to_fit() -> None:
    values = gaussians(100)
    plain = read_splats(memoryview(ply(values)))
    assert np.allclose(plain.means.mean(axis=0), 0, atol=1e-6)
    assert np.isclose(np.ptp(plain.means, axis=0).max(), 1.5)
    values[:, :3] = values[:, :3] * 20 + 7
    values[:, 7:10] += np.log(20)
    moved = read_splats(memoryview(ply(values)))
    assert np.allclose(moved.means, plain.means, atol=1e-4)
    assert np.allclose(moved.scales, plain.scales, rtol=1e-4)
    assert np.array_equal(moved.opacities, plain.opacities)


@pytest.mark.parametrize("form", ["<f8", ">f4", "further"])
def test_every_binary_form_says_the_same(form: str) -> None:
    values = gaussians(100).astype("<f4").astype(np.float64)
    plain = ply(values)
    head, _, _ = plain.partition(b"end_header\n")
    if form == "further":
        head = head.replace(b"property float x\n", b"property uchar red\nproperty float x\n")
        head += b"element camera 1\nproperty list int float poses\n"
        rows = np.zeros(100, [("red", "u1"), ("rest", "<f4", 14)])
        rows["rest"] = values
        content = rows.tobytes()
    else:
        head = (
            head.replace(b"float", b"double") if form == "<f8" else head.replace(b"little", b"big")
        )
        content = values.astype(form).tobytes()
    other, expected = (
        read_splats(memoryview(head + b"end_header\n" + content)),
        read_splats(memoryview(plain)),
    )
    assert np.array_equal(other.means, expected.means)
    assert np.array_equal(other.scales, expected.scales)


def test_ties_in_depth_do_not_flicker() -> None:
    """Two that are at one place are drawn in the file's order, in every view, also when others come
    before.
    """
    values = gaussians(60)
    values[:, 6:10] = 6, -2, -2, -2
    values[1] = values[0]
    values[0, 3:6], values[1, 3:6] = (2, -2, -2), (-2, 2, -2)
    first = draw_splats(read_splats(memoryview(ply(values))))
    assert all(
        np.array_equal(one, other)
        for one, other in zip(first, draw_splats(some_again(values)), strict=True)
    )
    swapped = values.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert decibels(np.stack(first), np.stack(draw_splats(some_again(swapped)))) < 60


def some_again(values: Numbers) -> Splats:
    return read_splats(memoryview(ply(values)))


def test_degenerate_gaussians_do_no_harm() -> None:
    values = gaussians(100)
    plain = draw_splats(some_again(values))
    broken = np.repeat(values[:1], 5, axis=0)
    broken[:, :3] = values[:, :3].astype("<f4").mean(axis=0)
    broken[0, 6], broken[1, 7], broken[2, 10:], broken[3, 3], broken[4, 6] = (
        np.nan,
        np.inf,
        0,
        np.nan,
        -100,
    )
    harmed = draw_splats(some_again(np.concatenate([values, broken])))
    assert decibels(np.stack(plain), np.stack(harmed)) > 45


def test_what_lies_before_the_eye_or_behind_it_is_harmless() -> None:
    one = some(100)
    huge = Splats(one.means * 5, one.scales * 50, one.turns, one.colors, one.opacities)
    assert all(view.shape == (SIDE, SIDE, 3) for view in draw_splats(huge))


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("gsplat", "torch"))),
    reason="gsplat and torch aren't installed",
)
def test_gsplat_projects_as_we_do() -> None:
    """Its own plain implementation, which needs no GPU."""
    torch, plain = map(importlib.import_module, ("torch", "gsplat.cuda._torch_impl"))
    splats = some()
    turns, scales, means = map(torch.as_tensor, (splats.turns, splats.scales, splats.means))
    poses, intrinsics = (
        torch.as_tensor(np.array(values), dtype=torch.float32) for values in splats_cuda.cameras()
    )
    covariances, _ = plain._quat_scale_to_covar_preci(turns, scales, True, False)
    _, centres, depths, inverses, _ = plain._fully_fused_projection(
        means, covariances, poses, intrinsics, SIDE, SIDE, BLUR
    )
    ours = _covariances(splats.turns, splats.scales)
    for view, pose in enumerate(splats_cuda.cameras()[0]):
        distances, flat = _project(splats.means, ours, splats.opacities, pose)
        seen = distances > 0
        assert np.allclose(depths[view].numpy()[seen], distances[seen], atol=1e-5)
        assert np.allclose(centres[view].numpy()[seen], flat[seen, :2], atol=1e-2)
        assert np.allclose(inverses[view].numpy()[seen], flat[seen, 2:5], rtol=1e-3, atol=1e-5)
