"""Dagster's processes as `gen404 browse` and `gen404 up` start them, really: each is killed or
stopped, and found and started again; the health says so; the end leaves nothing.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from resources.ports import free_ports
from simulators.histories import make_competition

pytestmark = pytest.mark.timeout(1500)

SECONDS = 300.0
"""A start takes 20 seconds on two idle cores."""


class Platform:
    """`gen404 browse` of a made-up competition."""

    def __init__(self, home: Path, repository: Path) -> None:
        self.home, self.repository = home, repository
        self.ui, self.port = free_ports(2)
        home.mkdir(exist_ok=True)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(home / "n"))
        self.process = self.start(self.ui, self.port)

    def start(self, ui: int, health: int) -> "subprocess.Popen[bytes]":
        settings = {
            "GEN404_HOME": str(self.home),
            "HEALTH_PORT": str(health),
            "NOTIFY_SOCKET": str(self.home / "n"),
        }
        command = [sys.executable, "-m", "gen404_assets.commands.cli", "browse"]
        with (self.home / "up.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--port", str(ui), str(self.repository)],
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self) -> str:
        return (self.home / "up.log").read_text()

    def health(self) -> tuple[int, dict[str, Any]]:
        """The answer's status and content; 0 where there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=20) as it:
                return it.status, json.load(it)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {"processes": [], "faults": ["no answer"]}

    def of(self, name: str) -> dict[str, Any]:
        return next(each for each in self.health()[1]["processes"] if each["name"] == name)

    def until(self, so: Callable[[], object]) -> None:
        end = time.monotonic() + SECONDS
        while not so():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, (self.health(), self.log())
            time.sleep(0.5)

    def until_well(self) -> None:
        self.until(lambda: self.health()[0] == 200)

    def left(self) -> list[str]:
        """The processes that belong to it."""
        commands = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if str(self.home).encode() in (process / "environ").read_bytes():
                    commands.append((process / "cmdline").read_bytes().decode())
        return commands

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(SECONDS)
        self.notified.close()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("p")
    repository = make_competition(folder / "repo.git", rounds=2, miners=4, prompts=6)
    platform = Platform(folder / "h", repository)
    try:
        platform.until_well()
        yield platform
    finally:
        platform.end()


def test_health_tells_of_every_process_and_sensor_and_of_the_head(platform: Platform) -> None:
    status, health = platform.health()
    assert (status, health["status"], health["faults"]) == (200, "ok", [])
    assert {each["name"] for each in health["processes"]} == {"code server", "webserver", "daemon"}
    assert all(each["state"] == "up" and each["pid"] for each in health["processes"])
    sensors = {each["name"]: each for each in health["sensors"]}
    assert sensors.keys() == {"mirror", "standing"}
    assert sensors["mirror"]["result"] == "skipped"
    assert all(each["age"] < 120 for each in sensors.values())
    git = ["git", "-C", str(platform.repository), "rev-parse", "main"]
    head = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    assert health["repository"]["seen"] == head
    assert health["repository"]["age"] < 120


def test_g26_the_ui_of_a_browsed_competition_changes_nothing_and_obeys_no_other_page(
    platform: Platform,
) -> None:
    """As attacked: a mutation in a URL, a form, a false name, JSON of another site and of ours."""
    ranges = '[{assetKey: {path: ["seed"]}}]'
    wipe = f"mutation {{ wipeAssets(assetPartitionRanges: {ranges}) {{ __typename }} }}"
    url, sent = f"http://127.0.0.1:{platform.ui}", json.dumps({"query": wipe}).encode()
    asked = f"{url}/graphql?{urllib.parse.urlencode({'query': wipe})}"
    kind = {"Content-Type": "application/json"}
    assert status_of(asked, {}) == 405
    assert status_of(asked, {"Content-Type": "application/x-www-form-urlencoded"}, b"a=b") == 415
    assert status_of(f"{url}/graphql", {**kind, "Origin": "http://evil.example"}, sent) == 403
    assert status_of(f"{url}/server_info", {"Host": "evil.example"}) == 421
    assert status_of(f"{url}/report_asset_materialization/seed?partition=0", kind, b"{}") == 403
    assert status_of(f"{url}/graphql", {**kind, "Origin": url}, sent) == 400  # no mutations here
    assert status_of(f"{url}/graphql", {**kind, "Origin": url}, b'{"query": "{ version }"}') == 200
    assert status_of(f"{url}/assets/seed", {"Sec-Fetch-Site": "none"}) == 200


def status_of(url: str, headers: dict[str, str], body: bytes | None = None) -> int:
    try:
        request = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_prometheus_reads_its_figures_beside_the_health(platform: Platform) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{platform.port}/metrics", timeout=20) as it:
        figures = it.read().decode().splitlines()
    assert "gen404_round 2.0" in figures
    assert 'gen404_stage{stage="open"} 1.0' in figures
    assert 'gen404_process_up{process="daemon"} 1.0' in figures


def test_systemd_is_told_that_it_is_ready_and_alive(platform: Platform) -> None:
    platform.notified.settimeout(SECONDS)
    assert platform.notified.recv(100) == b"READY=1"
    assert platform.notified.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("code server", signal.SIGKILL),
        ("webserver", signal.SIGKILL),
        ("daemon", signal.SIGKILL),
        ("code server", signal.SIGSTOP),
    ],
)
def test_whatever_dies_or_hangs_is_started_again_and_told_of_once(
    platform: Platform, name: str, how: signal.Signals
) -> None:
    platform.until_well()
    before, times = platform.of(name), platform.log().count(f"{name} answers again")
    os.kill(before["pid"], how)
    platform.until(lambda: platform.of(name)["restarts"] > before["restarts"])
    platform.until_well()
    assert platform.of(name)["pid"] != before["pid"]
    assert platform.log().count(f"{name} answers again") == times + 1
    last = platform.health()[1]["sensors"][0]["at"]
    platform.until(lambda: platform.health()[1]["sensors"][0]["at"] > last)


def test_a_home_is_one_platforms(platform: Platform) -> None:
    second = platform.start(*free_ports(2))
    assert second.wait(SECONDS) == 2
    assert "a platform runs in" in platform.log()
    assert "choose another GEN404_HOME" in platform.log()
    assert platform.process.poll() is None


def test_the_end_leaves_nothing(platform: Platform) -> None:
    platform.end()
    assert platform.process.returncode == 0
    assert platform.left() == []
