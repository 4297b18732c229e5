"""Ticks while the outside hangs: over real git and TCP, each ends within seconds and says what it
waits for.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from gen404_assets.assets.resource import (
    CompetitionResource,
    close_adapters,
    competition_resources,
)
from gen404_assets.competition_repository import mirrored_history
from gen404_assets.live.background import NotSeen
from resources.ports import free_ports
from sensors.lanes import SENSORS
from sensors.mirror import mirror
from sensors.reaper import reaper
from simulators.gate import Gate, gate
from simulators.histories import make_competition

SECONDS = 60
"""A tick waits for three; the rest is for a busy machine."""


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A competition behind git's own server, and a gate before it."""
    path = make_competition(tmp_path / "competition.git", rounds=2, miners=4, prompts=6)
    for what in ("allowFilter", "allowAnySHA1InWant"):
        subprocess.run(["git", "-C", path, "config", f"uploadpack.{what}", "true"], check=True)
    (port,) = free_ports(1)
    serving = ["git", "daemon", "--listen=127.0.0.1", f"--port={port}", f"--base-path={tmp_path}"]
    daemon = subprocess.Popen([*serving, "--export-all"], stderr=subprocess.DEVNULL)
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    close_adapters()
    try:
        with gate("127.0.0.1", port) as opened:
            url = f"git://127.0.0.1:{opened.port}/competition.git"
            monkeypatch.setenv("COMPETITION_REPO", url)
            until = time.monotonic() + 60
            while subprocess.run(["git", "ls-remote", url], capture_output=True).returncode:  # noqa: PLW1510
                assert time.monotonic() < until
            yield opened
    finally:
        daemon.terminate()
        daemon.wait()
        close_adapters()


def competition() -> CompetitionResource:
    with dg.build_resources(competition_resources(os.environ, operates=False)) as opened:
        resource = opened.competition
    assert isinstance(resource, CompetitionResource)
    return resource


def tick(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance
) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(instance) as context:
        started = time.monotonic()
        result = sensor(context)
        assert time.monotonic() - started < SECONDS
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def test_while_the_remote_hangs_every_tick_ends_and_says_what_it_waits_for(
    remote: Gate, instance: dg.DagsterInstance
) -> None:
    remote.shut()
    for sensor in [mirror, *SENSORS]:
        result = tick(sensor, instance)
        assert isinstance(result, dg.SkipReason)
        message = str(result.skip_message)
        assert (
            f"waits for the repository git://127.0.0.1:{remote.port}/competition.git: " in message
        )
        assert "no answer yet, since 20" in message
    remote.open()
    until = time.monotonic() + 60
    while isinstance(result := tick(mirror, instance), dg.SkipReason):
        assert time.monotonic() < until, result
    assert result.asset_events


def test_files_that_the_mirror_lacks_are_fetched_in_the_background(
    remote: Gate,
) -> None:
    sight, repository = competition().sight(), competition().repository()
    head = sight.head()
    remote.shut()
    with pytest.raises(Exception, match="waits for files of the repository"):
        sight.read(lambda: mirrored_history(repository, head).round(0).prompts)
    remote.open()
    until, prompts = time.monotonic() + 60, None
    while prompts is None:
        try:
            prompts = sight.read(lambda: mirrored_history(repository, head).round(0).prompts)
        except NotSeen:
            assert time.monotonic() < until
    assert len(prompts) > 0


def test_the_reaper_asks_neither_repository_nor_chain(
    remote: Gate, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GPU_PROVIDERS", "local")
    monkeypatch.setenv("LOCAL_NETWORK", str(tmp_path))
    remote.shut()
    result = tick(reaper, instance)
    assert isinstance(result, dg.SkipReason)
    assert str(result.skip_message) == "every pod of ours is held by a live run"
