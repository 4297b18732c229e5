"""`gen404 start`, the platform's processes one at a time, and `gen404 dagster`, Dagster's own."""

import os
from collections.abc import Sequence

import click

from resources.settings import setting

# What a process imports is imported where it is started: none waits for another's.
# ruff: noqa: PLC0415


@click.command()
@click.argument("process", type=click.Choice(["code-server", "daemon", "webserver", "monitor"]))
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Of the webserver (default: 3000), or of the monitor's /healthz and /metrics "
    "(default: HEALTH_PORT, else 4000).",
)
@click.option("--read-only", is_flag=True, help="The webserver launches, stops and sets nothing.")
def start(process: str, port: int | None, *, read_only: bool) -> int:
    """Run one of the platform's processes alone, on the PostgreSQL of DATABASE_URL.

    They find each other by CODE_SERVER; `gen404 up` does the work of all on one machine. The
    monitor watches the others, sends alerts and deletes old runs.
    """
    from gen404_assets.commands import processes

    operates = setting(os.environ, "GEN404_OPERATE") or "true"
    environment = {**os.environ, "GEN404_OPERATE": operates}
    if process == "monitor":
        from gen404_assets.commands.monitor import monitor

        return monitor(environment, port)
    if process == "code-server":
        processes.code_server(environment)
    elif process == "daemon":
        processes.daemon(environment)
    else:
        processes.webserver(environment, port or 3000, read_only=read_only)
    return 0


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def dagster(arguments: Sequence[str]) -> None:
    """Run Dagster's own command line on the platform's instance.

    Such as `gen404 dagster instance migrate`.
    """
    from gen404_assets.commands.processes import dagster_command

    dagster_command(os.environ, arguments)
