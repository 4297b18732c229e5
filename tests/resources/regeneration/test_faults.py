"""Regenerating while the outside fails: nothing follows from it, no pod is left, and it goes on
where it was.
"""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.pods import PodRules
from gen404_assets.live import fleet
from gen404_assets.live.fleet import is_held, lease, owner, reap
from gen404_assets.live.regenerating import Regenerated, regenerate
from gen404_assets.live.shared import shared_on_disk
from resources.providers.local import LocalProvider
from resources.providers.provider import NoCapacity, Pod
from simulators.examples import MINER
from simulators.regeneration_world import (
    IMAGE,
    PODS,
    RULES,
    Failing,
    Meddled,
    World,
    subject,
)

FAULT = InfrastructureFault("out of order")
IMPATIENT = PodRules(pod_start_interval=0.1).model_copy(update={"pod_capacity_timeout": 0.3})
PREFIX = f"miner-03-{MINER[:10].lower()}-"
BOTH = (RULES, PODS)


def never(*_: Any) -> Any:
    """What is never called."""
    raise AssertionError


def complete(regenerated: Regenerated, count: int = 6) -> bool:
    outputs = [output for _, output in regenerated.outputs.items()]
    return len(outputs) == count and all(
        output.complete and output.attempts == 1 for output in outputs
    )


# What is made of a file.


@pytest.mark.parametrize("what", ["picture", "render", "put", "measure"])
def test_g01_a_fault_of_a_service_is_met_with_another_try(tmp_path: Path, what: str) -> None:
    world = World(tmp_path, {})
    failing = Failing(getattr(world.means(), what), FAULT, times=2)
    regenerated = world.regenerate(None, patience=60.0, **{what: failing})
    assert complete(regenerated)
    assert any("out of order" in line for line in world.messages)


@pytest.mark.parametrize("what", ["picture", "render", "put", "measure"])
def test_g01_a_fault_that_lasts_decides_nothing(tmp_path: Path, what: str) -> None:
    world = World(tmp_path, {})
    reported: list[Outputs] = []

    def progress(outputs: Outputs, _: object) -> bool:
        reported.append(outputs)
        return True

    with pytest.raises(InfrastructureFault, match="out of order"):
        world.regenerate(
            None,
            **{what: Failing(getattr(world.means(), what), FAULT)},
            patience=0.1,
            progress=progress,
        )
    assert reported == []
    assert complete(world.regenerate())


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), -0.1, 2.1])
def test_g01_a_distance_that_can_not_be_is_none(tmp_path: Path, nonsense: float) -> None:
    world = World(tmp_path, {})
    with pytest.raises(InfrastructureFault, match="can't be"):
        world.regenerate(subject(1), measure=lambda *_: nonsense, patience=0.1)
    assert complete(world.regenerate(subject(1)), 1)
    assert world.asked() == {"p00": 1}  # what was kept is measured, not made again


# Providers.


def test_the_next_provider_is_tried_where_the_first_has_no_capacity(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    full = Meddled(LocalProvider(tmp_path / "other"), start=Failing(never, NoCapacity("full")))
    assert complete(world.regenerate(providers=[full, world.provider]))


def test_no_capacity_is_waited_out(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    start = Failing(world.provider.start, NoCapacity("full"), times=3)
    assert complete(world.regenerate(providers=[Meddled(world.provider, start=start)]))


@pytest.mark.parametrize("fault", [NoCapacity("full"), FAULT])
def test_g01_an_image_that_nobody_would_start_has_no_verdict(
    tmp_path: Path, fault: InfrastructureFault
) -> None:
    world = World(tmp_path, {})
    with pytest.raises(type(fault), match=str(fault)):
        world.regenerate(
            providers=[Meddled(world.provider, start=Failing(never, fault))], pods=IMPATIENT
        )


def test_a_start_that_failed_after_creating_the_pod_is_recognised_by_name(tmp_path: Path) -> None:
    world = World(tmp_path, {})

    def start(*arguments: Any) -> None:
        world.provider.start(*arguments)
        raise InfrastructureFault("HTTP status 500")

    regenerated = world.regenerate(providers=[Meddled(world.provider, start=start)])
    assert complete(regenerated)


def test_a_start_that_failed_and_can_not_be_seen_leaves_no_pod(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    other = LocalProvider(tmp_path / "network")

    def start(*arguments: Any) -> None:
        other.start(*arguments)
        raise InfrastructureFault("HTTP status 500")

    blind = Meddled(other, start=start, pods=list)
    with pytest.raises(InfrastructureFault):
        world.regenerate(providers=[blind], pods=IMPATIENT)


def test_g12_a_provider_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "CALL_SECONDS", 1.0)
    world = World(tmp_path, {})
    silent = Meddled(LocalProvider(tmp_path / "other"), start=lambda *_: time.sleep(5))
    assert complete(world.regenerate(providers=[silent, world.provider]))


def test_lists_that_fail_or_are_stale_are_looked_at_again(tmp_path: Path) -> None:
    world = World(tmp_path, {"slow": 0.1})
    looks = iter(range(10**6))

    def pods() -> list[Pod]:
        look = next(looks)
        if look % 4 == 1:
            raise FAULT
        return [] if look % 4 == 2 else world.provider.pods()

    assert complete(world.regenerate(subject(8), providers=[Meddled(world.provider, pods=pods)]), 8)


def test_g01_prompts_of_a_pod_that_the_provider_lost_have_not_failed(tmp_path: Path) -> None:
    world = World(tmp_path, {"slow": 0.3})
    losing = _losing(world, times=1)
    regenerated = world.regenerate(subject(8), providers=[losing])
    assert complete(regenerated, 8)
    assert "lost by the provider" in {pod.termination_reason for _, pod in regenerated.pods.items()}


def test_g01_where_the_provider_loses_every_pod_there_is_no_verdict(tmp_path: Path) -> None:
    world = World(tmp_path, {"slow": 0.3})
    with pytest.raises(InfrastructureFault, match="lost"):
        world.regenerate(subject(8), providers=[_losing(world, times=100)])


def _losing(world: World, times: int) -> Meddled:
    """A provider that deletes pods of its own accord, as soon as they work."""
    left, lost = [times], set[str]()

    def pods() -> list[Pod]:
        for pod in world.provider.pods():
            if left[0] > 0 and str((pod.url or "").rpartition(":")[2]) in _ports_asked(world):
                left[0] -= 1
                lost.add(pod.name)
                world.provider.delete(pod.name)
        return [pod for pod in world.provider.pods() if pod.name not in lost]

    return Meddled(world.provider, pods=pods)


def _ports_asked(world: World) -> set[str]:
    return (
        {line.split()[1] for line in world.log.read_text().splitlines()}
        if world.log.exists()
        else set()
    )


def test_g25_a_pod_that_can_not_be_deleted_is_left_to_the_reaper(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    deletes = Meddled(world.provider, delete=Failing(never, FAULT))
    with pytest.raises(AssertionError, match=PREFIX):  # pods are left
        world.regenerate(subject(1), providers=[deletes])
    assert any(line.startswith("pods are left") for line in world.messages)
    assert reap([world.provider], shared_on_disk(tmp_path / "home")) != []
    assert world.pods_left() == []


# Leases and the reaper.


def test_g25_the_reaper_deletes_what_no_live_run_holds_by_exact_name(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    home = tmp_path / "home"
    ours, theirs = owner(shared_on_disk(home)), owner(shared_on_disk(tmp_path / "another home"))
    held, other = f"miner-01-5aaaaaaaaa-{ours}-0", f"miner-01-5bbbbbbbbb-{ours}-0"
    strangers = [
        f"miner-01-5aaaaaaaaa-{theirs}-0",
        "miner-01-5aaaaaaaaa-0",
        f"miner-01-5aaaaaaaaa-{ours}",
        f"miner-1-5aaaaaaaaa-{ours}-0",
        "webserver-1",
        f"{held}-copy",
    ]
    for name in (held, other, *strangers):
        world.provider.start(name, IMAGE, None)
    with lease(shared_on_disk(home), "miner-01-5aaaaaaaaa-"):
        assert reap([world.provider], shared_on_disk(home)) == [other]
    assert reap([world.provider], shared_on_disk(home)) == [held]
    assert {pod.name for pod in world.provider.pods()} == set(strangers)
    for name in strangers:
        world.provider.delete(name)


def test_an_installation_keeps_its_name_and_says_so_when_that_can_not_be_read(
    tmp_path: Path,
) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(owner, [shared_on_disk(tmp_path / "home") for _ in range(20)]))
    assert len(names) == 1
    assert owner(shared_on_disk(tmp_path / "home")) in names
    assert owner(shared_on_disk(tmp_path / "another home")) not in names
    (tmp_path / "home/installation").write_text("")
    with pytest.raises(InfrastructureFault, match="installation must hold eight"):
        owner(shared_on_disk(tmp_path / "home"))


def test_g25_two_platforms_on_one_account_leave_each_others_pods_alone(tmp_path: Path) -> None:
    world = World(tmp_path, {"slow": 0.1})
    homes = [tmp_path / "home", tmp_path / "another home"]
    stop = threading.Event()

    def reap_always() -> None:
        while not stop.is_set():
            for home in homes:
                reap([world.provider], shared_on_disk(home))
            time.sleep(0.05)

    with ThreadPoolExecutor(3) as pool:
        reaping = pool.submit(reap_always)
        runs = [
            pool.submit(regenerate, subject(8), world.means(shared=shared_on_disk(home)), *BOTH)
            for home in homes
        ]
        try:
            results = [run.result() for run in runs]
        finally:
            stop.set()
        reaping.result()
    assert all(complete(each, 8) for each in results)
    reasons = {pod.termination_reason for each in results for _, pod in each.pods.items()}
    assert reasons <= {None, "nothing left to do"}
    assert world.pods_left() == []


def test_g25_a_run_that_hangs_still_holds_its_pods_and_one_that_died_does_not(
    tmp_path: Path,
) -> None:
    name, prefix = (
        f"miner-01-5aaaaaaaaa-{owner(shared_on_disk(tmp_path))}-3",
        "miner-01-5aaaaaaaaa-",
    )
    held, hold = os.pipe()
    pid = os.fork()
    if not pid:
        with lease(shared_on_disk(tmp_path), prefix):
            os.write(hold, b"held")
            time.sleep(60)
        os._exit(0)
    assert os.read(held, 4) == b"held"
    long_ago = time.time() - 10**6
    os.utime(tmp_path / "leases/miner-01-5aaaaaaaaa.lock", (long_ago, long_ago))
    os.kill(pid, signal.SIGSTOP)
    assert is_held(shared_on_disk(tmp_path), name)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not is_held(shared_on_disk(tmp_path), name)


def test_g25_one_run_at_a_time_holds_the_pods_of_an_image(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    with (
        lease(shared_on_disk(tmp_path / "home"), PREFIX),
        pytest.raises(InfrastructureFault, match="another run"),
    ):
        world.regenerate()


def test_g25_the_reaper_goes_on_where_one_provider_fails(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    name = f"miner-01-5aaaaaaaaa-{owner(shared_on_disk(tmp_path))}-0"
    world.provider.start(name, IMAGE, None)
    broken = Meddled(world.provider, pods=Failing(never, FAULT))
    with pytest.raises(InfrastructureFault, match=rf"out of order \({name} deleted\)"):
        reap([broken, world.provider], shared_on_disk(tmp_path))
    assert world.pods_left() == []
