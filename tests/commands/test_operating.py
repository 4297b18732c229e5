"""What an operator types: a competition is begun, looked at, paused and resumed, and a candidate's
code judged.
"""

import json
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.commands.before_start import check
from gen404_assets.commands.cli import main
from gen404_assets.competition.commits import by_person
from gen404_assets.competition.submissions import Submissions
from resources.chain.local import LocalChain, create_local_chain
from resources.settings import BadSetting
from simulators.examples import MINERS, text_of
from simulators.rounds import CONFIG, FOUNDER, POOL


class Operator:
    """Somebody with a terminal, a chain, and the files of a competition to begin."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.capsys = folder, capsys
        self.repository = folder / "competition.git"
        self.chain = folder / "chain"
        create_local_chain(
            self.chain, block_time=1.0, genesis_time=datetime(2026, 1, 5, tzinfo=UTC)
        )
        self.files = {"config": CONFIG, "leader": [{"hotkey": MINERS[-1]} | FOUNDER]}
        for name, content in self.files.items():
            (folder / f"{name}.json").write_text(json.dumps(content, indent=2))
        (folder / "prompts.txt").write_text(POOL)
        for name, value in {
            "COMPETITION_REPO": str(self.repository),
            "SUBTENSOR_NETWORK": self.chain.as_uri(),
            "GEN404_HOME": str(folder / "home"),
        }.items():
            monkeypatch.setenv(name, value)

    def type(self, *words: str) -> str:
        """A command that is done; what it prints."""
        assert main(words) == 0, self.capsys.readouterr().err
        return self.capsys.readouterr().out

    def refused(self, *words: str) -> str:
        """A command that can't be done; the sentence that says why."""
        assert main(words) == 2
        printed = self.capsys.readouterr()
        assert not printed.out
        assert printed.err.count("\n") == 1, printed.err
        return printed.err

    def begin(self) -> None:
        self.type("init", str(self.repository), *self.options())

    def options(self) -> list[str]:
        names = {"config": "config.json", "prompts": "prompts.txt", "leader": "leader.json"}
        return [
            word
            for option, name in names.items()
            for word in (f"--{option}", str(self.folder / name))
        ]

    def json(self, path: str) -> Any:
        return json.loads(self.git("show", f"main:{path}"))

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.repository), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def commit(self, path: str, content: bytes) -> None:
        """As the platform would."""
        clone = self.folder / "clone"
        subprocess.run(["git", "clone", "-q", str(self.repository), str(clone)], check=True)
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_bytes(content)
        who = ["-c", "user.name=p", "-c", "user.email=p@example.invalid"]
        for command in (["add", "."], ["commit", "-qm", "Update"], ["push", "-q"]):
            subprocess.run(["git", "-C", str(clone), *who, *command], check=True)


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    return Operator(tmp_path, monkeypatch, capsys)


def test_a_competition_begins_with_round_0_open_until_its_start_by_the_chains_clock(
    operator: Operator,
) -> None:
    operator.begin()
    assert operator.json("state.json") == {
        "current_round": 0,
        "stage": "open",
        "next_stage_eta": "2026-01-05T02:00:00Z",
    }
    assert operator.json("rounds/0/schedule.json") == {
        "earliest_reveal_block": 0,
        "latest_reveal_block": 600,  # two hours of 12 s after midnight
        "generation_deadline_block": 900,
    }
    assert by_person(operator.git("log", "-1", "--format=%B"))


def test_a_competition_begins_in_the_named_repository_though_the_settings_name_none_yet(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMPETITION_REPO")
    operator.begin()
    assert operator.json("state.json")["stage"] == "open"


def test_a_competition_is_never_begun_over_another(operator: Operator) -> None:
    operator.begin()
    head = operator.git("rev-parse", "main")
    assert "holds a competition already" in operator.refused(
        "init", str(operator.repository), *operator.options()
    )
    assert operator.git("rev-parse", "main") == head


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("config.json", '{\n  "name": "mesh"\n}', "config.json:1: first_evaluation_date"),
        ("config.json", json.dumps(CONFIG | {"win_margin": "high"}, indent=2), "win_margin"),
        ("prompts.txt", "https://pool.example/a.png", "prompts.txt:1: 1 usable prompts"),
        ("leader.json", "[]", "leader.json must name who leads at block 600"),
    ],
)
def test_what_a_competition_cant_begin_with_is_named(
    operator: Operator, name: str, content: str, complaint: str
) -> None:
    (operator.folder / name).write_text(content)
    assert complaint in operator.refused("init", str(operator.repository), *operator.options())


def test_the_status_says_what_is_due_and_what_waits_until_when(operator: Operator) -> None:
    operator.begin()
    text = operator.type("status")
    assert text.startswith("round 0: open, at block ")
    assert "waits for miners to reveal, until block 600 (2026-01-05 02:00 UTC)" in text
    LocalChain(operator.chain).stand(700)
    assert "due       collection: submissions, seed, prompts, state" in operator.type("status")
    printed = json.loads(operator.type("status", "--json"))
    assert printed["due"] == {"collection": ["submissions", "seed", "prompts", "state"]}
    assert printed["block"] >= 600


def test_the_status_of_an_empty_repository_names_the_command_that_begins(
    operator: Operator,
) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(operator.repository)], check=True)
    assert "the repository is empty: `gen404 init` begins" in operator.refused("status")


def test_the_status_of_a_repository_that_was_never_seen_says_why(operator: Operator) -> None:
    assert "the repository can't be reached: git fetch of " in operator.refused("status")


def test_the_status_of_a_repository_out_of_reach_is_what_was_seen_last(operator: Operator) -> None:
    operator.begin()
    operator.type("status")
    operator.repository.rename(operator.folder / "moved.git")
    operator.repository.mkdir()  # an unreadable repository at the same place
    output = operator.type("status")
    assert output.startswith("round 0: open, at block ")
    assert "the repository can't be reached: git fetch of " in output


def test_g13_a_pause_is_remembered_with_the_stage_it_interrupts_and_resuming_goes_back_there(
    operator: Operator,
) -> None:
    operator.begin()
    LocalChain(operator.chain).stand(700)
    assert operator.type("pause", "--reason", "a look at the prompts") == "round 0 is paused\n"
    assert operator.json("state.json")["interrupted_stage"] == "open"
    text = operator.type("status")
    assert "waits for a person to resume open" in text
    assert "due" not in text
    assert "is paused already" in operator.refused("pause")
    assert operator.type("resume") == "round 0 is open\n"
    assert operator.json("state.json") == {
        "current_round": 0,
        "stage": "open",
        "next_stage_eta": None,
    }
    assert "no pause" in operator.refused("resume")
    messages = operator.git("log", "-2", "--format=%B%x00").split("\0")[:2]
    assert "a look at the prompts" in messages[1]
    assert all(map(by_person, messages))


def test_commits_by_hand_are_dated_by_the_chain(operator: Operator) -> None:
    operator.begin()
    LocalChain(operator.chain).stand(7200)
    operator.type("pause")
    assert (
        operator.git("log", "-1", "--format=%cs").strip()
        == f"{LocalChain(operator.chain).time(7197):%Y-%m-%d}"
    )


def test_a_source_audit_is_a_persons_commit_and_a_later_one_replaces_it(operator: Operator) -> None:
    operator.begin()
    operator.commit("rounds/0/submissions.json", text_of(Submissions))
    operator.type("source-audit", MINERS[0], "passed", "--reason", "own work")
    operator.type("source-audit", MINERS[0], "failed", "--reason", "a copy after all")
    assert operator.json("rounds/0/source_audit.json") == [
        {"hotkey": MINERS[0], "verdict": "failed", "reason": "a copy after all"}
    ]
    assert "has no submission in round 0" in operator.refused(
        "source-audit", MINERS[5], "passed", "--reason", "x"
    )
    assert main(["source-audit", MINERS[0], "maybe", "--reason", "x"]) == 2


def test_nothing_is_said_of_a_competition_that_is_not_there(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMPETITION_REPO")
    assert "COMPETITION_REPO must name" in operator.refused("status")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUBTENSOR_NETWORK", "nowhere"),
        ("NETUID", "x"),
        ("R2_ENDPOINT", "ftp://x"),
        ("CDN_URL", ""),
        ("OPENAI_BASE_URL", "x"),
        ("GPU_PROVIDERS", "cloud"),
        ("MAX_FILE_BYTES", "-1"),
        ("EMBEDDER", "eyes"),
        ("DOWNLOAD_JITTER_SECONDS", "soon"),
        ("MAX_GENERATION_TIME", "nan"),
        ("SENSOR_SECONDS", "0"),
        ("INITIAL_POD_COUNT", "0"),
    ],
)
def test_a_bad_setting_ends_with_a_sentence_that_names_it_before_anything_starts(
    operator: Operator, name: str, value: str
) -> None:
    good = {
        "SUBTENSOR_NETWORK": operator.chain.as_uri(),
        "R2_ENDPOINT": "http://127.0.0.1:1",
        "R2_ACCESS_KEY_ID": "key",
        "R2_SECRET_ACCESS_KEY": "secret",
        "CDN_URL": "http://127.0.0.1:1/404-gen",
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "OPENAI_API_KEY": "key",
        "JUDGE_MODEL": "model",
        "EMBEDDER": "pictures",
        "GPU_PROVIDERS": "local",
        "LOCAL_NETWORK": str(operator.folder),
        "GITHUB_REPO": "owner/competition",
    }
    check(good)
    with pytest.raises(BadSetting, match=name):
        check(good | {name: value})


def test_a_taken_port_is_named_before_anything_starts(operator: Operator) -> None:
    operator.begin()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port} is taken" in operator.refused(
            "browse", str(operator.repository), "--port", port
        )
