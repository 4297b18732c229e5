"""`/healthz` and `/metrics`: whether the platform works, for whoever watches it from outside.

The answer's status is 200 while all processes answer and every sensor looks, 503 otherwise. What
the platform waits for outside (a repository, the chain, a judge) is no reason for 503: it is named,
with the time since when, and a restart would not mend it.
"""

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Thread, Timer
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus
from dagster_shared.error import SerializableErrorInfo

from gen404_assets.commands.supervisor import Condition
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live.sandbox_note import sandbox_lacks
from gen404_assets.live.sightings import Sightings
from gen404_assets.live.waiting import Waiting
from gen404_assets.settings import platform_settings
from resources.deadlines import within
from resources.notes import Notes

_LATE_TICK = 120.0
"""Seconds by which a sensor may be late, counted from when its next look was due."""
_DEADLINE = 8.0
"""Seconds for Dagster's storage; whoever asks waits 10 (`occupied`), and is to hear that it
hangs."""
_CLOCKS_APART = 30.0
"""Seconds by which the clocks of the machines of one platform may differ."""


def health(
    instance: dg.DagsterInstance, conditions: Sequence[Condition], notes: Notes
) -> dict[str, Any]:
    """What `/healthz` answers; ages are in seconds. Raises InfrastructureFault where the disk or
    the database fails.
    """
    sightings = Sightings(notes)
    waits = [*sightings.waits(), *Waiting(notes).all()]
    lacking = sandbox_lacks(notes)
    faults = [
        f"the {each.name} is {each.state}" + (f": it {each.reason}" if each.reason else "")
        for each in conditions
        if each.state != "up"
    ]
    sensors = []
    try:
        sensors = within(_DEADLINE, _sensors, instance)
        if not sensors:
            faults.append("no sensor has looked yet")
    except TimeoutError:
        faults.append(f"Dagster's storage has not answered for {_DEADLINE:g} s")
    late = platform_settings().sensor_seconds + _LATE_TICK
    faults += [
        f"the sensor {sensor['name']} has not looked for {sensor['age']:.0f} s"
        for sensor in sensors
        if sensor["age"] is not None and sensor["age"] > late
    ]
    waits += [
        f"the sensor {sensor['name']} fails: {sensor['says']}"
        for sensor in sensors
        if sensor["result"] == "failure"
    ]
    return {
        "status": "failing" if faults else "waiting" if waits else "ok",
        "faults": faults,
        "waits": waits,
        "processes": [_process(each) for each in conditions],
        "sensors": sensors,
        **sightings.latest(),
        **({} if lacking is None else {"sandbox": {"lacking": lacking}}),
    }


def _process(each: Condition) -> dict[str, Any]:
    return {
        "name": each.name,
        "state": each.state,
        "pid": each.pid,
        "seconds": round(each.since),
        "restarts": each.restarts,
        "last_fault": each.reason or None,
    }


def _sensors(instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """The last finished tick of each sensor that has ticked and is not stopped."""
    sensors = []
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        if not state.is_running:
            continue
        # Later ones are of before the clock was set back: they say nothing of now.
        ticks = instance.get_ticks(
            *(state.instigator_origin_id, state.selector_id),
            before=time.time() + _CLOCKS_APART,
            limit=2,  # the newest may have only begun
        )
        ended = [tick for tick in ticks if tick.status is not TickStatus.STARTED]
        if not ended:
            continue
        last = ended[0]
        sensors.append(
            {
                "name": state.name,
                "at": datetime.fromtimestamp(last.timestamp, UTC).isoformat(timespec="seconds"),
                "age": max(0.0, round(time.time() - last.timestamp, 1)),
                "result": last.status.value.lower(),
                "says": last.skip_reason or (_reason(last.error) if last.error else None),
            }
        )
    return sorted(sensors, key=lambda sensor: str(sensor["name"]))


def _reason(error: SerializableErrorInfo) -> str:
    """What a tick failed of: Dagster wraps it in an error that names the sensor alone."""
    while error.cause is not None:
        error = error.cause
    return error.message.strip()


class _Server(ThreadingHTTPServer):
    """Answers so many connections at a time, and gives each so many seconds in all: strangers that
    hold connections open, or send a byte now and then, keep nobody out for longer.
    """

    daemon_threads = True
    _CONNECTIONS, _SECONDS = 32, 15.0

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._room = BoundedSemaphore(self._CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; close the connection where too many are open."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, until the time is over."""
        end = Timer(self._SECONDS, _shut, [request])
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is its client's affair; any other error is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended meanwhile
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def served(
    host: str, port: int, answer: Callable[[], Mapping[str, Any]], figures: Callable[[], str]
) -> Iterator[None]:
    """Serve `answer` as JSON at /healthz, and `figures` in Prometheus' text format at /metrics,
    while the context lasts. Raises OSError for a port that is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds for a request's next byte

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            try:
                if path == "/healthz":
                    self._health(answer())
                elif path == "/metrics":
                    self._send(200, "text/plain; version=0.0.4; charset=utf-8", figures())
                else:
                    self.send_error(404)
            except InfrastructureFault as fault:  # what the platform itself stands on
                self._health({"status": "failing", "faults": [str(fault)], "waits": []})

        def _health(self, health: Mapping[str, Any]) -> None:
            status = 503 if health["status"] == "failing" else 200
            self._send(status, "application/json", json.dumps(health, indent=2))

        def _send(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A look at the health is not logged."""

    server = _Server((host, port), Handler)
    Thread(target=server.serve_forever, name="healthz", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
