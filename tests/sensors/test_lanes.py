"""The sensors that set rounds going: they request what is due, once, in order, and take failed work
up again.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.resource import close_adapters, hold
from gen404_assets.commands.operating import begin
from gen404_assets.commands.up import end_left_over
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition_repository import create_repository, open_repository
from gen404_assets.definitions import defs
from gen404_assets.live.sightings import Sightings
from gen404_assets.live.waiting import Waiting
from gen404_assets.settings import home
from resources.chain.local import LocalChain, create_local_chain
from resources.chain.opening import open_chain
from resources.notes import FileNotes
from sensors import lanes
from sensors.standing import standing
from simulators.examples import MINERS
from simulators.rounds import CONFIG, FOUNDER, POOL

SENSORS = {sensor.name: sensor for sensor in lanes.SENSORS}
OPENING = {"submissions", "seed", "prompts"}


class Platform:
    """A competition whose round 0 opens at block 600, with Dagster in memory."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.instance, self.repository, self.chain = (
            instance,
            folder / "competition.git",
            folder / "chain",
        )
        create_local_chain(self.chain, block_time=12, genesis_time=datetime(2026, 1, 5, tzinfo=UTC))
        create_repository(self.repository)
        files = {
            "config.json": json.dumps(CONFIG).encode(),
            "prompts.txt": POOL.encode(),
            "leader.json": json.dumps([{"hotkey": MINERS[-1]} | FOUNDER]).encode(),
        }
        chain = open_chain({"SUBTENSOR_NETWORK": self.chain.as_uri()})
        begin(open_repository(str(self.repository), "main"), files, chain.finalized())
        chain.close()

    def tick(self, name: str) -> dg.SensorResult | dg.SkipReason:
        with dg.build_sensor_context(self.instance) as context:
            result = SENSORS[name](context)
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        return result

    def requested(self, name: str) -> list[dg.RunRequest]:
        result = self.tick(name)
        return list(result.run_requests or []) if isinstance(result, dg.SensorResult) else []

    def run_of(self, request: dg.RunRequest, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """A run that came of a request, as Dagster would record it."""
        job = defs.resolve_implicit_global_asset_job_def()
        return self.instance.create_run_for_job(
            job,
            tags={**request.tags, "dagster/partition": str(request.partition_key)},
            status=status,
        )


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SUBTENSOR_NETWORK", (tmp_path / "chain").as_uri())
    monkeypatch.setenv("COMPETITION_REPO", str(tmp_path / "competition.git"))
    monkeypatch.setenv("GEN404_OPERATE", "true")
    close_adapters()
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(tmp_path, instance)
    close_adapters()


def test_before_the_block_a_tick_says_what_is_waited_for(platform: Platform) -> None:
    result = platform.tick("collection")
    assert isinstance(result, dg.SkipReason)
    assert "waits for miners to reveal (block 600)" in str(result.skip_message)


@pytest.mark.usefixtures("platform")
def test_a_tick_that_finds_nothing_due_opens_no_storage() -> None:
    """There is none here to open: it would cost each tick 0.1 s of CPU, for months."""
    assert not [sensor.name for sensor in defs.sensors or () if sensor.required_resource_keys]
    for sensor in SENSORS.values():
        with dg.build_sensor_context() as context:
            assert isinstance(sensor(context), dg.SkipReason)


def test_at_the_block_one_run_of_the_due_assets_is_requested_with_its_partition(
    platform: Platform,
) -> None:
    LocalChain(platform.chain).stand(700)
    result = platform.tick("collection")
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert {key.to_user_string() for key in request.asset_selection or []} == OPENING
    assert request.partition_key == "0"
    (added,) = result.dynamic_partitions_requests or []
    assert (added.partitions_def_name, list(added.partition_keys)) == (ROUNDS.name, ["0"])
    for other in ("generation", "judging", "finalizing"):
        assert not platform.requested(other)


def test_two_ticks_request_the_same_run(platform: Platform) -> None:
    LocalChain(platform.chain).stand(700)
    first, second = platform.requested("collection"), platform.requested("collection")
    assert [request.run_key for request in first] == [request.run_key for request in second]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_nothing_is_requested_while_a_run_of_the_lane_is_under_way(
    platform: Platform, status: dg.DagsterRunStatus
) -> None:
    LocalChain(platform.chain).stand(700)
    (request,) = platform.requested("collection")
    platform.run_of(request, status)
    assert not platform.requested("collection")


def test_nothing_is_requested_while_somebody_works_in_the_lane(platform: Platform) -> None:
    LocalChain(platform.chain).stand(700)
    with hold(Lane.COLLECTION) as held:
        assert held
        assert not platform.requested("collection")
    assert platform.requested("collection")


def test_a_tick_says_what_the_run_under_way_waits_for(platform: Platform) -> None:
    LocalChain(platform.chain).stand(700)
    (request,) = platform.requested("collection")
    platform.run_of(request, dg.DagsterRunStatus.STARTED)
    waiting = Waiting(FileNotes(home()))
    assert waiting.begin(Lane.COLLECTION, "the store: 503", datetime(2026, 1, 5, tzinfo=UTC))
    result = platform.tick("collection")
    assert isinstance(result, dg.SkipReason)
    assert "collection waits for the store: 503, since 2026-01-05T00:00:00+00:00" in str(
        result.skip_message
    )
    assert waiting.end(Lane.COLLECTION)
    assert "waits for the store" not in str(platform.tick("collection"))


def test_g14_a_failed_run_is_taken_up_again_under_another_key(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensors.lane_runs._FIRST_DELAY", 600.0)  # also on a busy machine
    LocalChain(platform.chain).stand(700)
    (request,) = platform.requested("collection")
    platform.run_of(request, dg.DagsterRunStatus.FAILURE)
    result = platform.tick("collection")
    assert isinstance(result, dg.SkipReason)
    assert "failed 1 times" in str(result.skip_message)
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now + 700)
    (again,) = platform.requested("collection")
    assert again.run_key != request.run_key


def test_runs_that_fail_again_and_again_are_shown_as_what_the_lane_waits_for(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that never begin, and tell nothing themselves. What a run has told stands."""
    LocalChain(platform.chain).stand(700)
    now, waiting = time.monotonic(), Waiting(FileNotes(home()))
    for number in range(4):
        later = now + 650 * number  # no back-off is that long
        monkeypatch.setattr("time.monotonic", lambda later=later: later)
        (request,) = platform.requested("collection")
        assert ["3 in a row have failed" in wait for wait in waiting.all()] == [True] * (
            number == 3
        )
        platform.run_of(request, dg.DagsterRunStatus.FAILURE)
        platform.tick("collection")  # from now on the back-off counts
    waiting.begin(Lane.COLLECTION, "the store: 503", datetime(2026, 1, 5, tzinfo=UTC))
    monkeypatch.setattr("time.monotonic", lambda: now + 4 * 650)
    assert platform.requested("collection")
    (wait,) = waiting.all()
    assert "collection: the store: 503" in wait


def test_g14_a_run_that_died_without_a_word_is_reported_and_its_work_taken_up(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalChain(platform.chain).stand(700)
    (request,) = platform.requested("collection")
    run = platform.run_of(request, dg.DagsterRunStatus.STARTED)

    def known() -> dg.DagsterRunStatus:
        found = platform.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.status

    monkeypatch.setattr("sensors.lane_runs._LOOKS_APART", 3600.0)  # the looks of a busy machine
    platform.tick("collection")
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now + 40)
    with hold(Lane.COLLECTION):
        platform.tick("collection")
    monkeypatch.setattr("time.monotonic", lambda: now + 90)
    platform.tick("collection")
    assert known() is dg.DagsterRunStatus.STARTED, "it held its lane meanwhile"
    monkeypatch.setattr("time.monotonic", lambda: now + 190)
    platform.tick("collection")
    assert known() is dg.DagsterRunStatus.FAILURE


def test_runs_left_over_by_a_process_that_is_gone_are_failed_at_the_next_start(
    platform: Platform,
) -> None:
    LocalChain(platform.chain).stand(700)
    (request,) = platform.requested("collection")
    for status in (
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.SUCCESS,
    ):
        platform.run_of(request, status)
    end_left_over(platform.instance)
    statuses = sorted(run.status.value for run in platform.instance.get_runs())
    assert statuses == ["FAILURE", "FAILURE", "SUCCESS"]


def test_g17_a_malformed_state_stops_every_tick_and_is_said_with_its_place(
    platform: Platform,
) -> None:
    repository = open_repository(str(platform.repository), "main")
    repository.publish("By hand", lambda _: {"state.json": b'{\n  "current_round": "zero"\n}'})
    for _ in range(2):
        found = platform.tick("collection")
        assert isinstance(found, dg.SkipReason)
        assert str(found.skip_message).startswith(
            "waits until this is mended: state.json:2: current_round"
        )


def test_a_file_that_a_person_mistyped_is_a_wait_in_the_health_until_it_is_mended(
    platform: Platform,
) -> None:
    repository = open_repository(str(platform.repository), "main")
    good = repository.snapshot(repository.refresh()).read("state.json") or b""
    repository.publish("By hand", lambda _: {"state.json": good.replace(b'"', b"'", 1)})
    assert waits(platform)[0].startswith("the repository's files: state.json:2: Expecting ")
    repository.publish("By hand", lambda _: {"state.json": good})
    until = time.monotonic() + 60
    while waits(platform):  # a head is looked for once a second
        assert time.monotonic() < until


def waits(platform: Platform) -> list[str]:
    """What the health waits for, after a tick."""
    with dg.build_sensor_context(platform.instance) as context:
        standing(context)
    return Sightings(FileNotes(home())).waits()


def test_every_asset_that_can_be_due_is_requested_by_one_sensor() -> None:
    lanes_watched = [lane for watched in lanes.LANES.values() for lane in watched]
    assert sorted(lanes_watched) == sorted(Lane)
