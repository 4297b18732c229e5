"""Two platforms on one repository that share no database: each finds the other by its commits, and
says so wherever an operator looks.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from gen404_assets.assets.resource import (
    CompetitionResource,
    close_adapters,
    watched_competition,
)
from gen404_assets.commands.status import Status, status, status_json, status_text
from gen404_assets.live.other_platform import other_platform
from gen404_assets.live.outside import Outside
from gen404_assets.live.sightings import OTHER, Sightings
from resources.git_history import Commit
from resources.git_signatures import Signatures
from resources.notes import FileNotes
from resources.repository import Repository
from resources.settings import BadSetting
from sensors.standing import standing
from simulators.histories import make_competition
from simulators.outside import GENESIS, SimulatedChain

OURS, THEIRS = "0a1b2c3d", "ffffffff"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

Publish = Callable[[str, int], Commit]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    path = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    return path


@pytest.fixture
def publish(remote: Path, tmp_path: Path) -> Publish:
    """Publish as an installation, or as one that names none, so many minutes after noon."""
    count = iter(range(1000))

    def publish(installation: str, minutes: int) -> Commit:
        signatures = Signatures(installation=(lambda: installation) if installation else None)
        repository = Repository(
            str(remote), mirror=tmp_path / f"mirror {installation}", signatures=signatures
        )
        content = str(next(count)).encode()
        time = NOON + timedelta(minutes=minutes)
        return repository.publish("Update x for round 0", lambda _: {"x": content}, time=time)

    return publish


@pytest.fixture
def seen(remote: Path, tmp_path: Path) -> Callable[[int], str]:
    """Which other platform ours sees, so many minutes after noon."""

    def seen(minutes: int) -> str:
        repository = Repository(str(remote), mirror=tmp_path / "mirror")
        snapshot = repository.snapshot(repository.refresh())
        return other_platform(snapshot, OURS, NOON + timedelta(minutes=minutes))

    return seen


def test_a_commit_says_which_installation_made_it_and_keeps_its_author(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = publish(OURS, 0)
    assert commit.author == "404-gen <platform@404-gen.invalid>"
    assert commit.committer == f"404-gen ({OURS})"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "The (real) Platform")
    assert publish(OURS, 1).committer == f"The (real) Platform ({OURS})"
    assert publish("", 2).committer == "The (real) Platform"


def test_nobody_else_is_seen_where_nobody_else_publishes(
    publish: Publish, seen: Callable[[int], str]
) -> None:
    publish("", 0)  # a person, or a platform of before
    assert not seen(0)
    publish(OURS, 1)
    publish("", 2)
    assert not seen(3)


def test_whoever_publishes_after_us_is_another_platform(
    publish: Publish, seen: Callable[[int], str]
) -> None:
    publish(OURS, 0)
    commit = publish(THEIRS, 4)
    words = (
        f"{THEIRS} publishes in this repository, too, last {commit.short} of 2026-01-05 12:04 UTC"
    )
    assert seen(5).startswith(words)
    publish(OURS, 6)
    assert seen(7).startswith(words)


def test_one_that_comes_second_sees_the_first_before_it_has_published(
    publish: Publish, seen: Callable[[int], str]
) -> None:
    publish(THEIRS, 0)
    assert THEIRS in seen(1)


def test_one_that_we_have_replaced_is_not_at_work(
    publish: Publish, seen: Callable[[int], str]
) -> None:
    """The database was lost, and with it the name that the commits of before bear."""
    publish(THEIRS, 0)
    publish(OURS, 1)
    publish(OURS, 2)
    assert not seen(3)


def test_one_that_has_been_stopped_is_forgotten_after_an_hour(
    publish: Publish, seen: Callable[[int], str]
) -> None:
    publish(OURS, 0)
    publish(THEIRS, 1)
    publish(OURS, 2)
    assert THEIRS in seen(60)
    assert not seen(62)


@pytest.fixture
def two_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CompetitionResource]:
    """The first of two platforms, each with a home of its own; the second has published last."""
    repository = make_competition(tmp_path / "repository.git", rounds=1, miners=2, prompts=2)
    monkeypatch.setenv("COMPETITION_REPO", str(repository))
    monkeypatch.setenv("GEN404_OPERATE", "true")
    chain = SimulatedChain()
    for home in ("first", "second"):
        monkeypatch.setenv("GEN404_HOME", str(tmp_path / home))
        files = {"x": home.encode()}
        Outside(os.environ).repository.publish(home, lambda _: files, time=GENESIS)  # noqa: B023
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "first"))
    competition = watched_competition()
    competition.outside().__dict__["chain"] = chain
    yield competition
    close_adapters()


def test_what_a_person_publishes_bears_no_installation_and_needs_no_database(
    two_homes: CompetitionResource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert two_homes.operates
    kept_in_database = tmp_path / "first" / "dagster" / "dagster.yaml"
    kept_in_database.parent.mkdir(exist_ok=True)
    kept_in_database.write_text(
        "storage:\n  postgres:\n    postgres_url:\n      env: DATABASE_URL\n"
    )
    monkeypatch.delenv("DATABASE_URL", raising=False)
    person = Outside(os.environ, by_person=True)
    commit = person.repository.publish("By hand", lambda _: {"x": b"1"}, time=GENESIS)
    assert commit.committer == "404-gen"
    with pytest.raises(BadSetting, match="DATABASE_URL must be set"):
        person.installation()


def test_g25_two_platforms_are_named_in_status_on_the_first_page_and_in_the_health(
    two_homes: CompetitionResource, tmp_path: Path
) -> None:
    outside = two_homes.outside()
    told = status(outside)
    assert isinstance(told, Status)
    other = status_json(told)["another_platform"]
    assert "publishes in this repository, too" in other
    assert outside.installation() not in other
    assert f"  another platform: {other}" in status_text(told).splitlines()

    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance) as context:
        result = standing(context)
    assert isinstance(result, dg.SensorResult)
    (event,) = result.asset_events
    assert isinstance(event, dg.AssetMaterialization)
    assert event.metadata["another platform"].value == other
    assert "Another platform works here" in str(event.metadata["now"].value)
    (wait,) = Sightings(FileNotes(tmp_path / "first")).waits()
    assert wait.startswith(f"another platform: {other}, since ")


def test_the_health_is_well_again_when_the_other_one_has_ended(
    two_homes: CompetitionResource, tmp_path: Path
) -> None:
    two_homes.sight().note(OTHER, "ffffffff publishes in this repository, too")
    two_homes.sight().note(OTHER, "")
    assert Sightings(FileNotes(tmp_path / "first")).waits() == []
