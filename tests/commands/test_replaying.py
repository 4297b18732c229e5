"""`gen404 replay`: what a report is pinned to, what the history is held against, and its exit
codes.
"""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gen404_assets.commands.cli import main
from gen404_assets.commands.refused import Refused
from gen404_assets.commands.replay_text import report_page
from gen404_assets.commands.replaying import BY_PEOPLE, UNREADABLE, WRONG, Asked, replay_rounds
from gen404_assets.competition.contents import LOST
from gen404_assets.competition.settings import Rules
from simulators.recording import CHANGED, RECORDED

ASKED = Asked(str(RECORDED), "main")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))


def clone(folder: Path, *options: str) -> Path:
    command = ["git", "clone", "-q", *options, "-b", "main", f"file://{RECORDED}", str(folder)]
    if options:
        clone(folder.parent / "whole")
        command[-2] = f"file://{folder.parent / 'whole'}"
    else:
        command[-2] = str(RECORDED)
    subprocess.run(command, check=True)
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@b.invalid")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_report_is_pinned_and_holds_values_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert replay_rounds(replace(ASKED, as_json=True), Rules(), "1.2.3") == BY_PEOPLE
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == "1.2.3"
    assert document["repository"] == str(RECORDED)
    assert len(document["head"]) == 40
    assert document["rules"]["acceptable_distance"] == Rules().acceptable_distance
    [changed] = [act for act in document["rounds"][0]["acts"] if act["path"] == CHANGED]
    [change] = changed["changes"]
    assert change["after"] == f"Checked by hand: {change['before']}"


def test_one_file_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert replay_rounds(replace(ASKED, file=CHANGED), Rules(), "") == BY_PEOPLE
    text = capsys.readouterr().out
    assert text.startswith("round 0\n  audits: differs\n")
    assert "changed by a person in" in text
    assert "round 1" not in text


def test_a_history_that_does_not_continue_the_one_seen_before_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = clone(tmp_path / "clone")
    seen = git(repository, "rev-parse", "main")
    asked = replace(ASKED, url=str(repository), rounds=range(1, 2), since=seen)
    assert replay_rounds(asked, Rules(), "") == 0
    git(repository, "commit", "-q", "--amend", "-m", "Say it in other words")
    assert replay_rounds(asked, Rules(), "") == WRONG
    assert f"! the history does not continue {seen}" in capsys.readouterr().out


def test_g27_commits_that_no_named_key_signed_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository, key = clone(tmp_path / "clone"), tmp_path / "key"
    seen = git(repository, "rev-parse", "main")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"platform {key.with_suffix('.pub').read_text()}")
    sign = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}")
    state = repository / "README.md"
    for number, options in enumerate((("-S",), ())):
        state.write_text(str(number))
        git(repository, "add", "-A")
        message = f"Update state (finished) for round {number}"
        git(repository, *(sign if options else ()), "commit", "-q", *options, "-m", message)
    asked = replace(
        ASKED, url=str(repository), rounds=range(1, 2), since=seen, signers=signers, as_json=True
    )
    assert replay_rounds(asked, Rules(), "") == WRONG
    unsigned = git(repository, "rev-parse", "--short=7", "main")
    message = "Update state (finished) for round 1"
    assert json.loads(capsys.readouterr().out)["wrong"] == [
        f'{unsigned} "{message}": it isn\'t signed'
    ]


def test_a_shallow_clone_and_a_missing_branch_are_said_at_once(tmp_path: Path) -> None:
    shallow = clone(tmp_path / "shallow", "--depth", "3")
    with pytest.raises(Refused, match="is a shallow clone"):
        replay_rounds(replace(ASKED, url=str(shallow)), Rules(), "")
    worktree = tmp_path / "worktree"
    git(shallow, "worktree", "add", "-q", str(worktree))
    for url in (shallow.as_uri(), str(worktree)):
        with pytest.raises(Refused, match="is a shallow clone"):
            replay_rounds(replace(ASKED, url=url), Rules(), "")
    with pytest.raises(Refused, match="has no branch other"):
        replay_rounds(replace(ASKED, branch="other"), Rules(), "")


def test_rounds_that_the_history_does_not_know_are_refused() -> None:
    with pytest.raises(Refused, match="it has rounds 0 to 1"):
        replay_rounds(replace(ASKED, rounds=range(7, 9)), Rules(), "")


def test_what_is_not_derivable_says_what_it_would_take_and_each_round_leads_to_its_page(
    honest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(honest), "--report", "https://pages.example/season/"]) == 0
    told = capsys.readouterr().out
    for number in range(4):
        assert f"  report: https://pages.example/season/rounds/{number}/index.html\n" in told
    lines = told.splitlines()
    underivable = [
        at
        for at, line in enumerate(lines)
        if line.startswith("  ") and line.endswith("not derivable")
    ]
    assert underivable
    for at in underivable:
        assert lines[at + 2].strip().startswith(("derivable with", "never ")), lines[at]


def test_the_report_may_be_a_setting_and_have_a_place_for_each_round(
    honest: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_URL", "https://pages.example/{round}/")
    assert main(["replay", str(honest), "--rounds", "2", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["rounds"]
    assert told["report"] == "https://pages.example/2/rounds/2/index.html"


def test_a_folder_is_linked_for_the_rounds_whose_pages_it_holds(tmp_path: Path) -> None:
    page = tmp_path / "rounds" / "1" / "index.html"
    page.parent.mkdir(parents=True)
    page.touch()
    assert report_page(str(tmp_path), 1) == str(page)
    assert report_page(str(tmp_path), 2) == ""


def test_without_a_report_no_page_is_linked(
    honest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(honest), "--rounds", "0"]) == 0
    assert "report:" not in capsys.readouterr().out


def test_a_partial_clone_is_replayed_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds the content of the files at its head and no older ones, and what it was cloned from
    is gone.
    """
    whole = clone(tmp_path / "whole")
    git(whole, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    command = ["git", "clone", "-q", "--filter=blob:none", f"file://{whole}", str(partial)]
    subprocess.run(command, check=True)
    shutil.rmtree(whole)
    asked = replace(ASKED, url=str(partial), as_json=True)
    assert replay_rounds(asked, Rules(), "") == UNREADABLE
    files = json.loads(capsys.readouterr().out)["rounds"][0]["files"]
    assert "differs" not in {file["finding"] for file in files}
    assert "identical" in {file["finding"] for file in files}
    assert any(LOST in note for file in files for note in file["notes"])


@pytest.mark.parametrize("bundled", [False, True], ids=["a folder", "a bundle's mirror"])
def test_what_is_missing_is_named_and_the_rest_is_derived(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bundled: bool
) -> None:
    """A clone without the content of a round's prompts and of one report."""
    source = clone(tmp_path / "source")
    report = next(path for path in git(source, "ls-files").split() if "/duels_" in path)
    lost = {"rounds/0/prompts.txt", report}
    partial = without_content(source, tmp_path / "partial", lost)
    url = f"file://{partial}" if bundled else str(partial)
    assert replay_rounds(replace(ASKED, url=url, as_json=True), Rules(), "") == UNREADABLE
    files = json.loads(capsys.readouterr().out)["rounds"][0]["files"]
    unread = [file["path"] for file in files if file["finding"] == "malformed"]
    assert sorted(unread) == sorted(lost)
    assert all(LOST in file["reason"] for file in files if file["path"] in lost)
    assert {"identical"} <= {file["finding"] for file in files}


@pytest.mark.parametrize("bundled", [False, True], ids=["a folder", "a bundle's mirror"])
def test_tables_name_the_file_whose_content_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bundled: bool
) -> None:
    source = clone(tmp_path / "source")
    partial = without_content(source, tmp_path / "partial", {"rounds/0/submissions.json"})
    url = f"file://{partial}" if bundled else str(partial)
    assert main(["export", url, "-o", str(tmp_path / "tables")]) == UNREADABLE
    assert f"gen404: rounds/0/submissions.json:1: {LOST}\n" in capsys.readouterr().err


def without_content(source: Path, folder: Path, paths: set[str]) -> Path:
    """A bare copy of a repository whose objects lie one by one, without those of some files at its
    head.
    """
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True)
    packs = [*(source / ".git/objects/pack").glob("*.pack")]
    for pack in packs:
        subprocess.run(
            ["git", "-C", str(folder), "unpack-objects", "-q"], input=pack.read_bytes(), check=True
        )
    head = git(source, "rev-parse", "HEAD")
    for path in paths:
        blob = git(source, "rev-parse", f"HEAD:{path}")
        (folder / "objects" / blob[:2] / blob[2:]).unlink()
    (folder / "refs/heads/main").write_text(f"{head}\n")
    git(folder, "config", "uploadpack.allowFilter", "true")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    return folder


def test_rounds_beyond_the_last_are_said_to_be_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert replay_rounds(replace(ASKED, rounds=range(1, 8)), Rules(), "") == 0
    told = "? rounds 1 to 7 are asked for; the history has rounds 0 to 1\n"
    assert capsys.readouterr().out.startswith(told)


def test_a_round_of_which_the_history_holds_nothing_is_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = clone(tmp_path / "clone")
    later = repository / "rounds/4/schedule.json"
    later.parent.mkdir()
    later.write_text("{}")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "Look ahead")
    for rounds, gap in ((range(1, 5), "rounds 2 to 3"), (range(1, 3), "round 2")):
        asked = replace(ASKED, url=str(repository), rounds=rounds)
        assert replay_rounds(asked, Rules(), "") == WRONG
        told = f"! the history holds nothing of {gap}, though it holds rounds before and after\n"
        assert capsys.readouterr().out.startswith(told)


def test_what_a_message_says_commands_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = clone(tmp_path / "clone")
    winner = repository / "rounds/1/winner.json"
    winner.write_text(winner.read_text().replace("owner/model", "own/" + "y" * 999))
    git(repository, "commit", "-q", "-a", "-m", "Evil \x1b[31m \x9b31m \u202e \x7f name")
    asked = replace(ASKED, url=str(repository), rounds=range(1, 2))
    assert replay_rounds(asked, Rules(), "") == BY_PEOPLE
    text = capsys.readouterr().out
    assert "Evil " in text
    assert replay_rounds(replace(asked, as_json=True), Rules(), "") == BY_PEOPLE
    document = capsys.readouterr().out
    assert all(char.isprintable() or char == "\n" for char in text + document)
    assert "own/" + "y" * 999 in document
    json.loads(document)


@pytest.mark.parametrize("since", ["", "abc", "main", "f" * 41, "HEAD~1"])
def test_what_is_no_commit_s_hash_can_not_be_continued(since: str) -> None:
    with pytest.raises(Refused, match="takes a commit's hash"):
        replay_rounds(replace(ASKED, since=since), Rules(), "")
