"""`gen404 start monitor`: what `gen404 up` does beside Dagster's processes, where these run apart:
`/healthz`, `/metrics`, alerts, and the deletion of old runs.

It starts nothing and ends nothing: who runs the processes apart (Kubernetes, compose) does that.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass

import dagster as dg
from dagster._grpc.client import DagsterGrpcClient

from gen404_assets.commands.health import health, served
from gen404_assets.commands.interrupts import end_by_signal
from gen404_assets.commands.measured import Measured
from gen404_assets.commands.occupied import MONITOR, Competition
from gen404_assets.commands.processes import address_of_code, prepared
from gen404_assets.commands.refused import Refused
from gen404_assets.commands.reporting import Reporting, open_reporting
from gen404_assets.commands.retention import PRUNE_SECONDS, prune
from gen404_assets.commands.services import (
    CODE_SERVER,
    DAEMON,
    Heartbeats,
    code_served,
)
from gen404_assets.commands.standby import is_alone, tell
from gen404_assets.commands.supervisor import PROBE_SECONDS, Condition
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition_repository import open_repository
from gen404_assets.live.shared import open_shared
from gen404_assets.settings import PlatformSettings
from resources.deadlines import in_background
from resources.ports import is_free
from resources.providers.opening import ProviderSettings
from resources.repository import Repository
from resources.settings import read_settings

PORT = 4000  # where HEALTH_PORT is not set: 1000 above the UI's, as with `gen404 up`

_ROUND_SECONDS = 0.5  # between two rounds, none of which waits for anything
_FETCH_SECONDS = 15.0
"""Between two fetches: alerts are that much later at most."""
_SILENCE = 60.0
"""Seconds without an answer; the daemon's threads say only every 30 s that they live."""


def monitor(environment: Mapping[str, str], port: int | None) -> int:
    """Watch the platform until a signal comes. Raises BadSetting and Refused."""
    stop = end_by_signal()
    variables, (host, code_port) = prepared(environment), address_of_code(environment)
    settings = read_settings(PlatformSettings, variables)
    where = Competition.named_in(variables)
    if not where.repository:
        raise Refused("COMPETITION_REPO must be set: the monitor watches a competition")
    port = port or settings.health_port or PORT
    if not is_free(port, settings.bind_address):
        raise Refused(f"port {port} is taken: choose another with --port")
    repository = open_repository(where.repository, where.branch, variables)
    with ExitStack() as stack:
        if not is_alone(stack, stop, MONITOR):
            return 0
        instance = stack.enter_context(dg.DagsterInstance.get())
        shared = open_shared(variables)
        code = DagsterGrpcClient(host=host, port=code_port)
        processes = Processes({CODE_SERVER: lambda: code_served(code), DAEMON: _daemon(instance)})
        mirror = Mirror(repository)
        figures = Measured(repository, shared, read_settings(ProviderSettings, variables).costs)
        stack.enter_context(
            served(
                settings.bind_address,
                port,
                lambda: health(instance, processes.conditions(), shared.notes),
                lambda: figures.text(processes.conditions()),
            )
        )
        reporting = None
        if settings.gen404_operate:
            reporting = open_reporting(
                variables,
                shared.notes,
                processes.conditions,
                lambda: {**processes.silent(), **mirror.fault()},
            )
        tell(f"health: http://{settings.bind_address}:{port}/healthz")
        work = _Work(instance, processes, mirror, reporting, settings.retention_days)
        work.run(stop)
    return 0


@dataclass
class _Work:
    """What the monitor does again and again; nothing of it delays the rest."""

    instance: dg.DagsterInstance
    processes: "Processes"
    mirror: "Mirror"
    reporting: Reporting | None
    days: int

    def run(self, stop: threading.Event) -> None:
        """Until `stop`."""
        tidied = time.monotonic() - PRUNE_SECONDS
        while not stop.wait(_ROUND_SECONDS):
            self.processes.ask()
            self.mirror.fetch()
            if self.reporting is not None and (self.mirror.is_known or self.mirror.fault()):
                self.reporting.each_round()
            if time.monotonic() - tidied > PRUNE_SECONDS:
                tidied = time.monotonic()
                in_background(prune, self.instance, self.days)


class Mirror:
    """The monitor's own mirror of the repository, which it reads the news from."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._fetched = float("-inf")
        self._fetch: Future[str] | None = None
        self._fault = ""
        self.is_known = False

    def fetch(self) -> None:
        """Begin to fetch where it is time. Never waits."""
        if self._fetch is not None and self._fetch.done():
            self._end(self._fetch)
            self._fetch = None
        if self._fetch is None and time.monotonic() - self._fetched > _FETCH_SECONDS:
            self._fetched = time.monotonic()
            self._fetch = in_background(self._repository.refresh)

    def fault(self) -> dict[str, str]:
        """Why it can't be fetched, if it can't."""
        return {"the monitor's mirror": self._fault} if self._fault else {}

    def _end(self, fetch: Future[str]) -> None:
        error = fetch.exception()
        if error is None:
            self._fault, self.is_known = "", True
        elif isinstance(error, InfrastructureFault):
            self._fault = str(error)
        else:  # a bug, which is told as such and stops nothing else
            self._fault = f"a bug: {type(error).__name__}: {error}"


@dataclass
class _Asked:
    """One process that is asked."""

    answers: Callable[[], str | None]
    began: float
    heard: float | None = None
    last: str = ""
    restarts: int = 0
    asked: float = float("-inf")
    asking: Future[str | None] | None = None


class Processes:
    """Dagster's processes, each asked every few seconds how it is. An answer is a text that changes
    when the process was started anew, or None: it isn't well.
    """

    def __init__(self, answers: Mapping[str, Callable[[], str | None]]) -> None:
        self._asked = {name: _Asked(answer, time.monotonic()) for name, answer in answers.items()}

    def ask(self) -> None:
        """Take what has been answered, and ask where it is time. Never waits."""
        now = time.monotonic()
        for asked in self._asked.values():
            if asked.asking is not None and asked.asking.done():
                self._take(asked, now)
            if asked.asking is None and now - asked.asked > PROBE_SECONDS:
                asked.asked, asked.asking = now, in_background(asked.answers)

    def conditions(self) -> Sequence[Condition]:
        """How each is. Any thread may ask."""
        now = time.monotonic()
        return [_condition(name, asked, now) for name, asked in self._asked.items()]

    def silent(self) -> dict[str, str]:
        """Those that give no answer, and for how long."""
        now = time.monotonic()
        return {
            name: f"gives no answer for {now - (asked.heard or asked.began):.0f} s"
            for name, asked in self._asked.items()
            if _condition(name, asked, now).state == "silent"
        }

    @staticmethod
    def _take(asked: _Asked, now: float) -> None:
        answer = None
        if asked.asking is not None and asked.asking.exception() is None:
            answer = asked.asking.result()
        asked.asking = None
        if answer is None:
            return
        if asked.last and answer != asked.last:
            asked.restarts, asked.began = asked.restarts + 1, now
        asked.heard, asked.last = now, answer


def _condition(name: str, asked: _Asked, now: float) -> Condition:
    quiet = now - (asked.heard or asked.began)
    state = "silent" if quiet > _SILENCE else "up" if asked.heard else "starting"
    reason = "was started anew" if asked.restarts else ""
    return Condition(name, state, None, now - asked.began, asked.restarts, reason)


def _daemon(instance: dg.DagsterInstance) -> Callable[[], str | None]:
    """Whether its threads go on telling the database that they live."""
    beats = Heartbeats(instance.get_daemon_heartbeats)
    return lambda: "alive" if beats() else None
