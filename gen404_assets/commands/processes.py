"""Dagster's processes one at a time, each wherever it is to run: what `gen404 up` starts together
on one machine.

It becomes Dagster's process, which imports Dagster then; until then, nothing here does.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence

import grpc  # type: ignore[import-untyped]
from grpc_health.v1.health_pb2 import HealthCheckRequest  # type: ignore[import-untyped]
from grpc_health.v1.health_pb2_grpc import HealthStub  # type: ignore[import-untyped]

from gen404_assets.commands.before_start import check
from gen404_assets.commands.dagster_commands import (
    Pages,
    code_server_command,
    daemon_command,
    webserver_command,
    workspace_of,
)
from gen404_assets.commands.instance import prepare
from gen404_assets.commands.occupied import Competition, is_of
from gen404_assets.commands.refused import Refused
from gen404_assets.live.shared import open_shared
from gen404_assets.settings import PlatformSettings, home
from resources.settings import read_settings, setting

_ANSWER_SECONDS = 10  # of one question to the code server
_RETRY_SECONDS = 1.0  # between two tries to reach it


def code_server(environment: Mapping[str, str]) -> None:
    """Become the code server, which makes the ticks and starts the runs of this machine. Raises
    BadSetting and Refused.
    """
    settings = read_settings(PlatformSettings, environment)
    if settings.gen404_operate:
        check(environment)
    variables, (_, port) = prepared(environment), address_of_code(environment)
    is_of(open_shared(variables), Competition.named_in(environment))
    _become(code_server_command("--host", settings.bind_address, "--port", str(port)), variables)


def webserver(environment: Mapping[str, str], port: int, *, read_only: bool) -> None:
    """Become the UI; a `read_only` one launches, stops and changes nothing. Raises BadSetting and
    Refused.
    """
    variables, (host, code_port) = prepared(environment), address_of_code(environment)
    workspace = workspace_of(home() / "dagster", {"host": host, "port": code_port})
    _wait_for_code(host, code_port)
    settings = read_settings(PlatformSettings, environment)
    looks_only = read_only or settings.looks_only
    pages = Pages(settings.bind_address, port, settings.called, looks_only)
    _become(webserver_command(workspace, pages), variables)


def daemon(environment: Mapping[str, str]) -> None:
    """Become the daemon, which asks for ticks and launches runs. Raises BadSetting and Refused."""
    variables, (host, port) = prepared(environment), address_of_code(environment)
    workspace = workspace_of(home() / "dagster", {"host": host, "port": port})
    _wait_for_code(host, port)
    _become(daemon_command(workspace), variables)


def dagster_command(environment: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Become Dagster's own command line, on the platform's instance. Raises BadSetting and
    Refused.
    """
    _become([sys.executable, "-m", "dagster", *arguments], prepare(environment))


def prepared(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process apart, with the database that all of them need."""
    variables = prepare(environment)
    if not setting(variables, "DATABASE_URL"):
        raise Refused(
            "DATABASE_URL must be set: processes that run apart share their storage by a "
            "PostgreSQL database (`gen404 up` runs all of them with SQLite)"
        )
    return variables


def address_of_code(environment: Mapping[str, str]) -> tuple[str, int]:
    """Where the code server listens."""
    host, _, port = read_settings(PlatformSettings, environment).code_server.rpartition(":")
    return host, int(port)


def _wait_for_code(host: str, port: int) -> None:
    """Until the code server answers: Dagster does not look again for one that it has missed."""
    printed = False
    # gRPC's own pause between two tries to connect grows to two minutes.
    often = [("grpc.max_reconnect_backoff_ms", round(1000 * _RETRY_SECONDS))]
    with grpc.insecure_channel(f"{host}:{port}", often) as channel:
        health = HealthStub(channel)
        while True:
            try:
                health.Check(HealthCheckRequest(service="DagsterApi"), timeout=_ANSWER_SECONDS)
            except grpc.RpcError:
                if not printed:
                    print(f"waits for the code server at {host}:{port} (CODE_SERVER)", flush=True)
                printed = True
                time.sleep(_RETRY_SECONDS)
            else:
                return


def _become(command: Sequence[str], variables: Mapping[str, str]) -> None:
    sys.stdout.flush()
    os.execve(command[0], list(command), dict(variables))  # noqa: S606 -- our own commands
