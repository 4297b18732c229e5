"""What an operator loses, restores and moves, as docs/operating.md tells it: the database, the
home, both, or the machine in the middle of a round.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from gen404_assets.assets.mirrored import Competition1
from gen404_assets.commands.importing import import_history
from gen404_assets.commands.instance import prepare
from gen404_assets.competition_repository import history_at, open_repository
from gen404_assets.live.fleet import holder, owner
from gen404_assets.live.shared import Shared, open_shared
from simulators.histories import make_competition
from simulators.postgresql import PostgreSQL

JOURNAL = "journals/miner-01-5aaaaaaaaa.jsonl"


@dataclass(frozen=True)
class Machine:
    """A machine on which the platform has been started."""

    instance: dg.DagsterInstance
    shared: Shared
    imported: int
    """Events that its start took from the repository."""


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))


@contextmanager
def started(home: Path, database: str, repository: Path) -> Iterator[Machine]:
    """The platform as it starts on a machine whose home is `home`."""
    os.environ |= {"GEN404_HOME": str(home), "DATABASE_URL": database}
    prepare(os.environ)
    known = open_repository(str(repository), "main")
    with dg.DagsterInstance.get() as instance:
        history = history_at(known, known.refresh())
        imported = import_history(instance, history, Competition1(instance))
        yield Machine(instance, open_shared(), imported)


def test_what_is_lost_is_restored_or_made_again(server: PostgreSQL, tmp_path: Path) -> None:
    repository = make_competition(tmp_path / "repo.git", rounds=1, miners=2, prompts=2)
    database = server.new_database("before")
    with started(tmp_path / "first", database, repository) as machine:
        everything = machine.imported
        name = owner(machine.shared)
        machine.shared.notes.append(JOURNAL, b"what a regeneration has made\n")
    dump = server.dump("before")
    server.new_database("restored")
    server.restore("restored", dump)

    for home, kept in (
        ("second", database),  # the home is lost, or another machine goes on in mid-round
        ("first", server.url(database="restored")),  # the database is lost, and its dump restored
        ("third", server.url(database="restored")),  # both are
    ):
        with started(tmp_path / home, kept, repository) as machine:
            assert machine.imported == 0
            assert owner(machine.shared) == name
            assert machine.shared.notes.read(JOURNAL) == b"what a regeneration has made\n"

    new = server.new_database("new")  # the database is lost, and there is no dump
    with started(tmp_path / "first", new, repository) as machine:
        assert machine.imported == everything > 0
        assert machine.instance.get_dynamic_partitions("rounds") == ["0", "1"]
        assert machine.shared.notes.read(JOURNAL) is None
        pod = f"miner-01-5aaaaaaaaa-{name}-0"
        assert holder(machine.shared, pod) == "not of this installation"
