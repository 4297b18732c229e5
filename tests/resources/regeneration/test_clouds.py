"""Targon and Verda by their SDKs, against simulators of their HTTP APIs."""

import gc
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.pods import PodRules
from gen404_assets.live.fleet import Fleet, owner, reap
from gen404_assets.live.shared import shared_on_disk
from resources.providers import targon, verda
from resources.providers.local import LocalProvider
from resources.providers.opening import open_providers
from resources.providers.provider import NoCapacity, Provider
from resources.settings import BadSetting
from simulators.clouds import Cloud, TargonCloud, VerdaCloud
from simulators.regeneration_world import IMAGE, World, subject

PREFIX, OWNER = "miner-03-5c62ck4urf-", "0a1b2c3d"
POD = f"{PREFIX}{OWNER}-0"
SECRETS = {
    "TARGON_API_KEY": "targon-secret",
    "VERDA_CLIENT_ID": "verda-client",
    "VERDA_CLIENT_SECRET": "verda-secret",
    "VERDA_GENERATION_TOKEN": "verda-gateway",
}
PODS = PodRules(pod_start_interval=0.6, pod_capacity_timeout=1.0, pod_warmup_timeout=20)


@dataclass
class Rented:
    """A provider, the cloud behind it, and the world in which its pods run."""

    provider: Provider
    cloud: Cloud
    world: World
    url: str

    def called(self, method: str, part: str) -> int:
        return sum(verb == method and part in path for verb, path, _ in self.cloud.asked)


@pytest.fixture(params=["targon", "verda"])
def rented(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rented]:
    world = World(tmp_path, {})
    cloud: Cloud = (TargonCloud if request.param == "targon" else VerdaCloud)(world.provider)
    with ExitStack() as stack:
        url = stack.enter_context(cloud.served())
        settings = {
            "TARGON_API_URL": url,
            "VERDA_API_URL": f"{url}/v1",
            "GPU_PROVIDERS": request.param,
        } | SECRETS
        yield Rented(open_providers(settings)[0], cloud, world, url)
        for pod in world.provider.pods():
            world.provider.delete(pod.name)
    gc.collect()


def test_a_pod_is_started_listed_and_deleted(rented: Rented) -> None:
    rented.provider.start(POD, IMAGE, "one-time")
    (pod,) = rented.provider.pods()
    assert (pod.name, pod.failed) == (POD, False)
    if rented.provider.name == "verda":
        assert pod.url == f"{rented.url}/containers/{POD}"
        assert (pod.token, POD in str(pod.gateway)) == ("verda-gateway", False)
    else:
        assert pod.url == rented.world.provider.pods()[0].url
        assert (pod.token, pod.gateway) == (None, None)
    rented.provider.delete(POD[:-2])
    assert [rented_pod.name for rented_pod in rented.provider.pods()] == [POD]
    rented.provider.delete(POD)
    rented.provider.delete(POD)
    assert rented.provider.pods() == []
    assert rented.world.pods_left() == []


def test_a_pod_is_one_replica_on_an_h200_with_the_port_and_its_own_token(rented: Rented) -> None:
    rented.provider.start(POD, IMAGE, "one-time")
    asked = next(
        body
        for verb, path, body in rented.cloud.asked
        if verb == "POST" and body and "name" in body
    )
    if rented.provider.name == "targon":
        assert (asked["resource_name"], asked["image"], asked["type"]) == (
            "h200-small",
            IMAGE,
            "SERVERLESS",
        )
        assert asked["ports"][0]["port"] == 10006
        assert (
            asked["serverless_config"]["min_replicas"],
            asked["serverless_config"]["max_replicas"],
        ) == (1, 1)
        assert asked["envs"] == [{"name": "POD_TOKEN", "value": "one-time"}]
    else:
        container = asked["containers"][0]
        assert (asked["compute"]["name"], container["image"], container["exposed_port"]) == (
            "H200",
            IMAGE,
            10006,
        )
        assert (asked["scaling"]["min_replica_count"], asked["scaling"]["max_replica_count"]) == (
            1,
            1,
        )
        assert container["env"] == [
            {"name": "POD_TOKEN", "value_or_reference_to_secret": "one-time", "type": "plain"}
        ]


def test_g23_a_pod_is_told_its_own_token_and_no_other_pods(rented: Rented) -> None:
    """Pods of two miners and of two rounds; nothing that leads to one holds another's token."""
    names = [POD, "miner-01-another-0", "miner-02-another-0"]
    for number, name in enumerate(names):
        rented.provider.start(name, IMAGE, f"one-time-{number}")
    told = {
        body["name"]: str(body)
        for verb, _, body in rented.cloud.asked
        if verb == "POST" and body and "name" in body
    }
    for number, name in enumerate(names):
        assert [f"one-time-{other}" in told[name] for other in range(len(names))] == [
            other == number for other in range(len(names))
        ]
    assert "one-time" not in repr(rented.provider.pods())


def test_g23_no_secret_of_the_operators_enters_a_pod_or_an_error(rented: Rented) -> None:
    rented.provider.start(POD, IMAGE, "one-time")
    sent = str([body for _, path, body in rented.cloud.asked if "token" not in path])
    assert not any(secret in sent for secret in SECRETS.values())
    assert "verda-gateway" not in repr(rented.provider.pods())
    for html in (False, True):
        rented.cloud.html = html
        rented.cloud.broken = {("GET", ""): 9, ("POST", ""): 9, ("DELETE", ""): 9}
        for call in (rented.provider.pods, lambda: rented.provider.delete(POD)):
            with pytest.raises(InfrastructureFault) as caught:
                call()
            text = f"{caught.value!r} {caught.value.__cause__!r}"
            assert not any(secret in text for secret in SECRETS.values())


def test_no_capacity_is_told_from_other_faults(rented: Rented) -> None:
    rented.cloud.free = 0
    with pytest.raises(NoCapacity):
        rented.provider.start(POD, IMAGE, None)
    rented.cloud.free = None
    rented.cloud.broken = {("POST", "workloads"): 1, ("POST", "container-deployments"): 1}
    with pytest.raises(InfrastructureFault) as caught:
        rented.provider.start(POD, IMAGE, None)
    assert not isinstance(caught.value, NoCapacity)
    assert rented.world.pods_left() == []


def test_a_create_that_answers_500_and_creates_is_reconciled_by_name(rented: Rented) -> None:
    rented.cloud.broken = {("POST", "workloads"): 1, ("POST", "container-deployments"): 1}
    rented.cloud.creates = True
    fleet = Fleet([rented.provider], PREFIX, OWNER)
    if rented.provider.name == "verda":
        assert fleet.start(IMAGE).name == POD
        assert [pod.name for pod in rented.provider.pods()] == [POD]
    else:  # registered, perhaps, but not deployed: what is left is deleted
        with pytest.raises(InfrastructureFault):
            fleet.start(IMAGE)
        assert rented.provider.pods() == []
    fleet.delete_all()
    assert rented.world.pods_left() == []


@pytest.mark.parametrize("rented", ["targon"], indirect=True)
def test_a_deploy_that_fails_after_registering_leaves_no_orphan(rented: Rented) -> None:
    rented.cloud.broken = {("POST", "/deploy"): 1}
    with pytest.raises(InfrastructureFault):
        rented.provider.start(POD, IMAGE, None)
    assert rented.cloud.deployments == {}


@pytest.mark.parametrize("rented", ["targon"], indirect=True)
def test_what_was_registered_and_never_deployed_is_not_taken_for_a_pod(rented: Rented) -> None:
    """It would be waited for as one that is never placed, for an hour."""
    fleet = Fleet([rented.provider], PREFIX, OWNER)
    rented.provider.pods()
    rented.cloud.stale = True  # so that it isn't found when the start has failed
    rented.cloud.broken = {("POST", "/deploy"): 1}
    with pytest.raises(InfrastructureFault):
        fleet.start(IMAGE)
    assert [each["deployed"] for each in rented.cloud.deployments.values()] == [False]
    rented.cloud.stale = False
    assert fleet.start(IMAGE).name == POD
    assert [each["deployed"] for each in rented.cloud.deployments.values()] == [True]
    assert [pod.url is not None for pod in rented.provider.pods()] == [True]
    fleet.delete_all()
    assert rented.cloud.deployments == {}


@pytest.mark.parametrize("rented", ["targon"], indirect=True)
def test_what_a_failed_start_left_is_no_pod_while_it_can_not_be_deleted(rented: Rented) -> None:
    rented.cloud.broken = {("POST", "/deploy"): 1, ("DELETE", "/workloads"): 1}
    with pytest.raises(InfrastructureFault):
        rented.provider.start(POD, IMAGE, None)
    assert len(rented.cloud.deployments) == 1
    assert rented.provider.pods() == []
    assert rented.cloud.deployments == {}


def test_g25_a_pod_that_a_stale_list_lacks_is_deleted_all_the_same(rented: Rented) -> None:
    rented.provider.pods()
    rented.cloud.stale = True
    rented.provider.start(POD, IMAGE, None)
    assert rented.provider.pods() == []
    rented.provider.delete(POD)
    assert rented.cloud.deployments == {}


def test_a_pod_that_another_run_deletes_while_they_are_listed_is_not_listed(
    rented: Rented,
) -> None:
    rented.cloud.unplaced = True  # so that where it is, is asked each time
    rented.provider.start(POD, IMAGE, None)
    assert [pod.name for pod in rented.provider.pods()] == [POD]
    rented.cloud.stale = True
    rented.cloud.remove(next(iter(rented.cloud.deployments)))
    assert rented.provider.pods() == []


def test_g12_a_provider_that_hangs_is_not_waited_for(
    rented: Rented, monkeypatch: pytest.MonkeyPatch
) -> None:
    rented.cloud.slow = 1.0
    monkeypatch.setattr(targon, "_SECONDS", 0.2)
    monkeypatch.setattr(verda, "_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(InfrastructureFault):
        rented.provider.pods()
    assert time.monotonic() - began < 20
    monkeypatch.undo()
    rented.cloud.slow = 0.0
    assert rented.provider.pods() == []


def test_a_provider_that_is_not_there_is_the_infrastructures_fault() -> None:
    nowhere = {"TARGON_API_URL": "http://127.0.0.1:9", "VERDA_API_URL": "http://127.0.0.1:9"}
    for provider in open_providers({"GPU_PROVIDERS": "targon,verda"} | nowhere | SECRETS):
        for call in (
            provider.pods,
            lambda p=provider: p.start(POD, IMAGE, None),
            lambda p=provider: p.delete(POD),
        ):
            with pytest.raises(InfrastructureFault, match=provider.name):
                call()


def test_an_image_is_regenerated_on_it(rented: Rented) -> None:
    regenerated = rented.world.regenerate(subject(6), providers=[rented.provider], pods=PODS)
    assert [output.complete for _, output in regenerated.outputs.items()] == [True] * 6
    assert rented.cloud.deployments == {}


def test_g01_a_pod_that_is_never_placed_says_nothing_of_its_image(rented: Rented) -> None:
    rented.cloud.unplaced = True
    pods = PodRules(pod_start_interval=0.6, max_pod_attempts=1).model_copy(
        update={"pod_warmup_timeout": 0.5}
    )
    with pytest.raises(InfrastructureFault, match="never placed"):
        rented.world.regenerate(subject(2), providers=[rented.provider], pods=pods)


def test_the_next_provider_takes_what_the_first_has_no_room_for(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    first, second = TargonCloud(world.provider), VerdaCloud(world.provider)
    first.free = 0
    with first.served() as targon_url, second.served() as verda_url:
        urls = {"TARGON_API_URL": targon_url, "VERDA_API_URL": f"{verda_url}/v1"}
        providers = open_providers({"GPU_PROVIDERS": "targon,verda"} | urls | SECRETS)
        regenerated = world.regenerate(subject(2), providers=providers, pods=PODS)
    assert regenerated.deployed
    assert any("started on verda" in line for line in world.messages)
    assert not any("started on targon" in line for line in world.messages)


def test_g25_the_reaper_works_on_it(rented: Rented, tmp_path: Path) -> None:
    home = tmp_path / "home"
    ours, theirs = (
        f"{PREFIX}{owner(shared_on_disk(home))}-0",
        f"{PREFIX}{owner(shared_on_disk(tmp_path / 'their home'))}-0",
    )
    for name in (ours, theirs, f"{PREFIX}0", "another-service"):
        rented.provider.start(name, IMAGE, None)
    assert reap([rented.provider], shared_on_disk(home)) == [ours]
    left = {pod.name for pod in rented.provider.pods()}
    assert left == {theirs, f"{PREFIX}0", "another-service"}


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_start_that_was_refused_is_neither_looked_for_nor_deleted(
    rented: Rented, status: int
) -> None:
    fleet = Fleet([rented.provider], PREFIX, OWNER)
    rented.cloud.status = status
    for _ in range(30):
        rented.cloud.broken = {("POST", "workloads"): 1, ("POST", "container-deployments"): 1}
        with pytest.raises(InfrastructureFault):
            fleet.start(IMAGE)
    rented.cloud.free = 0
    for _ in range(30):
        with pytest.raises(NoCapacity):
            fleet.start(IMAGE)
    rented.cloud.broken = {}
    fleet.delete_all()
    assert rented.called("DELETE", "") == 0


def test_a_start_that_failed_and_then_went_well_leaves_its_pod_alone(rented: Rented) -> None:
    fleet = Fleet([rented.provider], PREFIX, OWNER)
    rented.cloud.broken = {("POST", "workloads"): 1, ("POST", "container-deployments"): 1}
    with pytest.raises(InfrastructureFault):
        fleet.start(IMAGE)
    names = [fleet.start(IMAGE).name for _ in range(3)]
    assert names == [f"{PREFIX}{OWNER}-{index}" for index in range(3)]
    assert sorted(pod.name for pod in rented.provider.pods()) == names
    assert rented.called("DELETE", names[0]) == 0
    fleet.delete_all()


def test_what_a_start_that_failed_left_behind_is_deleted_where_another_provider_took_it(
    rented: Rented, tmp_path: Path
) -> None:
    other = LocalProvider(tmp_path / "network")
    fleet = Fleet([rented.provider, other], PREFIX, OWNER)
    rented.provider.pods()
    rented.cloud.stale = rented.cloud.creates = True
    rented.cloud.broken = {("POST", "/deploy"): 1, ("POST", "container-deployments"): 1}
    rented.cloud.unplaced = True
    assert fleet.start(IMAGE).provider is other
    rented.cloud.stale, rented.cloud.creates = False, False
    if rented.provider.name == "verda":
        assert POD in {pod.name for pod in rented.provider.pods()}
    fleet.start(IMAGE)
    assert POD not in {pod.name for pod in rented.provider.pods()}
    assert POD not in {each.get("name") for each in rented.cloud.deployments.values()}
    fleet.delete_all()


def test_a_pod_that_shows_up_after_a_start_that_failed_is_used(rented: Rented) -> None:
    fleet = Fleet([rented.provider], PREFIX, OWNER)
    rented.provider.pods()
    rented.cloud.stale = rented.cloud.creates = True
    rented.cloud.broken = {("POST", "/deploy"): 1, ("POST", "container-deployments"): 1}
    with pytest.raises(InfrastructureFault):
        fleet.start(IMAGE)
    rented.cloud.stale = False
    assert fleet.start(IMAGE).name == POD
    assert [pod.name for pod in rented.provider.pods()] == [POD]
    fleet.delete_all()


@pytest.mark.parametrize("name", list(SECRETS))
def test_a_key_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(BadSetting, match=name):
        open_providers({"GPU_PROVIDERS": "targon,verda"} | SECRETS | {name: " "})
