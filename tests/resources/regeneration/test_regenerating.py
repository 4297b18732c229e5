"""Regenerating with real pods on the local provider: what comes of it, whatever the miner's image
does.
"""

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import pytest

from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.settings import Rules
from gen404_assets.live.fleet import owner
from gen404_assets.live.regenerating import Cancelled
from gen404_assets.live.shared import shared_on_disk
from resources.object_store import ObjectConflict
from simulators.examples import MINER
from simulators.regeneration_world import IMAGE, PODS, STORE, World, subject, submitted, until

ONE_POD = PodRules(
    initial_pod_count=1, pods_per_miner=1, max_pod_attempts=1, pod_start_interval=0.1
)
STEMS = [f"p{number:02}" for number in range(6)]


def test_every_prompt_is_generated_rendered_kept_and_measured(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    regenerated = world.regenerate()
    assert regenerated.deployed
    assert regenerated.outputs.names == STEMS
    output = regenerated.outputs["p03"]
    assert output.glb == f"{STORE}rounds/3/{MINER}/generated/p03.glb"
    assert output.png == f"{STORE}rounds/3/{MINER}/generated/p03.png"
    assert world.kept(output.glb) == b"p03 7 well"
    assert world.kept(output.png) == b"preview of p03 7 well"
    assert (output.attempts, output.size, output.distance) == (1, 10, 0.01)
    assert 0 < output.generation_time < 5
    assert output.model_dump()["evidence"] == {
        "submitted_sha256": hashlib.sha256(b"p03").hexdigest(),
        "generated_sha256": hashlib.sha256(b"preview of p03 7 well").hexdigest(),
        "embedder": "an embedder",
    }
    assert sum(pod.processed for _, pod in regenerated.pods.items()) == 6
    assert set(world.asked().values()) == {1}


def test_pods_are_named_after_round_hotkey_installation_and_start(tmp_path: Path) -> None:
    regenerated = World(tmp_path, {"slow": 0.1}).regenerate(subject(12))
    assert set(regenerated.pods.names) <= {
        f"miner-03-{MINER[:10].lower()}-{owner(shared_on_disk(tmp_path / 'home'))}-{number}"
        for number in range(4)
    }
    assert {pod.termination_reason for _, pod in regenerated.pods.items()} <= {
        None,
        "nothing left to do",
    }


def test_an_audit_is_of_the_prompts_with_file_and_preview(tmp_path: Path) -> None:
    whole = subject()
    assert whole.submitted is not None
    half = {
        stem: out if stem < "p03" else out.model_copy(update={"png": None})
        for stem, out in whole.submitted.items()
    }
    regenerated = World(tmp_path, {}).regenerate(subject(submitted=Outputs(half)))
    assert regenerated.outputs.names == STEMS[:3]


def test_an_audit_of_nothing_starts_no_pod(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    regenerated = world.regenerate(subject(submitted=Outputs({})))
    assert (regenerated.outputs.names, regenerated.pods.names, regenerated.deployed) == (
        [],
        [],
        True,
    )
    assert not any("started" in line for line in world.messages)


def test_a_baseline_is_of_all_prompts_with_nothing_to_be_measured(tmp_path: Path) -> None:
    world = World(tmp_path, {"spoils": ["p01"]})
    regenerated = world.regenerate(
        subject(hotkey="leader", submitted=None, output_format="ply"),
        measure=lambda *_: pytest.fail("measured"),
    )
    assert regenerated.outputs.names == STEMS
    assert regenerated.outputs["p00"].ply == f"{STORE}rounds/3/leader/generated/p00.ply"
    assert {output.distance for _, output in regenerated.outputs.items()} == {0.0}
    closed = regenerated.outputs["p01"]
    assert (closed.complete, closed.attempts) == (False, 3)


def test_a_prompt_that_fails_is_tried_on_three_pods(tmp_path: Path) -> None:
    world = World(tmp_path, {"spoils": ["p01"], "slow": 0.05})
    regenerated = world.regenerate(subject(10))
    assert world.asked()["p01"] == 3
    failed = regenerated.outputs["p01"].model_dump(exclude_unset=True)
    reason = {"reason": "the container answers 500"}
    assert (
        failed
        == {
            "glb": None,
            "png": None,
            "generation_time": 0.0,
            "size": 0,
            "attempts": 3,
            "distance": 0.0,
        }
        | reason
    )


def test_a_file_that_can_not_be_rendered_keeps_its_url(tmp_path: Path) -> None:
    regenerated = World(tmp_path, {"made": "unrenderable"}).regenerate(subject(1), pods=ONE_POD)
    output = regenerated.outputs["p00"]
    assert (output.glb, output.png) == (f"{STORE}rounds/3/{MINER}/generated/p00.glb", None)
    assert output.model_dump()["reason"] == "no mesh in it"


def test_lies_are_found_and_the_rest_is_not_generated(tmp_path: Path) -> None:
    world = World(tmp_path, {"made": "otherwise", "slow": 0.02})
    regenerated = world.regenerate(subject(40))
    far = [output for _, output in regenerated.outputs.items() if output.distance == 1.0]
    assert 12 <= len(far) < 40
    assert max(world.asked().values()) == 1


def test_an_image_that_never_gets_healthy_has_not_been_deployed(tmp_path: Path) -> None:
    world = World(tmp_path, {"health": 500})
    pods = PodRules(pod_start_interval=0.1, max_pod_attempts=3)
    pods = pods.model_copy(update={"pod_warmup_timeout": 0.3})
    regenerated = world.regenerate(pods=pods)
    assert not regenerated.deployed
    assert [pod.termination_reason for _, pod in regenerated.pods.items()] == [
        "never became healthy"
    ] * 3


def test_an_image_that_can_not_be_pulled_has_not_been_deployed(tmp_path: Path) -> None:
    regenerated = World(tmp_path, {}).regenerate(subject(image="registry/other:1"))
    assert not regenerated.deployed
    assert len(regenerated.pods) == PODS.max_pod_attempts


def test_g11_a_baseline_whose_image_is_gone_is_closed(tmp_path: Path) -> None:
    regenerated = World(tmp_path, {}).regenerate(subject(submitted=None, hotkey="leader", image=""))
    assert not regenerated.deployed
    assert [(output.complete, output.attempts) for _, output in regenerated.outputs.items()] == [
        (False, 3)
    ] * 6


def test_g11_a_container_that_ends_fails_the_prompt_and_is_replaced(tmp_path: Path) -> None:
    # Slow enough for the answer before it to have come whole, on any machine.
    world = World(tmp_path, {"dies": "p02", "slow": 0.4})
    regenerated = world.regenerate(subject(8))
    assert regenerated.deployed
    assert regenerated.outputs["p02"].attempts == 3
    assert sum(output.complete for _, output in regenerated.outputs.items()) == 7
    assert "the container ended" in {pod.termination_reason for _, pod in regenerated.pods.items()}


def test_g12_a_container_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    rules = Rules().model_copy(update={"generation_timeout": 0.3})
    regenerated = World(tmp_path, {"slow": 60}).regenerate(subject(1), pods=ONE_POD, rules=rules)
    assert regenerated.outputs["p00"].model_dump()["reason"] == "no answer within 0.6 s"


def test_the_next_prompt_is_asked_for_while_the_last_ones_body_downloads(tmp_path: Path) -> None:
    world = World(tmp_path, {"body": 1.0})
    regenerated = world.regenerate(subject(4), pods=ONE_POD)
    assert all(output.generation_time < 1 for _, output in regenerated.outputs.items())
    times = [float(line.split()[2]) for line in world.log.read_text().splitlines()]
    assert times[-1] - times[0] < 1


def test_a_pod_works_on_one_request_at_a_time(tmp_path: Path) -> None:
    world = World(tmp_path, {"slow": 0.2})
    world.regenerate(subject(4), pods=ONE_POD)
    times = [float(line.split()[2]) for line in world.log.read_text().splitlines()]
    assert all(later - sooner >= 0.2 for sooner, later in pairwise(times))


def test_a_regeneration_that_is_not_wanted_any_more_ends(tmp_path: Path) -> None:
    world = World(tmp_path, {"slow": 0.5})
    with pytest.raises(Cancelled):
        world.regenerate(subject(100), cancelled=world.log.exists)


def test_progress_is_told_and_kept(tmp_path: Path) -> None:
    reported: list[Outputs] = []

    def progress(outputs: Outputs, _: object) -> bool:
        reported.append(outputs)
        return True

    regenerated = World(tmp_path, {"slow": 0.2}).regenerate(subject(8), progress=progress)
    assert len(reported) > 1
    assert [len(outputs) for outputs in reported] == sorted({len(outputs) for outputs in reported})
    assert all(
        regenerated.outputs[stem] == output
        for outputs in reported
        for stem, output in outputs.items()
    )


def test_what_the_repository_has_is_not_generated_again(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    known = Output(
        glb="k.glb", png=f"{STORE}k.png", generation_time=30.0, size=3, attempts=2, distance=0.05
    )
    unmeasured = submitted("p01").model_copy(update={"distance": None})
    world.put(f"rounds/3/{MINER}/submitted/p01.png", b"made well", "image/png")
    regenerated = world.regenerate(subject(generated=Outputs({"p00": known, "p01": unmeasured})))
    assert set(world.asked()) == set(STEMS[2:])
    assert regenerated.outputs["p00"] == known
    assert regenerated.outputs["p01"].distance == 0.01
    assert regenerated.outputs["p01"].png == unmeasured.png


def test_g18_a_retry_never_overwrites_what_was_kept(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    for name in ("p00.glb", "p01.png", "p01-2.glb"):
        world.put(f"rounds/3/{MINER}/generated/{name}", b"of another run", "image/png")
    regenerated = world.regenerate(subject(3))
    base = f"{STORE}rounds/3/{MINER}/generated/"
    assert (regenerated.outputs["p00"].glb, regenerated.outputs["p00"].png) == (
        f"{base}p00-2.glb",
        f"{base}p00-2.png",
    )
    assert (regenerated.outputs["p01"].glb, regenerated.outputs["p01"].png) == (
        f"{base}p01-3.glb",
        f"{base}p01-3.png",
    )
    with pytest.raises(ObjectConflict):
        world.put(f"rounds/3/{MINER}/generated/p00.glb", b"p00 7 well", "image/png")


def test_g23_a_pod_has_a_token_of_its_own_and_none_of_the_operators_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("R2_SECRET_ACCESS_KEY", "operators-secret")
    world = World(tmp_path, {})
    tokens = set()
    for name in ("pod-1", "pod-2"):
        world.provider.start(name, IMAGE, f"token-of-{name}")
    until(lambda: all(_environment(world, name) for name in ("pod-1", "pod-2")))
    for name in ("pod-1", "pod-2"):
        environment = _environment(world, name)
        assert set(environment) == {"PATH", "HOME", "LANG", "POD_TOKEN"} | {
            "PWD",
            "OLDPWD",
            "SHLVL",
            "_",
        } & set(environment)
        tokens.add(environment["POD_TOKEN"])
        world.provider.delete(name)
    assert tokens == {"token-of-pod-1", "token-of-pod-2"}


def _environment(world: World, name: str) -> dict[str, str]:
    pid = json.loads((world.folder / f"network/pods/{name}.json").read_text())["pid"]
    raw = Path(f"/proc/{pid}/environ").read_text()
    return dict(entry.split("=", 1) for entry in raw.split("\0") if entry)
