"""The sensor of a validator's weights: there only where it is asked for, one run at a time."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from gen404_assets.assets.resource import close_adapters
from gen404_assets.assets.weights import WEIGHTS_TAG
from gen404_assets.definitions import definitions
from gen404_assets.live.weights import RECORD
from gen404_assets.settings import home
from resources.chain.local import LocalChain
from sensors.weights import weights
from tests.sensors.test_lanes import Platform


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SUBTENSOR_NETWORK", (tmp_path / "chain").as_uri())
    monkeypatch.setenv("COMPETITION_REPO", str(tmp_path / "competition.git"))
    close_adapters()
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(tmp_path, instance)
    close_adapters()


def tick(platform: Platform) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(platform.instance) as context:
        result = weights(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def record(block: int) -> None:
    home().mkdir(parents=True, exist_ok=True)
    known = {"commit": "0" * 40, "entry": None, "block": block}
    (home() / RECORD).write_text(json.dumps(known))


def test_asset_and_sensor_are_there_only_where_they_are_asked_for() -> None:
    for asked in (False, True):
        made = definitions({"SET_WEIGHTS": str(asked).lower()})
        keys = {key.to_user_string() for key in made.resolve_asset_graph().get_all_asset_keys()}
        assert ("weights" in keys) is asked
        assert any(sensor.name == "weights" for sensor in made.sensors or []) is asked


def test_a_run_is_requested_where_no_weights_were_set_and_one_alone(platform: Platform) -> None:
    LocalChain(platform.chain).stand(700)
    result = tick(platform)
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert [key.to_user_string() for key in request.asset_selection or []] == ["weights"]
    job = definitions({"SET_WEIGHTS": "true"}).resolve_implicit_global_asset_job_def()
    run = platform.instance.create_run_for_job(
        job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED
    )
    assert run.tags[WEIGHTS_TAG] == "true"
    busy = tick(platform)
    assert isinstance(busy, dg.SkipReason)
    assert "is started" in str(busy.skip_message)
    platform.instance.report_run_failed(run)
    ended = tick(platform)
    assert "has just ended (failure)" in str(getattr(ended, "skip_message", ""))


def test_nothing_is_requested_while_the_weights_are_fresh(platform: Platform) -> None:
    LocalChain(platform.chain).stand(700)
    record(block=690)
    result = tick(platform)
    # Somebody leads now, and nobody did when they were set: that is a change.
    assert isinstance(result, dg.SensorResult)
