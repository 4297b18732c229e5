"""Dagster's instance of a platform: whose `dagster.yaml` it is, and which database it names."""

import os
from pathlib import Path

import pytest

from gen404_assets.commands.instance import (
    TEMPLATE,
    own_database,
    prepare,
    tick_retention,
)
from gen404_assets.commands.opening import operators_environment
from gen404_assets.commands.processes import prepared
from gen404_assets.commands.refused import Refused
from gen404_assets.competition.catalogue import Lane
from gen404_assets.live.shared import open_shared
from resources.settings import BadSetting

OWN = """
storage:
  sqlite:
    base_dir: /elsewhere
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "environ", {**os.environ, "GEN404_HOME": str(tmp_path)})
    os.environ.pop("DATABASE_URL", None)
    return tmp_path


def configured(home: Path) -> str:
    return (home / "dagster" / "dagster.yaml").read_text()


def test_a_clone_has_the_configuration_that_is_installed() -> None:
    """Plain `dagster dev` reads the one in the clone's root, `gen404 up` the package's."""
    assert (Path(__file__).parents[2] / "dagster.yaml").read_bytes() == TEMPLATE.read_bytes()


def test_an_operator_s_own_configuration_is_left_as_it_is(home: Path) -> None:
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text(OWN)
    variables = prepare(os.environ)
    assert configured(home) == OWN
    assert variables["DAGSTER_HOME"] == str(home / "dagster")


def test_ours_follows_the_settings_until_it_is_changed_by_hand(home: Path) -> None:
    prepare({**os.environ, "RETENTION_DAYS": "7"})
    assert "success: 7" in configured(home)
    prepare({**os.environ, "RETENTION_DAYS": "9"})
    assert "success: 9" in configured(home)
    changed = configured(home).replace("success: 9", "success: 90")
    (home / "dagster" / "dagster.yaml").write_text(changed)
    prepare({**os.environ, "RETENTION_DAYS": "7"})
    assert configured(home) == changed


def test_what_a_version_before_has_written_is_ours(home: Path) -> None:
    (home / "dagster").mkdir()
    before = BEFORE + tick_retention(30)
    (home / "dagster" / "dagster.yaml").write_text(before)
    prepare(os.environ)
    assert "tag_concurrency_limits" in configured(home)


BEFORE = """\
# Dagster's instance. Its storage is SQLite beside this file's copy in DAGSTER_HOME; \
production names PostgreSQL here.
telemetry:
  enabled: false
run_monitoring:
  enabled: true
  poll_interval_seconds: 15
run_retries:
  enabled: false # the sensors take failed work up again, with back-off
run_queue:
  max_concurrent_runs: 6 # one a lane, and one for a replay
  dequeue_interval_seconds: 1
  dequeue_use_threads: true
sensors:
  use_threads: true
  num_workers: 6
code_servers:
  local_startup_timeout: 600 # seconds; a busy machine takes minutes to import everything
# The welcome dialog of the UI.
nux:
  enabled: false
"""


def test_processes_apart_need_a_database_and_say_so() -> None:
    with pytest.raises(Refused, match="DATABASE_URL must be set"):
        prepared(os.environ)


def test_a_database_that_isn_t_postgresql_is_refused() -> None:
    with pytest.raises(BadSetting, match="DATABASE_URL must be a URL such as"):
        prepare({**os.environ, "DATABASE_URL": "mysql://a:b@c/d"})


def test_a_configuration_that_can_t_be_used_is_named(home: Path) -> None:
    (home / "dagster").mkdir()
    path = home / "dagster" / "dagster.yaml"
    path.write_text("storage:\n  postgres:\n    postgres_urls: []\n")
    with pytest.raises(Refused, match="can't be used") as refused:
        prepare(os.environ)
    assert str(path) in str(refused.value)


def test_a_variable_of_a_configuration_that_is_not_set_is_named(home: Path) -> None:
    """As in a shell that lacks the platform's settings, in which a person types `gen404 status`."""
    (home / "dagster").mkdir()
    path = home / "dagster" / "dagster.yaml"
    path.write_text("# env: OF_A_COMMENT\n" + OWN_POSTGRES)
    with pytest.raises(Refused, match=f"^NOT_SET_AT_ALL must be set: {path} "):
        own_database(home / "dagster")


def test_without_the_database_s_url_only_what_needs_no_database_is_done(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reviewer's `gen404 source-audit` commits to the repository; who deletes pods has to know
    which are held.
    """
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text(
        OWN_POSTGRES.replace("NOT_SET_AT_ALL", "DATABASE_URL")
    )
    monkeypatch.setenv("COMPETITION_REPO", "/somewhere")
    assert operators_environment()["COMPETITION_REPO"] == "/somewhere"
    with pytest.raises(BadSetting, match=r"^DATABASE_URL must be set"):
        open_shared()


OWN_POSTGRES = """\
storage:
  postgres:
    postgres_url:
      env: NOT_SET_AT_ALL
"""


def test_no_lane_s_run_has_to_wait_for_backfills() -> None:
    text = TEMPLATE.read_text()
    (slots,) = [line.split()[1] for line in text.splitlines() if "max_concurrent_runs" in line]
    (backfills,) = [line.split()[1] for line in text.splitlines() if line.startswith("      limit")]
    assert int(slots) - int(backfills) > len(Lane)
