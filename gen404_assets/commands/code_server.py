"""The process of Dagster's code server, whose runs are forked.

It takes the place of the command `dagster api grpc`, which starts a new interpreter for each run,
and takes the same options.
"""

from typing import Any

from dagster._cli.api import grpc_command
from dagster._grpc import server

from gen404_assets.commands.run_processes import Forked


class _ForksRuns(server.DagsterApiServer):
    """Dagster's code server, with another way of starting processes."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        # Before all else: this process and that of the runs import at the same time.
        forked = Forked(["gen404_assets.commands.run_imports"])
        super().__init__(*arguments, **named)
        # Private: Dagster has no setting for how the processes of runs are started.
        self._mp_ctx = forked  # type: ignore[assignment]


def main() -> None:
    """Serve until a signal comes."""
    server.DagsterApiServer = _ForksRuns  # type: ignore[misc]
    grpc_command()


if __name__ == "__main__":
    main()
