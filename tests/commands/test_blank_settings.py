"""A variable that is blank counts as unset, wherever it is read."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

import pytest

from gen404_assets.commands import local_settings, opening, up
from gen404_assets.commands.cli import main
from gen404_assets.commands.occupied import Competition
from gen404_assets.live.subjects import SUBJECTS
from gen404_assets.settings import RepositorySettings
from resources.settings import setting_fields, without_blanks

ROOT = Path(__file__).parents[2]
BLANK = "  "
ALL = [name.upper() for subject in SUBJECTS for name in setting_fields(subject.model)]


@pytest.fixture(autouse=True)
def environment(tmp_path: Path) -> Iterator[None]:
    before = dict(os.environ)
    for name in ALL:
        os.environ.pop(name, None)
    os.environ["GEN404_HOME"] = str(tmp_path / "home")
    os.environ["GEN404_OPERATE"] = "false"
    yield
    os.environ.clear()
    os.environ.update(before)


def told(
    command: str, capsys: pytest.CaptureFixture[str], variables: Mapping[str, str]
) -> tuple[int, str]:
    """A command's exit code, and all that it prints."""
    before = dict(os.environ)
    os.environ.update(variables)
    code = main(command.split())
    os.environ.clear()
    os.environ.update(before)
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@pytest.mark.parametrize("name", ["COMPETITION_REPO", "DATABASE_URL", "GITHUB_BRANCH"])
@pytest.mark.parametrize(
    "command",
    [
        *("status", "pods", "pause", "resume", "weights", "settings"),
        *("start code-server", "start daemon", "start webserver", "start monitor"),
    ],
)
def test_a_command_says_of_a_blank_variable_what_it_says_of_none(
    command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unset = told(command, capsys, {})
    assert told(command, capsys, {name: BLANK}) == told(command, capsys, {name: ""}) == unset
    assert unset[1]


def test_a_process_apart_asks_for_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told("start daemon", capsys, {"DATABASE_URL": BLANK})
    assert code == 2
    assert "DATABASE_URL must be set" in text


def test_status_asks_for_a_repository(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told("status", capsys, {"COMPETITION_REPO": BLANK})
    assert code == 2
    assert "COMPETITION_REPO must name the competition's repository" in text


def test_up_starts_a_local_network_where_the_repository_is_blank(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[str] = []
    network = {"COMPETITION_REPO": "of the local network"}

    def operate(environment: Mapping[str, str], _: int) -> int:
        begun.append(environment["COMPETITION_REPO"])
        return 0

    monkeypatch.setattr(up, "operate", operate)
    monkeypatch.setattr(opening, "started_local_network", lambda _: nullcontext(network))
    for repository, expected in (("", network), (BLANK, network), ("here", None)):
        os.environ["COMPETITION_REPO"] = repository
        assert main(["up"]) == 0
        assert begun.pop() == (expected or {"COMPETITION_REPO": "here"})["COMPETITION_REPO"]


def test_a_blank_repository_hides_no_local_network() -> None:
    local_settings.folder().mkdir(parents=True)
    known = local_settings.folder() / "environment.json"
    known.write_text('{"COMPETITION_REPO": "local"}')
    os.environ["COMPETITION_REPO"] = BLANK
    assert opening.operators_environment()["COMPETITION_REPO"] == "local"


def test_the_competition_is_named_once_whatever_blanks_stand_around_it() -> None:
    named = {"COMPETITION_REPO": " /a/repository ", "GITHUB_BRANCH": " main\t"}
    assert Competition.named_in(named) == Competition("/a/repository", "main")
    assert Competition.named_in({"GITHUB_BRANCH": BLANK}) == Competition("", "main")
    assert without_blanks({"A": BLANK, "B": "", "C": " c "}) == {"C": " c "}


def test_an_option_of_the_command_line_takes_no_blank_from_a_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def open_nothing(*arguments: object) -> NoReturn:
        asked.append(arguments)
        raise FileNotFoundError

    monkeypatch.setattr("gen404_assets.competition_repository.newest_history", open_nothing)
    os.environ["GITHUB_BRANCH"] = BLANK
    with pytest.raises(FileNotFoundError):
        main(["report", "a/repository", "-o", "pages"])
    default = RepositorySettings.model_fields["github_branch"].default
    assert asked == [("a/repository", default)]


def test_no_setting_is_read_raw() -> None:
    raw = re.compile(r"""environ(?:ment)?\.get\(\s*["'](\w+)["'](?:, ["']{2})?\)(?!\.strip)""")
    read = {
        name
        for package in ("gen404_assets", "resources", "sensors", "gpu/services", "gpu/distance")
        for path in (ROOT / package).rglob("*.py")
        for name in raw.findall(path.read_text())
    }
    assert read & set(ALL) == set()
