"""Dagster's processes: which there are, and how each says that it is well."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import dagster as dg
import httpx2
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient

from gen404_assets.commands.dagster_commands import (
    Pages,
    code_server_command,
    daemon_command,
    webserver_command,
    workspace_of,
)
from gen404_assets.commands.supervisor import Service
from gpu.bounded_http import Bounds, bounded_client

CODE_SERVER, DAEMON, WEBSERVER = "code server", "daemon", "webserver"

ANSWER_SECONDS = 10  # of one question to a process
_DAEMON_SILENCE = 50.0
"""The daemon's threads say every 30 s that they live."""
_THREAD_SILENCE = 300.0
"""Seconds without a word of one of the daemon's threads while others go on: that one hangs."""


def dagster_services(
    instance: dg.DagsterInstance, folder: Path, socket: Path, pages: Pages
) -> Sequence[Service]:
    """Dagster on our definitions, its files in `folder`.

    The code server is a process of its own that nobody but the supervisor ends (those that
    `dagster dev` starts end themselves after 30 s in which nobody called, and are not replaced).
    """
    workspace = workspace_of(folder, {"socket": str(socket)})
    code_server = code_server_command("--socket", str(socket))
    code = DagsterGrpcClient(socket=str(socket))
    webserver, daemon = webserver_command(workspace, pages), daemon_command(workspace)
    asked = "127.0.0.1" if pages.host in {"", "0.0.0.0"} else pages.host  # noqa: S104 -- compared, not bound
    return [
        Service(CODE_SERVER, code_server, lambda: bool(code_served(code))),
        Service(WEBSERVER, webserver, lambda: _serves_pages(f"http://{asked}:{pages.port}")),
        Service(DAEMON, daemon, Heartbeats(instance.get_daemon_heartbeats), _DAEMON_SILENCE),
    ]


def code_served(client: DagsterGrpcClient) -> str | None:
    """The identifier of a code server's process, another one after each start; None where it gives
    no answer: one whose threads are all taken doesn't, as one that hangs.
    """
    try:
        return client.get_server_id(timeout=ANSWER_SECONDS)
    except DagsterUserCodeUnreachableError:
        return None


def _serves_pages(url: str) -> bool:
    try:
        with bounded_client(Bounds(ANSWER_SECONDS, 2**20), environment=False) as client:
            answer = client.get(f"{url}/server_info")
    except httpx2.HTTPError:
        return False
    return answer.is_success


class Heartbeats:
    """Whether the daemon's threads live: what they wrote has changed, whatever the clock says."""

    def __init__(self, read: Callable[[], Mapping[str, object]]) -> None:
        self._read = read
        # An earlier daemon's say nothing of this one.
        self._last = {thread: (beat, time.monotonic()) for thread, beat in read().items()}

    def __call__(self) -> bool:
        now, changed = time.monotonic(), False
        for thread, beat in self._read().items():
            known, since = self._last.get(thread, (None, now))
            changed |= known != beat
            self._last[thread] = (beat, now if beat != known else since)
        hung = any(now - since > _THREAD_SILENCE for _, since in self._last.values())
        return changed and not hung
