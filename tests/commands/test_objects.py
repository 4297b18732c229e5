"""`gen404 replay --objects`: from the command line to a store over real HTTP, and the exit code."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gen404_assets.commands.objects import sample_of
from gen404_assets.commands.refused import Refused
from gen404_assets.commands.replaying import (
    SAME,
    UNREADABLE,
    WRONG,
    Asked,
    replay_changed,
    replay_rounds,
)
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.objects.checking import Sample
from gen404_assets.replay.what_if import Change
from simulators.history_repository import fast_import
from simulators.memory_repository import MemoryRepository
from simulators.recording import write_commits
from tests.replay.objects.world import StoredCompetition, played, rebased, stored_competition

SAMPLE = Sample(seed=3, count=4)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StoredCompetition]:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ALLOW_PRIVATE_CDN", "true")
    monkeypatch.setenv("RENDER_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("IMAGE_DISTANCE_SERVICE_URL", "http://127.0.0.1:1")
    with stored_competition() as competition:
        yield competition


@pytest.fixture
def asked(world: StoredCompetition, tmp_path: Path) -> Asked:
    """Round 1 of the recorded competition, with its objects in the simulated store."""
    honest, base = played().repository, f"{world.store.url}/".encode()
    repository = MemoryRepository()
    repository.commits, repository.changes = honest.commits, honest.changes
    repository.contents = {
        blob: rebased(content, base) for blob, content in honest.contents.items()
    }
    with fast_import(tmp_path / "repository") as stream:
        write_commits(stream, repository)
    return Asked(str(tmp_path / "repository"), "main", range(1, 2), objects=SAMPLE)


def test_the_exit_code_says_whether_objects_are_right_wrong_or_out_of_reach(
    world: StoredCompetition, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay_rounds(asked, Rules(), "") == SAME
    text = capsys.readouterr().out
    assert f"objects of round 1 in {world.store.url}: " in text
    assert " 12 digests, " in text
    assert "the sample was drawn with --seed 3" in text
    assert "? previews are not drawn again: no picture: ConnectError" in text

    for key in [key for key in world.store.objects if key.startswith("answers/")][1:]:
        world.store.objects[key] = b"{}"
    assert replay_rounds(replace(asked, as_json=True), Rules(), "") == WRONG
    document = json.loads(capsys.readouterr().out)
    assert document["objects"]["findings"] > 0
    assert document["objects"]["sample"] == {"seed": 3, "count": 4, "judged": 0}
    differing = [file for file in document["rounds"][0]["files"] if file["finding"] == "differs"]
    assert {file["asset"] for file in differing} == {"duels"}

    world.store.statuses[""] = 404
    assert replay_rounds(asked, Rules(), "") == UNREADABLE
    text = capsys.readouterr().out
    assert text.count("? can't be checked: ") == 2
    assert "could not be had, and nothing else of it: HTTP status 404" in text


def test_options_about_objects_need_objects() -> None:
    nothing = {"count": None, "seed": None, "judged": None}
    assert sample_of(objects=False, **nothing) is None
    for option in ("count", "seed", "judged"):
        with pytest.raises(Refused, match="give --objects, too"):
            sample_of(objects=False, **nothing | {option: 1})
    chosen = sample_of(objects=True, count=9, seed=0, judged=2)
    assert chosen == Sample(0, 9, 2)
    by_chance = [sample_of(objects=True, **nothing) for _ in range(8)]
    assert len({each.seed for each in by_chance if each is not None}) > 1


def test_a_change_does_not_go_with_objects() -> None:
    asked = Asked("nowhere", "main", objects=SAMPLE)
    with pytest.raises(Refused, match="does not go with a change"):
        replay_changed(asked, Rules(), Change({}, {}, (), ()), None)
