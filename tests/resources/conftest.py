"""An empty remote, the platform's mirror of it, and somebody with a clone."""

import os
from pathlib import Path

import pytest

from resources.repository import Repository
from tests.resources.repositories import Person, git, put


@pytest.fixture
def own_git_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    settings = tmp_path / "settings"
    settings.write_text(
        "[user]\nname = Person\nemail = person@example.org\n[init]\ndefaultBranch = main\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    git("init", "-q", "--bare", "remote.git", at=tmp_path)
    return tmp_path / "remote.git"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


@pytest.fixture
def repository(remote: Path, mirror: Path) -> Repository:
    return Repository(str(remote), mirror=mirror)


@pytest.fixture
def person(repository: Repository, remote: Path, tmp_path: Path) -> Person:
    repository.publish("start", put({"start": b"0"}))
    return Person(remote, tmp_path / "person")
