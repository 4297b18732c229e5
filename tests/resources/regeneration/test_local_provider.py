"""Pods as processes on this machine, known by their files to every process."""

import json
from pathlib import Path

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from resources.providers.local import LocalProvider
from resources.providers.opening import open_providers
from resources.providers.provider import Pod
from resources.settings import BadSetting
from simulators.regeneration_world import IMAGE, World, until


def test_a_pod_is_started_listed_and_deleted_by_name(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    world.provider.start("pod-0", IMAGE, None)
    world.provider.start("pod-1", IMAGE, None)
    first, second = world.provider.pods()
    assert (first.name, second.name, first.failed) == ("pod-0", "pod-1", False)
    assert first.url != second.url
    world.provider.delete("pod")
    world.provider.delete("pod-0")
    world.provider.delete("pod-0")
    assert world.provider.pods() == [second]
    world.provider.delete("pod-1")
    assert world.pods_left() == []


def test_another_process_finds_and_deletes_it(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    world.provider.start("pod-0", IMAGE, None)
    other = LocalProvider(tmp_path / "network")
    assert other.pods() == world.provider.pods()
    other.delete("pod-0")
    world.provider.delete("pod-0")
    assert world.pods_left() == []


def test_an_image_that_is_not_there_makes_a_pod_that_has_failed(tmp_path: Path) -> None:
    provider = LocalProvider(tmp_path)
    provider.start("pod-0", IMAGE, None)
    assert provider.pods() == [Pod("pod-0", None, failed=True)]
    provider.delete("pod-0")
    assert provider.pods() == []


def test_a_pod_whose_process_has_ended_has_failed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(IMAGE, {})
    path = tmp_path / "network/images.json"
    path.write_text(json.dumps({IMAGE: ["false"]}))
    world.provider.start("pod-0", IMAGE, None)
    until(lambda: world.provider.pods()[0].failed)
    world.provider.delete("pod-0")


def test_g25_a_pods_number_that_is_anothers_by_now_is_left_alone(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    world.provider.start("pod-0", IMAGE, None)
    path = tmp_path / "network/pods/pod-0.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps(state | {"started": state["started"] - 1}))
    world.provider.delete("pod-0")
    assert world.pods_left() == [str(state["pid"])]
    path.write_text(json.dumps(state))
    world.provider.delete("pod-0")
    assert world.pods_left() == []


def test_g25_all_that_a_pod_has_started_goes_with_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(IMAGE, {})
    (tmp_path / "network/images.json").write_text(
        json.dumps({IMAGE: ["sh", "-c", "sleep 60 & sleep 60 & wait"]})
    )
    world.provider.start("pod-0", IMAGE, None)
    until(lambda: len(world.pods_left()) >= 4)
    world.provider.delete("pod-0")
    until(lambda: world.pods_left() == [])


def test_g25_a_start_that_is_cut_off_before_its_file_is_there_leaves_no_process(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, {})
    world.provider.start("pod-0", IMAGE, None)
    with pytest.raises(InfrastructureFault, match="already"):
        world.provider.start("pod-0", IMAGE, None)
    until(lambda: len(world.pods_left()) == 2)  # the one process, and its entry
    world.provider.delete("pod-0")


@pytest.mark.parametrize("name", ["../pod", "Pod", "", "a/b", "-a"])
def test_g22_a_name_that_is_no_pods_touches_nothing(tmp_path: Path, name: str) -> None:
    provider = LocalProvider(tmp_path)
    with pytest.raises(ValueError, match="no name"):
        provider.start(name, IMAGE, None)
    provider.delete(name)


def test_the_providers_are_those_named_in_order(tmp_path: Path) -> None:
    assert [provider.name for provider in open_providers({"LOCAL_NETWORK": str(tmp_path)})] == [
        "local"
    ]
    with pytest.raises(BadSetting, match="LOCAL_NETWORK"):
        open_providers({})
    for names in ("amazon", "local,local", "local,"):
        with pytest.raises(BadSetting, match="GPU_PROVIDERS"):
            open_providers({"GPU_PROVIDERS": names, "LOCAL_NETWORK": str(tmp_path)})


def test_images_that_are_half_written_are_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "images.json").write_text('{"image": [')
    with pytest.raises(InfrastructureFault, match="not JSON"):
        LocalProvider(tmp_path).start("pod-0", IMAGE, None)
