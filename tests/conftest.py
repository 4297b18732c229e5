"""Competitions that several tests look at: made-up ones, and local ones that run beside the
session's other tests.
"""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

from simulators.histories import make_competition
from simulators.local_competition import LocalCompetition, PlayedCompetitions, wait_until_played
from tests.replay.tampering import Tampered

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

_NEED_THEM = "test_local_network.py"
_FOLDER = "LOCAL_COMPETITIONS"
"""The variable by which the session tells its workers where they are played."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == _NEED_THEM)


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput") and _are_needed(session.config):
        played = PlayedCompetitions()
        os.environ[_FOLDER] = str(played.folder)
        played.start()
        session.config.add_cleanup(played.close)


def _are_needed(config: pytest.Config) -> bool:
    tests = Path(__file__).parent
    chosen = {Path(each.partition("::")[0]).resolve() for each in config.args}
    ignored = {Path(each).name for each in config.getoption("ignore") or ()}
    commands = tests / "commands"
    asked_for = {tests.parent, tests, commands, commands / _NEED_THEM}
    needed = bool(chosen & asked_for) and _NEED_THEM not in ignored
    return needed and not config.option.collectonly


@pytest.fixture(scope="session")
def competitions() -> dict[str, LocalCompetition]:
    """Output format -> its competition, once two rounds have been played and Ctrl-C was pressed."""
    return wait_until_played(Path(os.environ[_FOLDER]))


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_competition(tmp_path_factory.mktemp("honest") / "repository")


@pytest.fixture
def tampered(honest: Path, tmp_path: Path) -> Tampered:
    return Tampered(Path(shutil.copytree(honest, tmp_path / "repository")))
