"""Competitions that several tests look at: made-up ones, and local ones that run beside the session's other tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_competition import LocalCompetition, PlayedCompetitions
from tests.made_up import make_competition
from tests.tampering import Tampered

_PLAYED = pytest.StashKey[PlayedCompetitions]()
_NEED_THEM = "test_local_network.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == _NEED_THEM)


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.items and session.items[-1].path.name == _NEED_THEM and not session.config.option.collectonly:
        session.config.stash[_PLAYED] = PlayedCompetitions()
        session.config.stash[_PLAYED].start()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if played := session.config.stash.get(_PLAYED, None):
        played.close()


@pytest.fixture(scope="session")
def competitions(request: pytest.FixtureRequest) -> Iterator[dict[str, LocalCompetition]]:
    """Output format -> its competition, once two rounds have been played and Ctrl-C was pressed."""
    yield request.config.stash[_PLAYED].result()


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_competition(tmp_path_factory.mktemp("honest") / "repository")


@pytest.fixture
def tampered(honest: Path, tmp_path: Path) -> Tampered:
    return Tampered(Path(shutil.copytree(honest, tmp_path / "repository")))
