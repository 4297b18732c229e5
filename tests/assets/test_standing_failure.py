"""What a failure that lasts costs. With an expired token every tick says what it waits for, a
person is told once, and neither the log nor Dagster's ticks grow by more than is stated here.
"""

import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus

from gen404_assets.assets.resource import close_adapters
from gen404_assets.settings import platform_settings
from sensors.lanes import SENSORS
from sensors.mirror import mirror
from simulators.serving import QuietHandler, serving

LOOKING = [mirror, *SENSORS]
TIMES = 4
"""So often each sensor looks here; a day's cost is reckoned from that."""
DAY = 86_400
KEPT_HOURS = 1
"""Ticks that found nothing to do are deleted after so long (`retention.prune_idle_ticks`)."""


class TokenExpired(QuietHandler):
    """What GitHub's smart HTTP answers to a token that is not valid any more: 401, and which
    credentials it wants (RFC 9110, 15.5.2).
    """

    def do_GET(self) -> None:  # noqa: N802 -- http.server calls it
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="GitHub"')
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's own storage on disk, and a platform whose token has expired."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), TokenExpired)) as url:
        monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("COMPETITION_REPO", f"{url}/404-gen/competition.git")
        monkeypatch.setenv("GITHUB_TOKEN", "expired")
        close_adapters()
        (tmp_path / "dagster").mkdir()
        with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
            yield made
        close_adapters()


def tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> str:
    """A tick, kept as Dagster's daemon keeps it; what it waits for."""
    with dg.build_sensor_context(instance) as context:
        found = sensor(context)
    assert isinstance(found, dg.SkipReason)
    reason = str(found.skip_message)
    instance.create_tick(
        TickData(
            instigator_origin_id=sensor.name,
            instigator_name=sensor.name,
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus.SKIPPED,
            timestamp=time.time(),
            skip_reason=reason,
            selector_id=sensor.name,
        )
    )
    return reason


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_an_expired_token_is_told_once_and_costs_little_a_day(
    instance: dg.DagsterInstance, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "dagster"
    tick(mirror, instance)
    before = size(folder)
    reasons = [tick(sensor, instance) for _ in range(TIMES) for sensor in LOOKING]
    assert all("waits for the repository http://127.0.0.1:" in reason for reason in reasons)
    assert all("could not read Username" in reason for reason in reasons)  # git's words for a 401
    assert all("the remote refuses the token: set GITHUB_TOKEN" in reason for reason in reasons)

    told = capfd.readouterr().err
    assert told.count("waits for the repository") == 1
    assert len(told) < 1000  # for as long as it lasts; 415 MB a day before

    a_day = DAY / platform_settings().sensor_seconds * len(LOOKING)
    written = (size(folder) - before) / len(reasons) * a_day / 1e6
    kept = written * KEPT_HOURS / 24
    print(f"{len(told)} B of log; {written:.0f} MB of ticks a day, {kept:.1f} MB of them kept")
    assert kept < 15  # 252 MB more each day before
