"""A real PostgreSQL of a test's own: Debian's programs, on a free port and in a folder of its own,
as an unprivileged user, since the server refuses to run as root.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from resources.ports import free_ports

_SECONDS = 120.0
_USER = "postgres"


def missing() -> str | None:
    """Why there can be no PostgreSQL here, or None."""
    if _programs() is None:
        return "no PostgreSQL is installed (Debian: postgresql)"
    if os.geteuid() == 0 and _USER not in {entry.pw_name for entry in pwd.getpwall()}:
        return f"PostgreSQL doesn't run as root, and there is no user {_USER}"
    return None


def _programs() -> Path | None:
    """The folder of initdb and postgres: Debian keeps them off the PATH."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4])
    )
    return versions[-1].parent if versions else None


class PostgreSQL:
    """A server under way; `close` ends it and removes what it kept."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gen404-pg-"))
        self._data = self.folder / "data"
        (self.port,) = free_ports(1)
        if os.geteuid() == 0:
            shutil.chown(self.folder, _USER)
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "gen404", "--no-sync")
        self._server: subprocess.Popen[bytes] | None = None
        self.start()

    def url(
        self, scheme: str = "postgresql", database: str = "postgres", password: str = ""
    ) -> str:
        """A database's URL; any password will do."""
        user = f"gen404:{password}" if password else "gen404"
        return f"{scheme}://{user}@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str) -> str:
        """The URL of an empty database."""
        self._run("createdb", *self._where, name)
        return self.url("postgresql+psycopg2", name)

    def dump(self, database: str) -> bytes:
        """All that a database holds, as SQL, by the program that an operator uses."""
        return self._run("pg_dump", *self._where, database)

    def restore(self, database: str, dump: bytes) -> None:
        """Fill an empty database with what another held."""
        self._run("psql", *self._where, "-v", "ON_ERROR_STOP=1", "-q", "-d", database, stdin=dump)

    def start(self) -> None:
        options = ["-p", str(self.port), "-k", str(self.folder), "-h", "127.0.0.1"]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [str(self._program("postgres")), "-D", str(self._data), "-F", *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd="/",
            )
        until = time.monotonic() + _SECONDS
        ready = [str(self._program("pg_isready")), *self._where]
        while subprocess.run(ready, check=False, capture_output=True).returncode:
            assert time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """End it as a failing machine does: every connection breaks."""
        if self._server is not None:
            self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop")
            self._server.wait()
            self._server = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    @property
    def _where(self) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "gen404"]

    @property
    def _user(self) -> str | None:
        return _USER if os.geteuid() == 0 else None

    def _run(self, name: str, *arguments: str, stdin: bytes = b"") -> bytes:
        """What a program of PostgreSQL says, which is `given` something to read."""
        command = [str(self._program(name)), *arguments]
        done = subprocess.run(
            command, input=stdin, check=True, capture_output=True, user=self._user, cwd="/"
        )
        return done.stdout

    def _program(self, name: str) -> Path:
        folder = _programs()
        assert folder is not None
        return folder / name
