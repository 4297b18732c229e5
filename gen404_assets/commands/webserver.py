"""The process of Dagster's webserver, behind the guard.

It takes the place of the command `dagster-webserver`, which has no way to put something before it.
"""

import argparse
from typing import Any

import dagster as dg
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster._utils.log import configure_loggers
from dagster_graphql.schema import create_schema, types
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver

from gen404_assets.assets.standing import STANDING
from gen404_assets.commands.guard import LARGEST, LOOPBACK, Guard
from gen404_assets.commands.subscriptions import Subscription
from gpu.services.bodies import App, Message, Receive, Send
from gpu.services.connections import Connection

_STATEMENT_MILLISECONDS, _POOL_RECYCLE_SECONDS, _MOST_DATABASE_CONNECTIONS = 15_000, 3600, 20
_POLL_MILLISECONDS = 2000
"""These four as `dagster-webserver` has them."""
_FIRST_PAGE = f"/assets/{STANDING}"
"""What is due, and what it waits for; Dagster's own first page is a list of runs."""
SERVED: dict[str, Any] = {
    "http": Connection,
    "ws": Subscription,
    "ws_max_size": LARGEST,
    "log_level": "warning",
    "server_header": False,
}
"""uvicorn's settings, but for where it listens."""


class _LooksOnly(DagsterWebserver[Any, Any]):
    """A webserver whose GraphQL has no mutations: there is nothing that a request could change."""

    def build_graphql_schema(self) -> Any:
        whole: Any = create_schema()
        shown = types()  # type: ignore[no-untyped-call]
        return type(whole)(query=whole.query, subscription=whole.subscription, types=shown)


def guarded(context: WorkspaceProcessContext, hosts: frozenset[str], *, read_only: bool) -> Guard:
    """Dagster's webserver on a workspace, reached by the names `hosts`."""
    kind = _LooksOnly if read_only else DagsterWebserver
    return Guard(
        opened_at(_FIRST_PAGE, kind(context, "", _POLL_MILLISECONDS).create_asgi_app()), hosts
    )


def opened_at(page: str, app: App) -> App:
    """`app`, where whoever asks for the first page is sent on to `page`."""

    async def opened(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/":
            await app(scope, receive, send)
            return
        headers = [(b"location", page.encode()), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return opened


def main() -> None:
    """Serve until a signal comes; Dagster's instance is that of DAGSTER_HOME."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", required=True, help="a workspace.yaml")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--called", action="append", default=[], help="a name beside loopback")
    parser.add_argument("--read-only", action="store_true")
    arguments = parser.parse_args()
    configure_loggers(log_level="WARNING")
    setup_interrupt_handlers()
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(
            instance,
            WorkspaceFileTarget([arguments.workspace]),
            version=__version__,
            read_only=arguments.read_only,
            code_server_log_level="WARNING",
        ) as context,
    ):
        instance.optimize_for_webserver(
            _STATEMENT_MILLISECONDS, _POOL_RECYCLE_SECONDS, _MOST_DATABASE_CONNECTIONS
        )
        hosts = LOOPBACK | {name.lower() for name in arguments.called}
        app = guarded(context, hosts, read_only=arguments.read_only)
        uvicorn.run(
            app,
            host=arguments.host,
            port=arguments.port,
            **SERVED,
        )


if __name__ == "__main__":
    main()
