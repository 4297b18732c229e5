"""Containers behind Verda's gateway: who refused, and what reaches a stranger's code."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.pods import PodRules
from resources.providers.opening import open_providers
from resources.providers.provider import Provider
from simulators.clouds import VerdaCloud
from simulators.regeneration_world import World, subject, until

KEY = "verda-gateway"
PODS = PodRules(
    pod_start_interval=0.3, pod_capacity_timeout=1.0, pod_warmup_timeout=2.0, max_pod_attempts=2
)
PATIENT = PODS.model_copy(update={"pod_warmup_timeout": 20.0})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, {})


@pytest.fixture
def cloud(world: World) -> Iterator[VerdaCloud]:
    cloud = VerdaCloud(world.provider, KEY)
    with cloud.served():
        yield cloud


def provider(cloud: VerdaCloud, key: str = KEY) -> Provider:
    settings = {"VERDA_CLIENT_ID": "client", "VERDA_CLIENT_SECRET": "secret"}
    settings |= {"VERDA_API_URL": f"{cloud.base}/v1", "VERDA_GENERATION_TOKEN": key}
    return open_providers(settings | {"GPU_PROVIDERS": "verda"})[0]


@pytest.mark.parametrize("status", [401, 403])
def test_g01_an_image_that_answers_like_a_gateway_gets_its_verdict(
    world: World, cloud: VerdaCloud, status: int
) -> None:
    world.publish("registry/miner:1", {"health": status})
    regenerated = world.regenerate(subject(2), providers=[provider(cloud)], pods=PODS)
    assert not regenerated.deployed
    assert [pod.termination_reason for _, pod in regenerated.pods.items()] == [
        "never became healthy"
    ] * 2


@pytest.mark.parametrize("status", [401, 403])
def test_g01_a_prompt_that_the_image_refuses_has_failed(
    world: World, cloud: VerdaCloud, status: int
) -> None:
    world.publish("registry/miner:1", {"refuses": status})
    regenerated = world.regenerate(subject(2), providers=[provider(cloud)], pods=PATIENT)
    reasons = {output.model_dump()["reason"] for _, output in regenerated.outputs.items()}
    assert reasons == {f"the container answers {status}"}


def test_g01_a_key_that_the_gateway_refuses_says_nothing_of_the_image(
    world: World, cloud: VerdaCloud
) -> None:
    with pytest.raises(InfrastructureFault, match="gateway answers 401"):
        world.regenerate(subject(2), providers=[provider(cloud, "expired")], pods=PATIENT)


@pytest.mark.parametrize("status", [404, 502, 503])
def test_g01_what_the_gateway_answers_for_a_pod_that_is_gone_is_no_attempt(
    world: World, cloud: VerdaCloud, status: int
) -> None:
    world.publish("registry/miner:1", {"slow": 0.3})
    cloud.gone = status
    removed: list[str] = []

    def remove() -> None:
        until(lambda: len(world.asked()) >= 2, 60)
        removed.append(next(iter(cloud.deployments)))
        cloud.remove(removed[0])

    removing = threading.Thread(target=remove)
    removing.start()
    pods = PATIENT.model_copy(update={"max_pod_attempts": 6})
    regenerated = world.regenerate(subject(8), providers=[provider(cloud)], pods=pods)
    removing.join()
    assert removed
    assert [output.attempts for _, output in regenerated.outputs.items()] == [1] * 8


def test_g01_an_image_that_has_to_be_pulled_is_warming_up(world: World, cloud: VerdaCloud) -> None:
    cloud.pulls = True
    regenerated = world.regenerate(subject(2), providers=[provider(cloud)], pods=PODS)
    assert not regenerated.deployed


def test_g01_a_pod_that_is_placed_late_has_its_whole_warm_up(
    world: World, cloud: VerdaCloud
) -> None:
    world.publish("registry/miner:1", {"warm": 6})
    cloud.unplaced = True
    placing = threading.Timer(9.0, lambda: setattr(cloud, "unplaced", False))
    placing.start()
    pods = PODS.model_copy(update={"pod_warmup_timeout": 12.0, "max_pod_attempts": 1})
    regenerated = world.regenerate(subject(1), providers=[provider(cloud)], pods=pods)
    placing.join()
    assert regenerated.deployed


def test_g23_the_operators_key_stays_at_the_gateway(world: World, cloud: VerdaCloud) -> None:
    authorized = world.folder / "authorized"
    world.publish("registry/miner:1", {"authorized": str(authorized)})
    assert world.regenerate(subject(2), providers=[provider(cloud)], pods=PATIENT).deployed
    assert KEY not in authorized.read_text()


def test_g23_the_operators_key_is_not_sent_to_a_url_that_is_no_gateways(
    world: World, cloud: VerdaCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorized = world.folder / "authorized"
    world.publish("registry/miner:1", {"authorized": str(authorized)})
    monkeypatch.setattr(cloud, "endpoint", cloud.url)
    assert world.regenerate(subject(2), providers=[provider(cloud)], pods=PATIENT).deployed
    assert KEY not in authorized.read_text()
    assert "Bearer " in authorized.read_text()
