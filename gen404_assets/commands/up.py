"""Dagster on a competition: `gen404 up` runs one, `gen404 browse` looks at one. Its processes are
kept alive, and Ctrl-C ends all that was started.
"""

import hashlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG

from gen404_assets.assets.mirroring import mirrored_as
from gen404_assets.assets.resource import lane_is_free
from gen404_assets.assets.tags import LANE_TAG
from gen404_assets.commands import clock
from gen404_assets.commands.before_start import check
from gen404_assets.commands.dagster_commands import Pages
from gen404_assets.commands.health import health, served
from gen404_assets.commands.importing import import_beside, shown_edition
from gen404_assets.commands.instance import prepare
from gen404_assets.commands.interrupts import end_by_signal
from gen404_assets.commands.measured import Measured
from gen404_assets.commands.notify import Notify
from gen404_assets.commands.occupied import PLATFORM, Competition, is_of, occupied
from gen404_assets.commands.refused import Refused
from gen404_assets.commands.reporting import Reporting, open_reporting
from gen404_assets.commands.retention import PRUNE_SECONDS, prune, rotate
from gen404_assets.commands.services import DAEMON, dagster_services
from gen404_assets.commands.standby import is_alone, tell
from gen404_assets.commands.supervisor import Supervisor
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.history import History
from gen404_assets.competition_repository import history_at, open_repository
from gen404_assets.live.fleet import reap
from gen404_assets.live.shared import open_shared
from gen404_assets.live.sightings import Sightings
from gen404_assets.live.waiting import Waiting
from gen404_assets.settings import PlatformSettings, home
from resources.deadlines import in_background
from resources.git_history import NO_COMMIT
from resources.ports import is_free
from resources.providers.opening import ProviderSettings, open_providers
from resources.repository import Repository
from resources.settings import read_settings, setting

_LIVE = [
    *(dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING),
    *(dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING),
]
_ABOVE_UI = 1000  # the port of /healthz, where none is set
_ROTATE_SECONDS = 30.0  # between two looks at the logs' sizes


def operate(environment: Mapping[str, str], port: int) -> int:
    """Run a competition until a signal comes; no pod is left when it has. Raises BadSetting."""
    check(environment)
    try:
        return serve(environment, port)
    finally:
        reap(open_providers(environment), open_shared())


def serve(environment: Mapping[str, str], port: int) -> int:
    """Import what the repository holds, and keep Dagster alive on it until a signal comes."""
    stop = end_by_signal()
    settings = read_settings(PlatformSettings, environment)
    ports = _Ports.free(settings, port)
    where = Competition.named_in(environment)
    with ExitStack() as stack:
        serves = stack.enter_context(occupied(home(), where))
        variables = prepare(environment)
        is_of(open_shared(), where)
        if not is_alone(stack, stop, PLATFORM):
            return 0
        instance = stack.enter_context(dg.DagsterInstance.get())
        end_left_over(instance)
        clock.forget_later_ticks(instance)
        repository = open_repository(where.repository, where.branch, variables)
        print(f"reading the history of {where.repository}", flush=True)
        history = _history_at_start(repository)
        edition = shown_edition(variables, history)
        variables["COMPETITION_EDITION"] = edition
        mirrored = mirrored_as(edition, instance)
        importing = import_beside(instance, history, mirrored, open_shared(), tell)
        stack.enter_context(importing)
        platform = stack.enter_context(_platform(instance, settings, ports, variables, repository))
        serves(f"{ports.url(ports.health)}/healthz")
        print(f"Dagster's UI will be at {ports.url(ports.ui)}", flush=True)
        print(f"Health: {ports.url(ports.health)}/healthz", flush=True)
        print(f"Dagster's log: {platform.log}. Ctrl-C ends everything.", flush=True)
        platform.run(stop)
        print("stopping", flush=True)
    return 0


@dataclass(frozen=True, slots=True)
class _Ports:
    """Where the platform listens."""

    host: str
    ui: int
    health: int

    @classmethod
    def free(cls, settings: PlatformSettings, ui: int) -> "_Ports":
        """Those of the settings. Raises Refused where another process has one."""
        above = ui + _ABOVE_UI if ui + _ABOVE_UI <= 65535 else ui - _ABOVE_UI
        ports = cls(settings.bind_address, ui, settings.health_port or above)
        if not is_free(ports.ui, ports.host):
            raise Refused(f"port {ports.ui} is taken: choose another with --port")
        if not is_free(ports.health, ports.host):
            raise Refused(f"port {ports.health} is taken: choose another with HEALTH_PORT")
        return ports

    def url(self, port: int) -> str:
        """By which this machine reaches a port."""
        every = {"0.0.0.0", ""}  # noqa: S104 -- compared, not bound
        return f"http://{'127.0.0.1' if self.host in every else self.host}:{port}"


@dataclass(frozen=True, slots=True)
class _Platform:
    """Dagster's processes under supervision, and what is done beside them."""

    instance: dg.DagsterInstance
    supervisor: Supervisor
    log: Path
    settings: PlatformSettings
    reporting: Reporting | None

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. All that can take long is done in the background: nothing delays the
        supervisor.
        """
        steps, notify = clock.Steps(), Notify(os.environ.get("NOTIFY_SOCKET"))
        notify.ready()
        tidied = rotated = time.monotonic() - PRUNE_SECONDS

        def each_round() -> None:
            nonlocal tidied, rotated
            now = time.monotonic()
            notify.alive()
            if self.reporting is not None:
                self.reporting.each_round()
            if back := steps.back():
                tell(f"the clock was set back by {back:.0f} s: the daemon is started again")
                self.supervisor.restart(DAEMON, "waits for a time that has been")
                clock.forget_later_ticks(self.instance)
            if now - rotated > _ROTATE_SECONDS:
                rotated = now
                rotate(_logs(), self.settings.log_megabytes * 1_000_000)
            if now - tidied > PRUNE_SECONDS:
                tidied = now
                in_background(prune, self.instance, self.settings.retention_days)

        self.supervisor.run(stop, each_round)


@contextmanager
def _platform(
    instance: dg.DagsterInstance,
    settings: PlatformSettings,
    ports: _Ports,
    variables: Mapping[str, str],
    repository: Repository,
) -> Iterator[_Platform]:
    """Dagster's processes, to be kept alive, with their health served."""
    log = home() / "dagster.log"
    shared = open_shared()
    for lane in filter(lane_is_free, Lane):
        Waiting(shared.notes).end(lane)  # of a run that has ended with the platform before
    Sightings(shared.notes).clear()
    with tempfile.TemporaryDirectory(prefix=sockets_prefix()) as folder:
        code_socket = Path(folder) / "code.sock"  # in a short path, as sockets need
        pages = Pages(ports.host, ports.ui, settings.called, settings.looks_only)
        services = dagster_services(instance, home() / "dagster", code_socket, pages)
        supervisor = Supervisor(services, log, variables, tell)
        reporting = None
        if settings.gen404_operate:
            reporting = open_reporting(variables, shared.notes, supervisor.conditions)
        try:
            costs = read_settings(ProviderSettings, variables).costs
            figures = Measured(repository, shared, costs)
            with served(
                ports.host,
                ports.health,
                lambda: health(instance, supervisor.conditions(), shared.notes),
                lambda: figures.text(supervisor.conditions()),
            ):
                yield _Platform(instance, supervisor, log, settings, reporting)
        finally:
            supervisor.stop()


def _logs() -> Iterator[Path]:
    yield from home().glob("*.log")
    yield from home().glob("network/logs/*.log")


def end_left_over(instance: dg.DagsterInstance) -> None:
    """Runs that a start before this one left unfinished have died with it: say so, so that their
    work is taken up. One whose process lives on, and holds its lane, is left to end, and so is one
    of another machine.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_LIVE)):
        if setting(os.environ, "DATABASE_URL") and not _was_started_here(run):
            continue
        lane = run.tags.get(LANE_TAG)
        if lane is None or lane_is_free(Lane(lane)):
            instance.report_run_failed(run, "it ended with the process that ran it")


def _was_started_here(run: dg.DagsterRun) -> bool:
    """Whether a code server of this home has launched a run: Dagster notes its socket."""
    return f"/{sockets_prefix()}" in run.tags.get(GRPC_INFO_TAG, "")


def sockets_prefix() -> str:
    """How the temporary folders are called in which this home's code servers listen."""
    here = f"{socket.gethostname()} {home()}"
    return f"gen404-platform-{hashlib.sha256(here.encode()).hexdigest()[:8]}-"


def _history_at_start(repository: Repository) -> History:
    """What the repository holds, or, while it can't be reached, what the mirror does."""
    try:
        head = repository.refresh()
    except InfrastructureFault as fault:
        head = repository.last_known_head()
        if head == NO_COMMIT.sha:
            raise
        tell(f"starting from the mirror of before: {fault}")
    return history_at(repository, head)
