"""A PostgreSQL that the tests of this folder share; each has a database of its own."""

from collections.abc import Iterator
from importlib.util import find_spec
from uuid import uuid4

import pytest

from simulators import postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.PostgreSQL]:
    if find_spec("dagster_postgres") is None:
        pytest.skip("the extra `postgres` isn't installed")
    if reason := postgresql.missing():
        pytest.skip(reason)
    server = postgresql.PostgreSQL()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def url(server: postgresql.PostgreSQL) -> str:
    """An empty database's, as SQLAlchemy takes it."""
    return server.new_database(f"test_{uuid4().hex}")
