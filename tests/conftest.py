"""Competitions that several tests look at: made-up ones, and local ones that are played beside the
session's tests.
"""

import os
import shutil
import signal
from pathlib import Path

import hypothesis
import pytest

from simulators.histories import make_competition
from simulators.local_competition import LocalCompetition, PlayedCompetitions, played_in
from tests.replay.tampering import Tampered

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

_LONG = (
    *("test_crashes.py", "test_platform.py", "test_rounds.py", "test_miner.py", "test_files.py"),
    *("test_repository_publishing.py", "test_taken_over.py", "test_simulation.py"),
    *("test_splats.py", "test_hostile.py", "test_processes.py", "test_hand_made_commits.py"),
    *("test_faults.py", "test_replay.py", "test_clouds.py", "test_shared.py", "test_service.py"),
    *("test_assets.py", "test_restoring.py", "test_whole_rounds.py", "test_dagster_dev.py"),
    *("test_gateway.py", "test_supervisor.py"),
)
"""Files that take half a minute or more, the longest first: with few processes, a long one that
began last would run alone."""
_NEED_THEM = "test_local_network.py"
_FOLDER = "LOCAL_COMPETITIONS"
"""The variable by which the session tells its workers where they are played."""
_NICENESS = 10


def pytest_configure(config: pytest.Config) -> None:
    """A shell starts a job in the background with SIGINT ignored, and so is what that starts: the
    `dagster dev` of a test would not end.

    Tests take what the local competitions leave of the machine: a competition has deadlines.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput") and _FOLDER in os.environ:
        os.nice(_NICENESS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    """Which file comes sooner: a long one; last, the one that looks at the local competitions."""
    name = item.path.name
    if name == _NEED_THEM:
        return len(_LONG) + 1
    return _LONG.index(name) if name in _LONG else len(_LONG)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Local competitions are played beside the tests: they wait for half of their time."""
    if not hasattr(session.config, "workerinput") and _are_needed(session.config):
        played = PlayedCompetitions()
        os.environ[_FOLDER] = str(played.folder)
        session.config.add_cleanup(played.close)
        print("two local competitions are played meanwhile", flush=True)
        played.begin()


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
    return played_in(Path(os.environ[_FOLDER]))


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_competition(tmp_path_factory.mktemp("honest") / "repository")


@pytest.fixture
def tampered(honest: Path, tmp_path: Path) -> Tampered:
    return Tampered(Path(shutil.copytree(honest, tmp_path / "repository")))
