"""What keeps a platform going for months: homes of one competition each, old runs and logs that go,
a clock that steps, and a unit that systemd takes.
"""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.storage.dagster_run import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test, freeze_time

from gen404_assets.commands import clock, retention, standby
from gen404_assets.commands.health import health
from gen404_assets.commands.instance import tick_retention
from gen404_assets.commands.occupied import Competition, occupied, platform_health
from gen404_assets.commands.refused import Refused
from gen404_assets.commands.retention import (
    prune_idle_ticks,
    prune_runs,
    rotate,
)
from gen404_assets.commands.supervisor import Condition
from gen404_assets.competition.catalogue import Lane
from gen404_assets.live.sightings import REPOSITORY, Sightings
from gen404_assets.live.waiting import Waiting
from resources.notes import FileNotes

ROOT = Path(__file__).parents[2]
HERE = Competition("https://example.org/a.git", "main")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster as `gen404 up` configures it."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    text = (ROOT / "dagster.yaml").read_text() + tick_retention(days=30)
    (folder / "dagster.yaml").write_text(text)
    with dg.DagsterInstance.from_config(str(folder)) as result:
        yield result


def run(
    instance: dg.DagsterInstance,
    age: timedelta,
    status: DagsterRunStatus = DagsterRunStatus.SUCCESS,
) -> str:
    with freeze_time(datetime.now(UTC) - age):
        return str(create_run_for_test(instance, status=status).run_id)


def test_old_runs_go_with_what_they_logged(instance: dg.DagsterInstance) -> None:
    old, young = run(instance, timedelta(days=31)), run(instance, timedelta(days=29))
    living = run(instance, timedelta(days=99), DagsterRunStatus.STARTED)
    assert prune_runs(instance, 30) == 1
    left = {each.run_id for each in instance.get_runs()}
    assert left == {young, living}
    assert not instance.all_logs(old)
    assert prune_runs(instance, 30) == 0


def test_of_failed_runs_the_newest_stay(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FAILED_RUNS", 3)
    failed = [run(instance, timedelta(minutes=9 - n), DagsterRunStatus.FAILURE) for n in range(5)]
    done = run(instance, timedelta(minutes=20))
    assert prune_runs(instance, 30) == 2
    assert {each.run_id for each in instance.get_runs()} == {*failed[2:], done}


def test_ticks_are_purged_by_the_setting_failed_ones_too(instance: dg.DagsterInstance) -> None:
    kept = instance.get_tick_retention_settings(InstigatorType.SENSOR)
    assert kept[TickStatus.SKIPPED] == 1
    assert {kept[each] for each in TickStatus if each is not TickStatus.SKIPPED} == {30}


def test_ticks_that_found_nothing_to_do_are_kept_for_an_hour(
    instance: dg.DagsterInstance,
) -> None:
    state = sensor_state(instance, last_tick=time.time())
    now = time.time()
    for age, status in (
        (3500, TickStatus.SKIPPED),
        (3700, TickStatus.SKIPPED),
        (3700, TickStatus.STARTED),
    ):
        tick(instance, state, now - age, status)
    prune_idle_ticks(instance)
    left = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    kept = {(round(now - tick.timestamp), tick.status) for tick in left}
    assert kept == {
        (3500, TickStatus.SKIPPED),
        (3700, TickStatus.STARTED),
    }


def tick(
    instance: dg.DagsterInstance, state: InstigatorState, when: float, status: TickStatus
) -> None:
    """A tick of a sensor."""
    instance.create_tick(
        TickData(
            instigator_origin_id=state.instigator_origin_id,
            selector_id=state.selector_id,
            instigator_name=state.name,
            instigator_type=InstigatorType.SENSOR,
            status=status,
            timestamp=when,
        )
    )


def sensor_state(instance: dg.DagsterInstance, last_tick: float) -> InstigatorState:
    """A sensor that ticked last at a time."""
    location = GrpcServerCodeLocationOrigin(host="localhost", socket="s", location_name="here")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "repository"), "mirror")
    data = SensorInstigatorData(last_tick_timestamp=last_tick, last_tick_start_timestamp=last_tick)
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data)
    return instance.add_instigator_state(state)


def test_a_tick_of_later_than_now_makes_no_sensor_wait(instance: dg.DagsterInstance) -> None:
    state = sensor_state(instance, last_tick=time.time() + 7200)
    clock.forget_later_ticks(instance)
    after = instance.get_instigator_state(state.instigator_origin_id, state.selector_id)
    assert after is not None
    assert isinstance(after.instigator_data, SensorInstigatorData)
    assert (after.instigator_data.last_tick_start_timestamp or 0) <= time.time()
    assert (after.instigator_data.last_tick_timestamp or 0) <= time.time()


def test_ticks_of_before_the_clock_was_set_back_hide_none_of_now(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    state, now = sensor_state(instance, last_tick=time.time()), time.time()
    tick(instance, state, now - 4, TickStatus.SKIPPED)
    tick(instance, state, now + 7200, TickStatus.SKIPPED)
    (sensor,) = health(instance, UP, FileNotes(tmp_path))["sensors"]
    assert 4 <= sensor["age"] < 60


def test_logs_rotate_and_three_older_ones_stay(tmp_path: Path) -> None:
    log = tmp_path / "dagster.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(6):
            writer.write(f"{number}".encode() * 100)
            rotate([log], 99)
        writer.write(b"x")
        rotate([log], 99)
    assert log.read_bytes() == b"x", "whoever has it open goes on at its beginning"
    older = {path.name: path.read_text()[0] for path in tmp_path.glob("dagster.log.*")}
    assert older == {"dagster.log.1": "5", "dagster.log.2": "4", "dagster.log.3": "3"}


def test_a_home_is_one_competitions(tmp_path: Path) -> None:
    with occupied(tmp_path, HERE):
        pass
    other = Competition("https://example.org/b.git", "main")
    with (
        pytest.raises(Refused, match=r"holds the competition https://example.org/a.git \(main\)"),
        occupied(tmp_path, other),
    ):
        pass
    assert other.folder() != HERE.folder() != Competition(HERE.repository, "next").folder()


def test_a_home_is_one_processes(tmp_path: Path) -> None:
    assert platform_health(tmp_path)["faults"] == [f"no `gen404 up` runs in {tmp_path}"]
    with occupied(tmp_path, HERE) as serves:
        with pytest.raises(Refused, match="a platform runs in"), occupied(tmp_path, HERE):
            pass
        assert "starts, or stands by" in platform_health(tmp_path)["faults"][0]
        serves("http://127.0.0.1:1/healthz")
        assert "gives no answer" in platform_health(tmp_path)["faults"][0]
    assert "no `gen404 up` runs" in platform_health(tmp_path)["faults"][0]


def test_a_platform_that_stands_by_tells_systemd_that_it_lives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([False, False, True])

    @contextmanager
    def hold(*_: object) -> Iterator[bool]:
        yield next(answers)

    shared = SimpleNamespace(claims=SimpleNamespace(hold=hold))
    monkeypatch.setattr(standby, "open_shared", lambda: shared)
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@host/name")
    with ExitStack() as stack, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert standby.is_alone(stack, threading.Event(), "platform")
        systemd.setblocking(False)
        assert {systemd.recv(99), systemd.recv(99)} == {b"READY=1", b"WATCHDOG=1"}
    assert capsys.readouterr().out.count("stands by") == 1


def test_a_clock_set_back_is_noticed_and_one_set_forward_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall = [time.time()]
    monkeypatch.setattr("gen404_assets.commands.clock.time.time", lambda: wall[0])
    steps = clock.Steps()
    assert steps.back() == 0
    wall[0] += 7200
    assert steps.back() == 0
    wall[0] -= 7200
    assert 7190 < steps.back() < 7210
    assert steps.back() == 0


UP = [Condition(name, "up", 1, 5.0, 0, "") for name in ("code server", "daemon", "webserver")]


def test_what_is_out_of_order_outside_is_a_wait_and_no_fault(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gen404_assets.commands.health._sensors",
        lambda _: [{"name": "mirror", "age": 3.0, "result": "skipped", "says": ""}],
    )
    notes = FileNotes(tmp_path)
    assert health(instance, UP, notes)["status"] == "ok"
    sightings = Sightings(notes)
    sightings.saw(REPOSITORY, "abc")
    sightings.failed(REPOSITORY, "401")
    Waiting(notes).begin(Lane.JUDGING, "503 overloaded", datetime(2026, 1, 5, tzinfo=UTC))
    result = health(instance, UP, notes)
    assert result["status"] == "waiting"
    assert [wait.split(",")[0] for wait in result["waits"]] == [
        "repository: 401",
        "judging: 503 overloaded",
    ]
    assert result["repository"]["seen"] == "abc"


@pytest.mark.parametrize("state", ["starting", "silent", "down"])
def test_a_process_that_is_not_up_is_a_fault(
    instance: dg.DagsterInstance, tmp_path: Path, state: str
) -> None:
    bad = Condition("daemon", state, None, 5.0, 3, "ended by itself with exit code -9")
    result = health(instance, [bad], FileNotes(tmp_path))
    assert result["status"] == "failing"
    assert f"the daemon is {state}: it ended by itself with exit code -9" in result["faults"]
    assert "no sensor has looked yet" in result["faults"]
    json.dumps(result)


@pytest.mark.parametrize(("every", "late"), [("5", 126), ("600", 721)])
def test_a_sensor_is_late_two_minutes_after_its_next_look_was_due(
    instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    every: str,
    late: float,
) -> None:
    monkeypatch.setenv("SENSOR_SECONDS", every)

    def faults(age: float) -> list[str]:
        sensor = {"name": "mirror", "age": age, "result": "skipped", "says": ""}
        monkeypatch.setattr("gen404_assets.commands.health._sensors", lambda _: [sensor])
        return list(health(instance, UP, FileNotes(tmp_path))["faults"])

    assert faults(late - 2) == []
    assert faults(late) == [f"the sensor mirror has not looked for {late} s"]


def test_a_storage_that_hangs_is_named_and_no_sensor_is_blamed(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(instance, "all_instigator_state", lambda **_: answers.wait(60) and [])
    monkeypatch.setattr("gen404_assets.commands.health._DEADLINE", 0.1)
    result = health(instance, UP, FileNotes(tmp_path))
    answers.set()
    assert result["faults"] == ["Dagster's storage has not answered for 0.1 s"]
    assert result["sensors"] == []


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = (ROOT / "deploy" / "gen404.service").read_text()
    assert "\nExecStart=/opt/gen404/.venv/bin/gen404 up --port 3000\n" in unit
    here = tmp_path / "gen404.service"
    here.write_text(unit.replace("/opt/gen404/.venv/bin/gen404", sys.executable))
    command = ["systemd-analyze", "verify", "--man=no", str(here)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
