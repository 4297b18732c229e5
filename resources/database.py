"""PostgreSQL, for what the machines of one platform share: claims are its advisory locks, notes and
totals are the rows of a table each, which is made when first used.

An advisory lock belongs to a session. PostgreSQL releases it with the connection: at once where the
process dies, and after half a minute without an answer where its machine does. A pooler between
(PgBouncer) must therefore pool by session.
"""

import hashlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from gen404_assets.competition.faults import InfrastructureFault
from resources.claims import Lost
from resources.figures import Figure, as_labels

BEAT_SECONDS = 5.0
"""Between two looks at a session that holds a claim."""

LOST_AFTER = 20.0
"""Seconds without an answer after which a claim counts as lost. The server gives it away after 30
seconds without a word of us at the earliest."""

SETTLED_AFTER = 15.0
"""A server that has been up for fewer seconds gives a claim to nobody but who had it before."""

_SERVER_KEEPALIVE = {"idle": 15, "interval": 5, "count": 3}
"""Seconds, and probes: a session whose machine is gone ends after 15 + 3 * 5 = 30 s
(`LOST_AFTER`)."""
_RETRY_SECONDS = 0.2
"""Between two tries of a claim that another process has."""
_LOG = logging.getLogger(__name__)
_MADE = """
CREATE TABLE IF NOT EXISTS gen404_notes (
    name text NOT NULL,
    part bigint GENERATED ALWAYS AS IDENTITY,
    content bytea NOT NULL,
    PRIMARY KEY (name, part)
);
CREATE TABLE IF NOT EXISTS gen404_totals (
    name text NOT NULL,
    labels text NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (name, labels)
)
"""
_ADD = """
INSERT INTO gen404_totals AS known (name, labels, value) VALUES (:name, :labels, :value)
    ON CONFLICT (name, labels) DO UPDATE SET value = known.value + excluded.value
"""
_TAKE = """
SELECT CASE
    WHEN clock_timestamp() - pg_postmaster_start_time() >= make_interval(secs => :settled)
    THEN pg_try_advisory_lock(:key) ELSE false END
"""
# In pg_locks a lock of one 64-bit key has objsubid 1, its upper half as classid and its lower as
# objid.
_HELD = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND ((classid::bigint << 32) | objid::bigint) = :key
"""


class Database:
    """A PostgreSQL database, by its SQLAlchemy URL. Every failure of it is an
    InfrastructureFault.
    """

    def __init__(self, url: str, settled: float = SETTLED_AFTER) -> None:
        self._url, self.settled = url, settled

    def connect(self, name: str) -> Connection:
        """A connection of its own, as `pg_stat_activity` shows it under `name`."""
        engine = create_engine(
            self._url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",  # no transaction stays open while a claim is held
            connect_args=_arguments(name),
        )
        with database_faults():
            return engine.connect()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection of the pool, in a transaction."""
        with database_faults(), self._engine.begin() as connection:
            yield connection

    @cached_property
    def _engine(self) -> Engine:
        engine = create_engine(
            self._url,
            pool_size=1,
            max_overflow=8,
            pool_pre_ping=True,
            connect_args=_arguments("notes"),
        )
        with engine.begin() as connection:
            # Several processes may start together: IF NOT EXISTS alone is no protection.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key("notes")})
            connection.execute(text(_MADE))
        return engine


def _arguments(name: str) -> dict[str, Any]:
    """How to connect: an end that is gone is noticed within half a minute by the other."""
    options = " ".join(f"-c tcp_keepalives_{k}={v}" for k, v in _SERVER_KEEPALIVE.items())
    return {
        # PostgreSQL's longest name.
        "application_name": f"gen404 {name} on {socket.gethostname()}"[:63],
        "connect_timeout": 5,
        "tcp_user_timeout": 15_000,  # milliseconds
        "options": f"{options} -c statement_timeout=10000",  # milliseconds
    }


@contextmanager
def database_faults() -> Iterator[None]:
    """Work with the database: its failure is an InfrastructureFault."""
    try:
        yield
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise InfrastructureFault(f"the database (DATABASE_URL) fails: {reason}") from error


def key(name: str) -> int:
    """The 64-bit number of the advisory lock of a name."""
    digest = hashlib.sha256(f"gen404 {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)  # PostgreSQL's bigint is signed


class DatabaseClaims:
    """Claims of all processes that use one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def hold(self, name: str, seconds: float = 0, lost: Lost = lambda: None) -> Iterator[bool]:
        """See Claims."""
        session = _Session(self._database, name)
        try:
            held = session.take(seconds)
            if held:
                session.watch(lost)
            yield held
        finally:
            session.close()

    def is_held(self, name: str) -> bool:
        """See Claims."""
        with self._database.transaction() as connection:
            return bool(connection.execute(text(_HELD), {"key": key(name)}).scalar())


class _Session:
    """The connection that holds one claim, looked at every few seconds while it is held. Where it
    breaks, the claim is taken again by another.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name
        self._connection = database.connect(name)
        self._released = threading.Event()
        self._watching: threading.Thread | None = None

    def take(self, seconds: float, settled: float | None = None) -> bool:
        """Whether the claim could be had within so many seconds."""
        deadline = time.monotonic() + seconds
        settled = self._database.settled if settled is None else settled
        while True:
            with database_faults():
                asked = self._execute(_TAKE, {"key": key(self._name), "settled": settled})
                if asked.scalar():
                    return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_RETRY_SECONDS)

    def watch(self, lost: Lost) -> None:
        """Look after the connection in the background until `close`."""
        self._watching = threading.Thread(
            target=self._watch, args=(lost,), name=f"claim {self._name}", daemon=True
        )
        self._watching.start()

    def close(self) -> None:
        """Let go."""
        self._released.set()
        if self._watching is not None:
            self._watching.join()
        with suppress(SQLAlchemyError):  # a broken connection holds nothing
            # Closing alone lets go a moment later, when the server sees it.
            self._execute("SELECT pg_advisory_unlock_all()", {})
        self._drop()

    def _watch(self, lost: Lost) -> None:
        answered, broken = time.monotonic(), False
        # A new connection is tried more often.
        while not self._released.wait(BEAT_SECONDS if not broken else 1.0):
            try:
                if broken:
                    self._drop()
                    self._connection = self._database.connect(self._name)
                    if not self.take(0, settled=0):
                        _LOG.error("the claim %s is lost: another process has it", self._name)
                        lost()
                        return
                    _LOG.warning("the claim %s was taken again by a new connection", self._name)
                else:
                    self._execute("SELECT 1", {})
            except (InfrastructureFault, DBAPIError) as fault:
                broken = True
                if time.monotonic() - answered > LOST_AFTER:
                    _LOG.error("the claim %s is lost: %s", self._name, fault)
                    lost()
                    return
            else:
                answered, broken = time.monotonic(), False

    def _drop(self) -> None:
        with suppress(DBAPIError):
            self._connection.close()

    def _execute(self, statement: str, values: dict[str, Any]) -> CursorResult[Any]:
        return self._connection.execute(text(statement), values)


class DatabaseNotes:
    """Notes in a table: a row a line that was appended, one row for what was written whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, name: str) -> bytes | None:
        """See Notes."""
        parts = self._values(
            "SELECT content FROM gen404_notes WHERE name = :name ORDER BY part", name=name
        )
        return b"".join(map(bytes, parts)) if parts else None

    def write(self, name: str, content: bytes) -> None:
        """See Notes."""
        with self._database.transaction() as connection:
            _lock(connection, name)
            _delete(connection, name)
            _insert(connection, name, content)

    def append(self, name: str, line: bytes) -> None:
        """See Notes."""
        with self._database.transaction() as connection:
            _insert(connection, name, line)

    def create(self, name: str, content: bytes) -> bytes:
        """See Notes."""
        with self._database.transaction() as connection:
            _lock(connection, name)
            known = connection.execute(
                text("SELECT content FROM gen404_notes WHERE name = :name"), {"name": name}
            ).scalar()
            if known is not None:
                return bytes(known)
            _insert(connection, name, content)
            return content

    def remove(self, name: str) -> bool:
        """See Notes."""
        with self._database.transaction() as connection:
            return _delete(connection, name) > 0

    def names(self, folder: str) -> list[str]:
        """See Notes."""
        names = "SELECT DISTINCT name FROM gen404_notes WHERE starts_with(name, :folder)"
        return self._values(names, folder=f"{folder}/")

    def set_aside(self, name: str, reason: str) -> None:
        """See Notes."""
        aside = f"{name}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        self._values(
            "UPDATE gen404_notes SET name = :aside WHERE name = :name RETURNING 1",
            aside=aside,
            name=name,
        )
        _LOG.error("%s can't be read (%s): set aside as %s, and made again", name, reason, aside)

    def mark(self) -> str:
        """See Notes. The time of the database, which is the same for all machines."""
        return str(self._now())

    def age(self, mark: str) -> float | None:
        """See Notes."""
        try:
            return max(0.0, self._now() - float(mark))
        except ValueError:
            return None

    def _now(self) -> float:
        (now,) = self._values("SELECT extract(epoch FROM clock_timestamp())")
        return float(now)

    def _values(self, statement: str, **values: Any) -> list[Any]:
        """The first column of what a statement gives."""
        with self._database.transaction() as connection:
            return list(connection.execute(text(statement), values).scalars())


class DatabaseTotals:
    """Totals in a table: a row a figure; `labels` is a JSON object."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, counted: Mapping[Figure, float]) -> None:
        """See Totals."""
        with self._database.transaction() as connection:
            for (name, labels), value in sorted(counted.items()):  # one order: no deadlock
                row = {"name": name, "labels": json.dumps(dict(labels)), "value": value}
                connection.execute(text(_ADD), row)

    def read(self) -> dict[Figure, float]:
        """See Totals."""
        with self._database.transaction() as connection:
            rows = connection.execute(text("SELECT name, labels, value FROM gen404_totals"))
            return {
                (name, as_labels(json.loads(labels))): float(value) for name, labels, value in rows
            }


def _lock(connection: Connection, name: str) -> None:
    """Keep others from writing the same note until the transaction ends."""
    locked = text("SELECT pg_advisory_xact_lock(:key)")
    connection.execute(locked, {"key": key(f"note {name}")})


def _insert(connection: Connection, name: str, content: bytes) -> None:
    connection.execute(
        text("INSERT INTO gen404_notes (name, content) VALUES (:name, :content)"),
        {"name": name, "content": content},
    )


def _delete(connection: Connection, name: str) -> int:
    return connection.execute(
        text("DELETE FROM gen404_notes WHERE name = :name"), {"name": name}
    ).rowcount
