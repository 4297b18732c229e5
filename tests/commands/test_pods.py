"""`gen404 pods`: what an operator sees of the pods that are rented, and how they end those that are
left over.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gen404_assets.commands.cli import gen404
from gen404_assets.live.fleet import lease, owner
from gen404_assets.live.shared import Shared, open_shared
from resources.providers.opening import open_providers
from resources.providers.provider import Provider
from simulators.clouds import TargonCloud, VerdaCloud
from simulators.regeneration_world import IMAGE, World

PREFIX = "miner-03-5c62ck4urf-"


class Clouds:
    """Targon and Verda with nothing rented yet, and the command line beside them."""

    def __init__(self, targon: TargonCloud, verda: VerdaCloud, environment: dict[str, str]) -> None:
        self.targon, self.verda = targon, verda
        self._environment = environment

    @property
    def shared(self) -> Shared:
        return open_shared(self._environment)

    @property
    def providers(self) -> list[Provider]:
        return list(open_providers(self._environment))

    def pods(self, *arguments: str) -> Result:
        return CliRunner().invoke(gen404, ["pods", *arguments], standalone_mode=False)


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clouds]:
    world = World(tmp_path, {})
    targon, verda = TargonCloud(world.provider), VerdaCloud(world.provider)
    with ExitStack() as stack:
        environment = {
            "GEN404_HOME": str(tmp_path / "home"),
            "COMPETITION_REPO": str(tmp_path / "competition.git"),
            "TARGON_API_URL": stack.enter_context(targon.served()),
            "VERDA_API_URL": f"{stack.enter_context(verda.served())}/v1",
            "GPU_PROVIDERS": "targon,verda",
            "TARGON_API_KEY": "targon-secret",
            "VERDA_CLIENT_ID": "verda-client",
            "VERDA_CLIENT_SECRET": "verda-secret",
            "VERDA_GENERATION_TOKEN": "verda-gateway",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield Clouds(targon, verda, environment)
        for pod in world.provider.pods():
            world.provider.delete(pod.name)


def test_without_pods_it_says_so(clouds: Clouds) -> None:
    assert clouds.pods().output == "no pods on targon, verda\n"


def test_each_pod_is_shown_with_who_holds_it_and_only_what_nobody_holds_is_deleted(
    clouds: Clouds,
) -> None:
    targon, verda = clouds.providers
    ours = owner(clouds.shared)
    held, left, other = f"{PREFIX}{ours}-0", f"miner-03-leader-{ours}-0", f"{PREFIX}ffffffff-0"
    targon.start(held, IMAGE, "one-time")
    verda.start(left, IMAGE, "one-time")
    verda.start(other, IMAGE, "one-time")
    with lease(clouds.shared, PREFIX):
        lines = set(clouds.pods().output.splitlines())
        assert lines == {
            f"{held} on targon: held by a run",
            f"{left} on verda: held by no run",
            f"{other} on verda: not of this installation",
        }
        lines = set(clouds.pods("--reap").output.splitlines())
        assert lines == {
            f"{left}: deleted",
            f"{held} on targon: held by a run",
            f"{other} on verda: not of this installation",
        }


def test_a_provider_that_does_not_answer_hides_no_pod_of_another(clouds: Clouds) -> None:
    targon, verda = clouds.providers
    pod = f"{PREFIX}{owner(clouds.shared)}-0"
    verda.start(pod, IMAGE, "one-time")
    clouds.targon.down = True
    done = clouds.pods()
    assert f"{pod} on verda: held by no run" in done.output
    assert done.exception is not None
    assert targon.name in str(done.exception)
