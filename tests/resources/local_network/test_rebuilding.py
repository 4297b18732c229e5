"""Miners really rebuild what the prompts show: as well as their skill allows, and the same each
time.
"""

import io
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from resources.local_network.cast import COARSE, FINE, FINEST, MEDIOCRE, POOR
from resources.local_network.lathe import SIDE, Skill, measure, rebuild
from resources.local_network.objects import KINDS, make_object, make_prompts
from resources.renderer import Renderer
from tests.resources.local_network.conftest import draw

View = NDArray[np.int16]


def view(picture: bytes) -> View:
    """A prompt, or the first view of a grid."""
    with Image.open(io.BytesIO(picture)) as opened:
        return np.asarray(opened.convert("RGB").crop((0, 0, SIDE, SIDE)), np.int16)


def rendered(renderer: Renderer, folder: Path, model: bytes, output_format: str = "glb") -> bytes:
    path = folder / f"model.{output_format}"
    path.write_bytes(model)
    return renderer.render(path, output_format)


def overlap(one: View, other: View) -> float:
    """Intersection over union of the silhouettes."""
    shapes = [picture.min(axis=2) < 235 for picture in (one, other)]
    return float((shapes[0] & shapes[1]).sum() / (shapes[0] | shapes[1]).sum())


def error(one: View, other: View) -> float:
    """Mean difference, of 255, where either shows something."""
    shown = np.minimum(one, other).min(axis=2) < 235
    return float(np.abs(one - other)[shown].mean())


def test_each_prompt_shows_an_object_on_white_the_same_each_time(
    prompts: list[Path], renderer: Renderer, tmp_path: Path
) -> None:
    assert len({prompt.stem for prompt in prompts}) == len(prompts)
    pictures = [prompt.read_bytes() for prompt in prompts]
    assert len(set(pictures)) == len(prompts)
    for picture in pictures:
        shown = view(picture).min(axis=2) < 235
        assert shown.shape == (SIDE, SIDE)
        assert 0.02 < shown.mean() < 0.5
        assert not shown[[0, -1]].any()
    assert [prompt.read_bytes() for prompt in make_prompts(tmp_path, 2, renderer)] == pictures[:2]


@pytest.mark.parametrize("kind", range(0, len(KINDS), 3))
def test_the_finest_rebuild_looks_like_the_prompt_in_shape_and_colour(
    prompts: list[Path], renderer: Renderer, tmp_path: Path, kind: int
) -> None:
    prompt = prompts[kind].read_bytes()
    made = rendered(renderer, tmp_path, rebuild(prompt, seed=1, skill=FINEST, output_format="glb"))
    assert overlap(view(made), view(prompt)) > 0.98
    assert error(view(made), view(prompt)) < 6


def test_the_finest_rebuild_is_the_object_from_behind_too(
    prompts: list[Path], renderer: Renderer, tmp_path: Path
) -> None:
    true = rendered(renderer, tmp_path, make_object(prompts[0].stem).to_glb(64))
    made = rendered(
        renderer,
        tmp_path,
        rebuild(prompts[0].read_bytes(), seed=1, skill=FINEST, output_format="glb"),
    )
    grids = []
    for picture in (true, made):
        with Image.open(io.BytesIO(picture)) as opened:
            grids.append(np.asarray(opened.convert("RGB"), np.int16))
    for top, left in ((0, SIDE + 5), (SIDE + 5, 0), (SIDE + 5, SIDE + 5)):
        one, other = (grid[top : top + SIDE, left : left + SIDE] for grid in grids)
        assert overlap(one, other) > 0.98
        assert error(one, other) < 6


def test_less_skill_is_seen(prompts: list[Path], renderer: Renderer, tmp_path: Path) -> None:
    for prompt in prompts[:3]:
        picture = prompt.read_bytes()
        skills = (FINEST, FINE, COARSE, MEDIOCRE, POOR)
        made = [rebuild(picture, seed=3, skill=skill, output_format="glb") for skill in skills]
        errors = [error(view(rendered(renderer, tmp_path, model)), view(picture)) for model in made]
        assert errors == sorted(errors)
        assert errors[-1] > 3 * errors[1]


def test_splats_show_the_object_as_well(
    prompts: list[Path], renderer: Renderer, tmp_path: Path
) -> None:
    for prompt in prompts[:3]:
        picture = prompt.read_bytes()
        wanted = view(picture)
        made = [
            rebuild(picture, seed=3, skill=skill, output_format="ply")
            for skill in (FINEST, MEDIOCRE, POOR)
        ]
        shown = [view(rendered(renderer, tmp_path, splats, "ply")) for splats in made]
        assert overlap(shown[0], wanted) > 0.95
        errors = [error(each, wanted) for each in shown]
        assert errors == sorted(errors)
        assert errors[-1] > 2 * errors[0]


def test_the_profile_is_measured_to_a_pixel(prompts: list[Path]) -> None:
    for prompt in prompts:
        true, measured = make_object(prompt.stem), measure(prompt.read_bytes())
        difference = np.abs(measured.radii - np.interp(measured.heights, true.heights, true.radii))
        assert np.median(difference) < 0.004, prompt.stem  # of a scene in which a pixel is 0.0035


@settings(max_examples=20, deadline=None)
@given(number=st.integers(0, 10**6), kind=st.sampled_from(KINDS))
def test_every_object_is_one_closed_mesh_within_half_a_unit(number: int, kind: str) -> None:
    model = make_object(f"{kind}-{number}").to_glb(24)
    (mesh,) = trimesh.load_scene(io.BytesIO(model), file_type="glb").geometry.values()
    assert isinstance(mesh, trimesh.Trimesh)
    assert np.abs(mesh.bounds).max() <= 0.5
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    assert mesh.is_watertight
    assert mesh.volume > 0
    assert mesh.visual is not None
    assert mesh.visual.kind == "vertex"


@pytest.mark.parametrize("output_format", ["glb", "ply"])
def test_picture_seed_and_skill_decide_every_byte(output_format: str) -> None:
    def made(picture: bytes, seed: int, skill: Skill) -> bytes:
        return rebuild(picture, seed=seed, skill=skill, output_format=output_format)

    picture = draw("red", "blue")
    assert made(picture, 1, COARSE) == made(picture, 1, COARSE)
    others = [
        made(picture, 2, COARSE),
        made(draw("red", "navy"), 1, COARSE),
        made(picture, 1, FINE),
    ]
    assert made(picture, 1, COARSE) not in others


def test_splats_are_the_gaussians_that_the_format_names() -> None:
    file = rebuild(draw("red", "blue"), seed=1, skill=Skill(splats=700), output_format="ply")
    header, _, body = file.partition(b"end_header\n")
    names = [
        line.split()[-1].decode()
        for line in header.splitlines()
        if line.startswith(b"property float ")
    ]
    splats = np.frombuffer(body, [(name, "<f4") for name in names])
    assert f"element vertex {len(splats)}\n".encode() in header
    assert all(np.isfinite(splats[name]).all() for name in names)
    turns = np.stack([splats[f"rot_{number}"] for number in range(4)])
    assert np.allclose(np.linalg.norm(turns, axis=0), 1)
    means = np.stack([splats[axis] for axis in "xyz"])
    # The renderer's centre and size, so that it neither moves nor scales them.
    assert np.abs(means.mean(axis=1)).max() < 0.01
    assert np.ptp(means, axis=1).max() == pytest.approx(1.2)
    seen = splats[splats["opacity"] > 0]
    assert len(seen) == 700
    assert (1 / (1 + np.exp(-splats["opacity"][splats["opacity"] < 0])) < 1e-6).all()
    lower = seen[seen["y"] < seen["y"].mean() - 0.1]
    red, _, blue = (0.5 + 0.2820948 * np.median(lower[f"f_dc_{channel}"]) for channel in range(3))
    assert red < 0.1
    assert blue > 0.4


@pytest.mark.parametrize(
    "picture", [b"", b"\x89PNG\r\n\x1a\n", draw("white"), draw("red", "blue")[:300]]
)
def test_what_shows_no_object_is_refused(picture: bytes) -> None:
    with pytest.raises(ValueError, match=r"picture|object"):
        measure(picture)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"rings": 5, "luck": 1}'])
def test_a_skill_that_is_none_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        Skill.parse(text)


def test_a_skill_survives_its_text() -> None:
    for skill in (FINEST, MEDIOCRE, POOR):
        assert Skill.parse(str(skill)) == skill
