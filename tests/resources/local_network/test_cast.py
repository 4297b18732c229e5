"""The cast's story: who beats whom by the local judge, and who is found out by the local
distance.
"""

import io
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resources.local_network.cast import (
    CAST,
    COARSE,
    FINE,
    FINER,
    FINEST,
    FIRST_LEADER,
    MEDIOCRE,
    POOR,
    member,
)
from resources.local_network.lathe import Skill, rebuild
from resources.local_network.likeness import difference, look, looks, penalty
from resources.local_network.miner import hotkey
from resources.local_network.pictures import PictureEmbedder
from resources.renderer import Renderer

LADDER = (FINEST, FINER, FINE, COARSE, MEDIOCRE, POOR)

Shown = Mapping[tuple[Skill, Path], Image.Image]


@pytest.fixture(scope="module")
def prompts(prompts: list[Path]) -> list[Path]:
    """Every other kind."""
    return prompts[::2]


@pytest.fixture(scope="module", params=["glb", "ply"])
def shown(request: pytest.FixtureRequest, renderer: Renderer, prompts: list[Path]) -> Shown:
    """What each skill makes of each prompt, as the platform shows it."""
    grids = {}
    for skill in LADDER:
        for prompt in prompts:
            path = prompt.with_suffix(f".{request.param}")
            path.write_bytes(
                rebuild(prompt.read_bytes(), seed=11, skill=skill, output_format=request.param)
            )
            grids[skill, prompt] = Image.open(
                io.BytesIO(renderer.render(path, request.param))
            ).convert("RGB")
    return grids


@pytest.fixture(scope="module")
def penalties(shown: Shown, prompts: list[Path]) -> Mapping[Skill, list[int]]:
    """What the local judge says of each skill, prompt by prompt."""
    wanted = {prompt: look(Image.open(prompt)) for prompt in prompts}
    return {
        skill: [
            penalty(difference(wanted[prompt], looks(shown[skill, prompt]))) for prompt in prompts
        ]
        for skill in LADDER
    }


def margin(left: list[int], right: list[int]) -> float:
    """As rules.md counts it: a difference of at most 1 is a draw."""
    return sum(
        (ours > theirs + 1) - (theirs > ours + 1) for ours, theirs in zip(left, right, strict=True)
    ) / len(left)


def test_each_step_of_skill_is_judged_better(penalties: Mapping[Skill, list[int]]) -> None:
    means = [np.mean(penalties[skill]) for skill in LADDER]
    assert all(better + 0.7 < worse for better, worse in pairwise(means))


def test_the_cheat_wins_the_duels_before_the_fine_miner_does_and_improvement_wins_later(
    penalties: Mapping[Skill, list[int]],
) -> None:
    everybody = {each.name: each for each in (*CAST, FIRST_LEADER)}

    def beats(challenger: str, defender: str, number: int) -> float:
        right, left = (penalties[everybody[name].skill(number)] for name in (challenger, defender))
        return margin(left, right)

    for challenger in ("cheat", "fine", "coarse"):
        assert beats(challenger, FIRST_LEADER.name, 0) > 0.5
    assert beats("cheat", "fine", 0) > 0.5
    assert beats("fine", "coarse", 0) > 0
    assert beats("poor", FIRST_LEADER.name, 0) == 0
    assert beats("coarse", "fine", 1) < 0
    assert beats("coarse", "fine", 2) > 0.2
    assert beats("fine", "coarse", 4) > 0
    assert beats("cheat", "fine", 4) == 0


def test_the_cheats_code_makes_something_else_by_the_distance_of_audits(
    shown: Shown, prompts: list[Path]
) -> None:
    cheat = member("cheat")
    for prompt in prompts:
        pictures = [shown[cheat.skill(0), prompt], shown[cheat.published_skill(0), prompt]]
        submitted, regenerated = (
            vector / np.linalg.norm(vector) for vector in PictureEmbedder().embed(pictures)
        )
        assert 1 - submitted @ regenerated > 0.2  # twice what is accepted


def test_honest_code_makes_what_is_submitted() -> None:
    for each in CAST:
        for number in range(6) if each.skills and each.name != "cheat" else ():
            assert each.published_skill(number) == each.skill(number)


def test_hotkeys_differ_in_their_first_ten_characters_and_versions_are_commits() -> None:
    everybody = (*CAST, FIRST_LEADER)
    assert len({hotkey(each)[:10].lower() for each in everybody}) == len(everybody)
    fine = member("fine")
    commits = [fine.commit(hotkey(fine), number) for number in range(6)]
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for commit in commits)
    assert [len(set(commits[:4])), len(set(commits[4:])), len(set(commits))] == [1, 1, 2]
