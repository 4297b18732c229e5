"""The commands that start Dagster's processes, and what these read. It imports no Dagster: whoever
becomes one of them imports it then.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LOCATION = "gen404_assets.definitions"

_CODE_SERVER_THREADS = 32
"""Calls at a time: one that hangs takes a thread, and with none left the server counts as hung."""
_PYTHON = [sys.executable, "-m"]


@dataclass(frozen=True, slots=True)
class Pages:
    """Where the webserver listens, the names it is called beside loopback's (in small letters), and
    whether it can change nothing.
    """

    host: str
    port: int
    called: frozenset[str] = frozenset()
    read_only: bool = False

    @property
    def command(self) -> list[str]:
        """The arguments of `commands.webserver` that say so."""
        where = ["--host", self.host, "--port", str(self.port)]
        names = [word for name in sorted(self.called) for word in ("--called", name)]
        return [*where, *names, *(["--read-only"] if self.read_only else [])]


def workspace_of(folder: Path, server: Mapping[str, str | int]) -> Path:
    """The file in `folder` that tells Dagster where the code server listens: at a `socket`, or at
    `host` and `port`.
    """
    workspace = folder / "workspace.yaml"
    known = {**server, "location_name": LOCATION}
    workspace.write_text(json.dumps({"load_from": [{"grpc_server": known}]}))
    return workspace


def code_server_command(*where: str) -> list[str]:
    """The code server of our definitions; `where` says where it listens, by Dagster's options."""
    return [
        *(*_PYTHON, "gen404_assets.commands.code_server", *where, "-m", LOCATION),
        *("--location-name", LOCATION, "--use-python-environment-entry-point"),
        *("--max-workers", str(_CODE_SERVER_THREADS), "--log-level", "warning"),
    ]


def webserver_command(workspace: Path, pages: Pages) -> list[str]:
    """Dagster's UI, behind the guard."""
    return [
        *(*_PYTHON, "gen404_assets.commands.webserver", "--workspace", str(workspace)),
        *pages.command,
    ]


def daemon_command(workspace: Path) -> list[str]:
    """What asks for ticks, and launches runs."""
    return [*_PYTHON, "dagster._daemon", "run", "-w", str(workspace), "--log-level", "warning"]
