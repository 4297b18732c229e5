"""Dagster on a real PostgreSQL, by the settings or by the operator's own `dagster.yaml`, and what
machines that share it leave to each other.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import GRPC_INFO_TAG

from gen404_assets.assets.resource import hold, lane_is_free
from gen404_assets.assets.tags import LANE_TAG
from gen404_assets.commands.instance import own_database, prepare
from gen404_assets.commands.occupied import Competition, is_of
from gen404_assets.commands.opening import operators_environment
from gen404_assets.commands.refused import Refused
from gen404_assets.commands.up import end_left_over, sockets_prefix
from gen404_assets.competition.catalogue import Lane
from gen404_assets.live.shared import open_shared

OWN = "storage:\n  postgres:\n    postgres_url: {url}\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "environ", {**os.environ, "GEN404_HOME": str(tmp_path)})
    monkeypatch.setattr("resources.database.SETTLED_AFTER", 0.0)
    return tmp_path


@pytest.fixture
def instance(url: str) -> Iterator[dg.DagsterInstance]:
    prepare({**os.environ, "DATABASE_URL": url.replace("postgresql+psycopg2", "postgres")})
    with dg.DagsterInstance.get() as instance:
        yield instance


def test_dagster_s_storage_is_the_database_of_the_settings(
    instance: dg.DagsterInstance, url: str, home: Path
) -> None:
    instance.add_dynamic_partitions("rounds", ["7"])
    assert instance.get_dynamic_partitions("rounds") == ["7"]
    assert "Postgres" in type(instance.run_storage).__name__
    assert not list(home.rglob("*.db"))
    assert url not in (home / "dagster" / "dagster.yaml").read_text(), "no secret in a file"


def test_an_operator_s_own_database_is_used_and_known_to_every_command(
    url: str, home: Path
) -> None:
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text(OWN.format(url=url))
    assert prepare(os.environ)["DATABASE_URL"] == url
    del os.environ["DATABASE_URL"]
    assert own_database(home / "dagster") == url
    os.environ["COMPETITION_REPO"] = "/somewhere"
    assert operators_environment()["DATABASE_URL"] == url


def test_runs_of_another_machine_are_left_to_it(instance: dg.DagsterInstance) -> None:
    here = {"socket": f"/tmp/{sockets_prefix()}x/code.sock"}
    there = {"host": "10.0.0.7", "port": 4266}
    ours, theirs, held = (
        instance.create_run_for_job(
            job(),
            status=dg.DagsterRunStatus.STARTED,
            tags={GRPC_INFO_TAG: json.dumps(where), **tags},
        )
        for where, tags in (
            (here, {LANE_TAG: Lane.JUDGING.value}),
            (there, {LANE_TAG: Lane.JUDGING.value}),
            (here, {LANE_TAG: Lane.AUDITS.value}),
        )
    )
    with hold(Lane.AUDITS, patience=60.0) as got:
        assert got
        end_left_over(instance)
    found = {run.run_id: run.status for run in instance.get_runs()}
    assert found[ours.run_id] is dg.DagsterRunStatus.FAILURE
    assert found[theirs.run_id] is dg.DagsterRunStatus.STARTED
    assert found[held.run_id] is dg.DagsterRunStatus.STARTED, "its process lives"


def test_a_database_belongs_to_one_competition(url: str) -> None:
    shared = open_shared({"DATABASE_URL": url})
    is_of(shared, Competition("/ours", "main"))
    is_of(shared, Competition("/ours", "main"))
    with pytest.raises(Refused, match="holds another competition than /theirs"):
        is_of(shared, Competition("/theirs", "main"))


def job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def made() -> None:
        nothing()

    return made


@pytest.mark.usefixtures("instance")
def test_a_lane_that_another_machine_works_in_is_not_free(home: Path) -> None:
    script = (
        "import sys\n"
        "from gen404_assets.assets.resource import hold\n"
        "from gen404_assets.competition.catalogue import Lane\n"
        "with hold(Lane.JUDGING, 20) as held:\n"
        "    print(held, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "GEN404_HOME": str(home / "another machine")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not lane_is_free(Lane.JUDGING)
        with hold(Lane.JUDGING) as held:
            assert not held
        other.kill()
        other.wait()
        with hold(Lane.JUDGING, 30) as held:
            assert held


@pytest.mark.usefixtures("instance")
def test_dagster_s_own_command_migrates_the_storage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gen404_assets.commands.cli", "dagster", "instance", "migrate"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "migrat" in (done.stdout + done.stderr).lower()
