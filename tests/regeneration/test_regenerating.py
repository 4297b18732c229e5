"""Regenerating with real pods on the local provider, and what becomes of it when something fails."""

from pathlib import Path

from gen404_assets.live.regenerating import regenerate
from tests.regeneration.world import PODS, RULES, STORE, World, subject
from tests.rules.examples import MINER


def test_every_prompt_is_generated_rendered_kept_and_measured(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    found = regenerate(subject(), world.means(), (RULES, PODS))
    assert found.deployed
    assert found.outputs.names == [f"p{number:02}" for number in range(6)]
    output = found.outputs["p03"]
    assert output.glb == f"{STORE}rounds/3/{MINER}/generated/p03.glb"
    assert world.kept[f"rounds/3/{MINER}/generated/p03.glb"] == b"p03 7 well"
    assert world.kept[f"rounds/3/{MINER}/generated/p03.png"] == b"preview of p03 7 well"
    assert (output.attempts, output.size, output.distance) == (1, 10, 0.01)
    assert 0 < output.generation_time < 5
    assert sum(pod.processed for _, pod in found.pods.items()) == 6
    assert world.pods_left() == []
