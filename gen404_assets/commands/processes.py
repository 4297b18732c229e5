"""Dagster's processes one at a time, each wherever it is to run: what `gen404 up` starts together
on one machine.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence

from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient

from gen404_assets.commands.instance import prepare
from gen404_assets.commands.occupied import Competition, is_of
from gen404_assets.commands.refused import Refused
from gen404_assets.commands.services import (
    Pages,
    code_server_command,
    daemon_command,
    webserver_command,
    workspace_of,
)
from gen404_assets.commands.up import check
from gen404_assets.live.shared import open_shared
from gen404_assets.settings import PlatformSettings, home
from resources.settings import read_settings

_ANSWER_SECONDS = 10
_RETRY_SECONDS = 1.0


def code_server(environment: Mapping[str, str]) -> None:
    """Become the code server, which makes the ticks and starts the runs of this machine. Raises
    BadSetting and Refused.
    """
    settings = read_settings(PlatformSettings, environment)
    if settings.gen404_operate:
        check(environment)
    variables, (_, port) = prepared(environment), _address(environment)
    repository = environment.get("COMPETITION_REPO") or ""
    branch = environment.get("GITHUB_BRANCH") or "main"
    is_of(open_shared(variables), Competition(repository, branch))
    _become(code_server_command("--host", settings.bind_address, "--port", str(port)), variables)


def webserver(environment: Mapping[str, str], port: int, *, read_only: bool) -> None:
    """Become the UI; a `read_only` one launches, stops and changes nothing. Raises BadSetting and
    Refused.
    """
    variables, (host, code_port) = prepared(environment), _address(environment)
    workspace = workspace_of(home() / "dagster", {"host": host, "port": code_port})
    _wait_for_code(host, code_port)
    settings = read_settings(PlatformSettings, environment)
    looks_only = read_only or settings.looks_only
    pages = Pages(settings.bind_address, port, settings.called, looks_only)
    _become(webserver_command(workspace, pages), variables)


def daemon(environment: Mapping[str, str]) -> None:
    """Become the daemon, which asks for ticks and launches runs. Raises BadSetting and Refused."""
    variables, (host, port) = prepared(environment), _address(environment)
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
    if not variables.get("DATABASE_URL"):
        raise Refused(
            "DATABASE_URL must be set: processes that run apart share their storage by a "
            "PostgreSQL database (`gen404 up` runs all of them with SQLite)"
        )
    return variables


def _address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Where the code server listens."""
    host, _, port = read_settings(PlatformSettings, environment).code_server.rpartition(":")
    return host, int(port)


def _wait_for_code(host: str, port: int) -> None:
    """Until the code server answers: Dagster does not look again for one that it has missed."""
    client, told = DagsterGrpcClient(host=host, port=port), False
    while True:
        try:
            client.get_server_id(timeout=_ANSWER_SECONDS)
        except DagsterUserCodeUnreachableError:
            if not told:
                print(f"waits for the code server at {host}:{port} (CODE_SERVER)", flush=True)
            told = True
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _become(command: Sequence[str], variables: Mapping[str, str]) -> None:
    sys.stdout.flush()
    os.execve(command[0], list(command), dict(variables))  # noqa: S606 -- our own commands
