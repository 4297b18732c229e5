"""The platform's own way out fails: nobody's image is held to account for it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.settings import Rules
from gen404_assets.live.regenerating import Regenerated
from resources.container import Generated
from resources.providers.local import LocalProvider
from resources.providers.provider import Pod
from simulators.clouds import VerdaCloud
from simulators.regeneration_world import Meddled, World, subject, until
from tests.resources.regeneration.test_gateway import provider

PODS = PodRules(pod_start_interval=0.3, pod_capacity_timeout=5.0, pod_warmup_timeout=40.0)


def attempts(regenerated: Regenerated) -> list[int]:
    return [output.attempts for _, output in regenerated.outputs.items()]


@contextmanager
def network(monkeypatch: pytest.MonkeyPatch, is_down: Callable[[], bool]) -> Iterator[None]:
    """A machine whose connections find no network while `is_down`."""
    connect = anyio.connect_tcp

    async def through(*arguments: Any, **more: Any) -> Any:
        if is_down():
            raise OSError(101, "Network is unreachable")
        return await connect(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(anyio, "connect_tcp", through)
        yield


def test_g01_a_second_without_a_network_is_no_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, {"slow": 0.05})
    down: list[float] = []

    def is_down() -> bool:
        if not down and len(world.asked()) > 2:
            down.append(time.monotonic())
        return bool(down) and time.monotonic() - down[0] < 1.0

    with network(monkeypatch, is_down):
        regenerated = world.regenerate(subject(12), pods=PODS)
    assert down
    assert attempts(regenerated) == [1] * 12


def test_g01_a_pod_that_can_not_be_seen_is_not_too_slow_to_get_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, {})
    began = time.monotonic()
    pods = PodRules(pod_start_interval=0.3, pod_warmup_timeout=4.0, max_pod_attempts=1)
    with network(monkeypatch, lambda: time.monotonic() - began < 6.0):
        regenerated = world.regenerate(subject(2), pods=pods, patience=60.0)
    assert regenerated.deployed


def test_a_moment_without_a_network_does_not_keep_a_bad_image_from_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, {"refuses": 500})
    began = time.monotonic()
    with network(monkeypatch, lambda: time.monotonic() - began < 2.0):
        regenerated = world.regenerate(subject(2), pods=PODS, patience=60.0)
    assert not any(output.complete for _, output in regenerated.outputs.items())


def test_g01_without_a_network_for_long_there_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, {})
    pods = PodRules(pod_start_interval=0.1, pod_warmup_timeout=40.0, max_pod_attempts=1)
    with (
        network(monkeypatch, lambda: True),
        pytest.raises(InfrastructureFault, match="can't be reached from here"),
    ):
        world.regenerate(subject(2), pods=pods, patience=1.0)


def test_g01_connections_that_break_while_the_provider_is_silent_too_are_no_attempts(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, {"slow": 0.3})
    cloud = VerdaCloud(world.provider)

    def fail_for_a_second() -> None:
        until(lambda: len(world.asked()) >= 2, 60)
        cloud.down = True
        time.sleep(1.0)
        cloud.down = False

    failing = threading.Thread(target=fail_for_a_second)
    with cloud.served():
        failing.start()
        regenerated = world.regenerate(
            subject(8), providers=[provider(cloud)], pods=PODS, patience=30.0
        )
        failing.join()
    assert attempts(regenerated) == [1] * 8


def test_g01_a_silence_in_which_the_provider_gave_no_list_either_is_no_attempt(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, {"slow": 0.3})
    cloud = VerdaCloud(world.provider)

    def be_silent() -> None:
        until(lambda: len(world.asked()) >= 2, 60)
        cloud.broken = {("GET", "container-deployments"): 10**6}
        cloud.silent = True
        time.sleep(5.0)
        cloud.broken, cloud.silent = {}, False

    silence = threading.Thread(target=be_silent)
    with cloud.served():
        silence.start()
        regenerated = world.regenerate(
            subject(6),
            providers=[provider(cloud)],
            pods=PODS,
            rules=Rules(generation_timeout=2.0),
            patience=30.0,
        )
        silence.join()
    assert attempts(regenerated) == [1] * 6


def test_g10_an_answer_that_breaks_the_client_is_a_failed_attempt_and_told_as_a_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, {})
    save = Generated.save

    async def broken(generated: Generated, to: Path) -> int:
        if "p01" in to.name:
            raise UnicodeError("label empty or too long")
        return await save(generated, to)

    monkeypatch.setattr(Generated, "save", broken)
    regenerated = world.regenerate(subject(4), pods=PODS)
    assert [output.complete for _, output in regenerated.outputs.items()] == [
        True,
        False,
        True,
        True,
    ]
    assert regenerated.outputs["p01"].model_dump()["reason"] == "it can't be handled (UnicodeError)"
    assert any("a bug: " in line for line in world.messages)


def test_a_container_that_takes_no_connection_any_more_is_to_blame_after_a_while(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, {"dies": "p00"})

    def alive() -> list[Pod]:
        return [Pod(pod.name, pod.url) for pod in world.provider.pods()]

    pods = PodRules(pod_start_interval=0.1, pod_warmup_timeout=40.0, initial_pod_count=1)
    pods = pods.model_copy(update={"pods_per_miner": 1, "max_pod_attempts": 1})
    regenerated = world.regenerate(
        subject(2), providers=[Meddled(LocalProvider(tmp_path / "network"), pods=alive)], pods=pods
    )
    assert sorted(attempts(regenerated)) == [1, 1]
    assert not any(output.complete for _, output in regenerated.outputs.items())
