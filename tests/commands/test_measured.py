"""`/metrics`, and `gen404 status --watch`: how it stands, for programs and for people."""

import json
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_connection

import httpx2
import pytest
from click.testing import CliRunner

from gen404_assets.commands.cli import gen404
from gen404_assets.commands.health import served
from gen404_assets.commands.measured import Measured
from gen404_assets.commands.status_command import repeat
from gen404_assets.commands.supervisor import Condition
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.round import STATE
from gen404_assets.competition_repository import open_repository
from gen404_assets.live.lane_run import run_lane
from gen404_assets.live.progress import Progress
from gen404_assets.live.shared import shared_on_disk
from gen404_assets.live.sightings import CHAIN, Sightings
from gen404_assets.live.work import Work
from resources.figures import Figures
from resources.ports import free_ports
from resources.providers.opening import ProviderSettings
from resources.settings import BadSetting, read_settings
from simulators.histories import make_competition

ROOT = Path(__file__).parents[2]
DAEMON = Condition("daemon", "up", 1, 10.0, 2, "")


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measured:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    path = make_competition(tmp_path / "repo.git", rounds=1, miners=3, prompts=4)
    repository = open_repository(str(path), "main")
    repository.refresh()
    return Measured(repository, shared_on_disk(tmp_path / "home"))


def values(text: str) -> dict[str, float]:
    rows = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


def test_the_figures_say_where_the_competition_stands(measured: Measured) -> None:
    Sightings(measured.shared.notes).saw(CHAIN, "7000123")
    found = values(measured.text([DAEMON]))
    assert found["gen404_round"] == 1
    assert found['gen404_stage{stage="open"}'] == 1
    assert found['gen404_stage{stage="duels"}'] == 0
    assert found["gen404_block"] == 7000123
    assert found["gen404_blocks_behind"] < 60
    assert found["gen404_head_age_seconds"] >= 0
    assert found['gen404_process_restarts_total{process="daemon"}'] == 2
    assert found['gen404_waits{for="chain or repository"}'] == 0


def test_a_stage_s_age_is_from_the_commit_that_began_it_whenever_the_platform_was_started(
    measured: Measured,
) -> None:
    def commit(state: dict[str, object], age: float) -> None:
        when = datetime.now(UTC) - timedelta(seconds=age)
        measured.repository.publish(
            "By hand", lambda _: {STATE: json.dumps(state).encode()}, time=when
        )

    state = {"current_round": 1, "stage": "open", "next_stage_eta": None}
    commit({**state, "stage": "paused"}, 9000)
    commit(state, 5000)
    commit({**state, "next_stage_eta": "2031-01-01T00:00:00Z"}, 700)
    found = values(measured.text([]))
    assert 5000 <= found["gen404_stage_age_seconds"] < 8000
    assert 700 <= found["gen404_head_age_seconds"] < 5000


def test_what_runs_have_counted_is_shown(measured: Measured) -> None:
    figures = Figures()
    figures.keep_in(lambda: measured.shared.totals)
    figures.add("questions", 7, outcome="answered")
    figures.flush()
    assert values(measured.text([]))['gen404_questions_total{outcome="answered"}'] == 7


def test_pods_cost_what_their_hours_cost_where_the_provider_has_a_price(measured: Measured) -> None:
    figures = Figures()
    figures.keep_in(lambda: measured.shared.totals)
    figures.add("pod_seconds", 5400, provider="targon")
    figures.add("pod_seconds", 5400, provider="local")
    figures.flush()
    measured.costs = ProviderSettings(pod_hour_costs="targon=2.5, verda=3").costs
    found = values(measured.text([]))
    assert found['gen404_pod_cost_total{provider="targon"}'] == 3.75
    assert 'gen404_pod_cost_total{provider="local"}' not in found


@pytest.mark.parametrize(
    "text", ["3.5", "targon", "nobody=1", "targon=-1", "targon=nan", "targon=1,targon=2"]
)
def test_a_price_that_is_none_is_a_bad_setting(text: str) -> None:
    with pytest.raises(BadSetting, match="POD_HOUR_COSTS must be like"):
        read_settings(ProviderSettings, {"POD_HOUR_COSTS": text})


def test_a_repository_that_cannot_be_read_leaves_its_figures_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    nowhere = Measured(
        open_repository(str(tmp_path / "nowhere"), "main"),
        shared_on_disk(tmp_path / "home"),
    )
    found = values(nowhere.text([DAEMON]))
    assert "gen404_round" not in found
    assert found['gen404_process_up{process="daemon"}'] == 1


def test_they_are_served_beside_the_health_as_prometheus_asks() -> None:
    (port,) = free_ports(1)
    with served("127.0.0.1", port, lambda: {"status": "failing"}, lambda: "a 1\n"):
        answer = httpx2.get(f"http://127.0.0.1:{port}/metrics")
        health = httpx2.get(f"http://127.0.0.1:{port}/healthz")
    assert (answer.status_code, answer.text) == (200, "a 1\n")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert health.status_code == 503


def test_strangers_that_hold_connections_open_keep_nobody_from_the_health_for_long() -> None:
    """As many as there is room for send a byte now and then; more are closed at once."""
    (port,) = free_ports(1)
    address = ("127.0.0.1", port)
    health = served(*address, lambda: {"status": "ok"}, str)
    with health, ExitStack() as strangers:
        held = [strangers.enter_context(create_connection(address)) for _ in range(60)]
        for each in held:
            with suppress(OSError):
                each.sendall(b"GET /healthz HTTP/1.1\r\n")
        end = time.monotonic() + 120
        while True:
            try:
                assert httpx2.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
                break
            except httpx2.TransportError:
                assert time.monotonic() < end
            for each in held:
                with suppress(OSError):
                    each.sendall(b"X-Drip: 1\r\n")
            time.sleep(0.5)


def test_every_figure_of_the_dashboard_is_one_that_is_served(measured: Measured) -> None:
    Sightings(measured.shared.notes).saw(CHAIN, "1")
    helps = {line.split()[2] for line in measured.text([]).splitlines() if "# HELP" in line}
    dashboard = json.loads((ROOT / "deploy" / "grafana.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    named = {
        word
        for expression in asked
        for word in expression.replace("(", " ").replace("[", " ").replace("{", " ").split()
        if word.startswith("gen404_")
    }
    assert {word.rstrip(")") for word in named} <= helps
    assert len(named) > 8


class Outside:
    """What `run_lane` asks of everything outside."""

    rules = None

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self.waiting = self

    def end(self, lane: Lane) -> None:
        """Nothing is waited for."""


def test_what_a_run_says_is_its_progress_while_it_works(tmp_path: Path) -> None:
    progress, said, seen = Progress(tmp_path), list[str](), list[object]()
    work = Work(Outside(), 3, said.append)  # type: ignore[arg-type]

    def live(work: Work) -> None:
        work.say("12 of 128 files are in")
        seen.append(progress.last(Lane.COLLECTION))

    run_lane(work, Lane.COLLECTION, live, progress)
    (found,) = seen
    assert isinstance(found, tuple)
    assert found[0] == "12 of 128 files are in"
    assert said == ["12 of 128 files are in"]
    assert progress.last(Lane.COLLECTION) is None


def test_a_status_that_is_watched_is_shown_again_until_somebody_stops_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    looks = iter(["one", "two"])

    def pause(_: float) -> None:
        if next(pauses):
            raise KeyboardInterrupt

    pauses = iter([False, True])
    with pytest.raises(KeyboardInterrupt):
        repeat(lambda: next(looks), forever=True, screen=True, pause=pause)
    assert capsys.readouterr().out.split() == ["one", "two"]
    repeat(lambda: "once", forever=False, screen=True)
    assert capsys.readouterr().out == "once\n"


@pytest.mark.usefixtures("measured")
def test_a_status_shows_how_far_the_work_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COMPETITION_REPO", str(tmp_path / "repo.git"))
    monkeypatch.setenv("SUBTENSOR_NETWORK", "ws://127.0.0.1:9")
    Progress(tmp_path / "home" / "progress").report(Lane.JUDGING, "5 of 9 duels")
    done = CliRunner().invoke(gen404, ["status"], standalone_mode=False)
    assert not isinstance(done.exception, InfrastructureFault), done.exception
    assert "works     judging: 5 of 9 duels (" in done.stdout
    done = CliRunner().invoke(gen404, ["status", "--json"], standalone_mode=False)
    assert json.loads(done.stdout)["progress"]["judging"]["says"] == "5 of 9 duels"
