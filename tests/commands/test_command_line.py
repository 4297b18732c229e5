"""The command line as an auditor uses it: real processes, exit codes, and nothing loaded that isn't
used.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from simulators.histories import make_competition


@pytest.fixture(scope="module")
def competition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_competition(
        tmp_path_factory.mktemp("competition") / "repo.git", rounds=3, miners=5, prompts=8
    )


def gen404(
    tmp_path: Path, *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gen404_assets.commands.cli", *map(str, arguments)]
    settings = os.environ | {"GEN404_HOME": str(tmp_path)} | environment
    return subprocess.run(
        command, capture_output=True, text=True, env=settings, check=False, timeout=240
    )


def test_a_clean_replay_exits_with_0_and_names_every_file(
    tmp_path: Path, competition: Path
) -> None:
    done = gen404(tmp_path, "replay", competition)
    assert (done.returncode, done.stderr) == (0, "")
    for name in (
        "submissions.json",
        "prompts.txt",
        "matches_matrix.csv",
        "winner.json",
        "leader.json",
        "state.json",
    ):
        assert name in done.stdout
    assert "differs" not in done.stdout


def test_a_replay_that_differs_exits_with_1_and_says_where_and_by_whom(
    tmp_path: Path, competition: Path
) -> None:
    clone = tmp_path / "clone"
    git = [
        "git",
        "-C",
        str(clone),
        "-c",
        "user.name=A Person",
        "-c",
        "user.email=person@example.invalid",
    ]
    subprocess.run(["git", "clone", "-q", str(competition), str(clone)], check=True)
    winner = clone / "rounds/1/winner.json"
    winner.write_text(winner.read_text().replace('"winner_hotkey": "', '"winner_hotkey": "5'))
    subprocess.run([*git, "commit", "-qam", "I like this one better"], check=True)
    done = gen404(tmp_path, "replay", clone, "--rounds", "1")
    assert done.returncode == 1
    assert "winner_hotkey: recorded 5" in done.stdout
    assert '"I like this one better"' in done.stdout


def test_json_holds_every_file_of_the_rounds_asked_for(tmp_path: Path, competition: Path) -> None:
    done = gen404(tmp_path, "replay", competition, "--rounds", "0-1", "--json")
    rounds = json.loads(done.stdout)["rounds"]
    assert [replayed["round"] for replayed in rounds] == [0, 1]
    listed = subprocess.run(
        [
            "git",
            "-C",
            competition,
            "ls-tree",
            "-r",
            "--name-only",
            "main",
            "rounds/0/",
            "rounds/1/",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    replayed_paths = {file["path"] for replayed in rounds for file in replayed["files"]}
    assert set(listed) <= replayed_paths


def test_a_repository_that_cannot_be_read_ends_with_a_sentence_and_2(tmp_path: Path) -> None:
    done = gen404(tmp_path, "replay", tmp_path / "nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("gen404: ")
    assert "Traceback" not in done.stderr


def test_rounds_that_do_not_exist_are_said_not_to(tmp_path: Path, competition: Path) -> None:
    done = gen404(tmp_path, "replay", competition, "--rounds", "7")
    assert done.returncode == 2
    assert "it has rounds 0 to" in done.stderr


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("MAX_GENERATION_TIME", "long", "MAX_GENERATION_TIME must be a number"),
        ("MAX_MISMATCHED_PROMPTS", "6.5", "MAX_MISMATCHED_PROMPTS must be a whole number"),
        (
            "DOCKER_IMAGE_FORMAT",
            "image:{tag}",
            "DOCKER_IMAGE_FORMAT must hold {hotkey10} and {tag}",
        ),
    ],
)
def test_a_bad_setting_is_named_with_what_was_expected(
    tmp_path: Path, competition: Path, setting: str, value: str, expected: str
) -> None:
    done = gen404(tmp_path, "replay", competition, **{setting: value})
    assert done.returncode == 2
    assert expected in done.stderr


def test_a_replay_loads_neither_dagster_nor_anything_heavy(
    tmp_path: Path, competition: Path
) -> None:
    code = (
        "import sys; from gen404_assets.commands.cli import main; main(['replay', sys.argv[1], "
        "'--json']);"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    settings = os.environ | {"GEN404_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(competition)],
        capture_output=True,
        text=True,
        env=settings,
        check=True,
    )
    heavy = {
        "dagster",
        "numpy",
        "pandas",
        "torch",
        "bittensor",
        "openai",
        "boto3",
        "sqlalchemy",
        "asyncio",
    }
    assert not heavy & set(done.stderr.split())


def test_what_a_script_starts_in_the_background_can_be_ended() -> None:
    """A shell has such a job ignore SIGINT; Dagster takes SIGTERM for what SIGINT is."""
    code = (
        "import signal; from gen404_assets.commands.cli import main; main(['--version']); "
        "import dagster._utils.interrupts as interrupts; interrupts.setup_interrupt_handlers(); "
        "print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)"
    )
    command = ["sh", "-c", '"$0" -c "$1" & wait', sys.executable, code]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_every_command_explains_itself(tmp_path: Path) -> None:
    from gen404_assets.commands.cli import gen404 as group  # noqa: PLC0415

    everything = gen404(tmp_path, "--help").stdout
    assert "Commands" not in everything  # they stand under headings
    assert "..." not in everything.replace("[ARGS]...", "")  # no sentence is cut
    for name in group.commands:
        done = CliRunner().invoke(group, [name, "--help"], prog_name="gen404")
        assert (done.exit_code, done.output.split()[:3]) == (0, ["Usage:", "gen404", name])
        assert group.commands[name].help


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    assert gen404(tmp_path, "--version").stdout.split()[-1] == version("gen404")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_the_commands(tmp_path: Path, shell: str) -> None:
    assert "_GEN404_COMPLETE" in gen404(tmp_path, "completion", shell).stdout


def test_a_command_that_does_not_exist_is_said_not_to(tmp_path: Path) -> None:
    done = gen404(tmp_path, "reply")
    assert done.returncode == 2
    assert "No such command 'reply'" in done.stderr


# What only the local network needs isn't there, as where an operator has installed no more than the
# platform.
_WITHOUT_LOCAL = (
    "import sys; sys.modules['trimesh'] = None;"
    "from gen404_assets.commands.cli import main; sys.exit(main(sys.argv[1:]))"
)


def _without_the_extra_local(
    tmp_path: Path, *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GEN404_HOME": str(tmp_path), "COMPETITION_REPO": ""} | settings
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT_LOCAL, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=240,
    )


def test_a_platform_on_real_services_does_without_the_local_networks_packages(
    tmp_path: Path,
) -> None:
    repository = "https://example.invalid/competition.git"
    done = _without_the_extra_local(tmp_path, "up", COMPETITION_REPO=repository, R2_ENDPOINT="")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gen404: R2_ENDPOINT must be set: URL of the S3 API\n"


def test_a_local_network_without_its_packages_says_what_to_set_or_install(tmp_path: Path) -> None:
    done = _without_the_extra_local(tmp_path, "up")
    assert done.returncode == 2
    assert "COMPETITION_REPO is not set, and a local network needs the package" in done.stderr
    assert "gen404[local]" in done.stderr


def test_a_command_without_a_competition_does_without_the_local_networks_packages(
    tmp_path: Path,
) -> None:
    done = _without_the_extra_local(tmp_path, "status")
    assert done.returncode == 2
    assert "COMPETITION_REPO must name the competition's repository" in done.stderr
