"""A repository that lacks the content of any one version of any file, as a partial clone does: each
edition's replay goes as far as it can, names what is missing, and accuses nobody for want of it.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import pytest

from gen404_assets.competition.contents import LOST
from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.editions.choosing import EDITIONS
from gen404_assets.replay.result import Finding, RoundReplay
from resources.repository import Repository
from simulators.edition_histories import make_competition_0, make_competition_2
from simulators.histories import make_competition


def make_competition_1(path: Path) -> Path:
    return make_competition(path, rounds=2, miners=3, prompts=4)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "competition-0": make_competition_0,
    "competition-1": make_competition_1,
    "competition-2": make_competition_2,
}


@pytest.fixture(params=MAKERS)
def edition(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def repository(edition: str, tmp_path: Path) -> Repository:
    path = MAKERS[edition](tmp_path / "repository.git")
    repository = Repository(str(path), mirror=tmp_path / "mirror")
    repository.refresh()
    return repository


def _held(contents: Mapping[str, bytes], wanted: Iterable[str]) -> dict[str, bytes]:
    return {blob: contents[blob] for blob in wanted if blob in contents}


def replayed(edition: str, history: History) -> list[RoundReplay]:
    return [
        EDITIONS[edition].replay(history, number, Rules(), {}) for number in history.round_numbers
    ]


def test_whatever_is_missing_nothing_is_said_to_differ_for_want_of_it(
    edition: str, repository: Repository
) -> None:
    snapshot = repository.snapshot()
    blobs = {change.blob: change.path for change in snapshot.history if change.blob}
    contents = snapshot.read_blobs(set(blobs))
    named = 0
    for lost, path in blobs.items():
        kept = {blob: content for blob, content in contents.items() if blob != lost}
        history = History(snapshot.commits, snapshot.history, partial(_held, kept))
        rounds = replayed(edition, history)
        files = [file for each in rounds for file in each.files]
        assert not [file for file in files if file.finding is Finding.DIFFERS], path
        assert not [act for each in rounds for act in each.acts if act.wrong], path
        named += any(LOST in f"{file.reason} {file.notes}" for file in files)
    assert named


def test_a_repository_without_any_content_is_said_to_have_none(
    edition: str, repository: Repository
) -> None:
    snapshot = repository.snapshot()
    history = History(snapshot.commits, snapshot.history, lambda _: {})
    files = [file for each in replayed(edition, history) for file in each.files]
    assert files
    assert {file.finding for file in files} <= {Finding.MALFORMED, Finding.NOT_DERIVABLE}
