"""What if: what would have been is told as a difference from what was, and nothing is guessed."""

import json
from pathlib import Path

import pytest

from gen404_assets.commands.cli import main
from gen404_assets.competition.config import Config
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.submissions import Submissions
from gen404_assets.competition_repository import newest_history
from gen404_assets.replay.what_if import Change, NoSuchChange, what_if
from tests.replay.tampering import Tampered, git

ROUND = 1


@pytest.fixture(scope="module")
def history(honest: Path) -> History:
    return newest_history(str(honest), "main")


def test_without_a_change_everything_would_have_been_as_it_was(history: History) -> None:
    for number in history.round_numbers[:-1]:
        found = what_if(history, number, Rules(), Change())
        assert found.would == found.was
        assert not found.files
        assert not found.unplayed


def test_a_change_to_the_same_value_changes_nothing(history: History) -> None:
    config = history.round(ROUND).config
    found = what_if(history, ROUND, Rules(), Change(config={"win_margin": config.win_margin}))
    assert found.would == found.was


def test_another_margin_lets_others_qualify(history: History) -> None:
    margins = history.round(ROUND).matrix.margins
    found = what_if(history, ROUND, Rules(), Change(config={"win_margin": 0.2}))
    order = history.round(ROUND).timeline.order
    expected = [hotkey for hotkey in order if margins[LEADER, hotkey] >= 0.2]
    assert list(found.would.qualified) == expected
    assert list(found.was.qualified) != expected
    assert Config.parse(found.files["config.json"], "config.json").win_margin == 0.2


def test_a_margin_that_nobody_reaches_leaves_the_leader(history: History) -> None:
    found = what_if(history, ROUND, Rules(), Change(config={"win_margin": 1.5}))
    assert found.would.winner == LEADER
    assert found.would.line == []


def test_without_the_winner_another_wins_or_a_match_is_named(history: History) -> None:
    winner = history.round(ROUND).winner
    assert winner is not None
    found = what_if(history, ROUND, Rules(), Change(without=[winner.winner_hotkey]))
    assert found.would.winner != winner.winner_hotkey
    assert winner.winner_hotkey not in found.would.qualified
    assert all(winner.winner_hotkey not in pair for pair in found.would.margins)
    if found.would.winner is None:
        assert found.unplayed or found.unaudited


def test_another_order_names_the_matches_that_were_never_played(history: History) -> None:
    current = history.round(ROUND)
    reverse = list(reversed(current.timeline.order))
    found = what_if(history, ROUND, Rules(), Change(order=reverse))
    path = f"rounds/{ROUND}/submissions.json"
    assert Submissions.parse(found.files[path], path).names == reverse
    for pair in found.unplayed:
        assert pair not in current.matrix.margins
    if found.unplayed:
        assert found.would.winner is None


def test_a_stricter_distance_rejects_who_had_passed(history: History) -> None:
    change = Change(rules={"acceptable_distance": 0.0})
    for number in history.round_numbers[:-1]:
        found = what_if(history, number, Rules(), change)
        passed = [hotkey for hotkey in found.was.audited if hotkey not in found.was.rejected]
        assert set(found.was.rejected) <= set(found.would.rejected)
        if passed and found.would.line:
            assert found.would.winner is None or found.would.winner not in found.would.rejected


@pytest.mark.parametrize(
    "change",
    [
        Change(without=["nobody"]),
        Change(order=["nobody"]),
        Change(config={"no_key": 1}),
        Change(rules={"no_rule": 1}),
    ],
)
def test_what_cant_be_changed_is_refused(history: History, change: Change) -> None:
    with pytest.raises(NoSuchChange):
        what_if(history, ROUND, Rules(), change)


def test_the_command_tells_the_difference(honest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--rounds", "1", "--set", "win_margin=1.5"]
    assert main(["replay", str(honest), *options]) == 0
    assert "would have been the leader" in capsys.readouterr().out
    assert main(["replay", str(honest), *options, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["rounds"][0]["would"]["winner"] == LEADER
    assert document["rounds"][0]["files"] == ["config.json"]


@pytest.mark.parametrize("setting", ["win_margin", "no_such=1"])
def test_a_setting_that_there_is_not_is_named(
    honest: Path, setting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(honest), "--set", setting]) == 2
    assert setting.partition("=")[0] in capsys.readouterr().err


def test_a_branch_is_written_only_when_asked_and_never_over_another(tampered: Tampered) -> None:
    before = git(tampered.path, "for-each-ref")
    options = ["replay", str(tampered.path), "--rounds", "1", "--set", "win_margin=0.2"]
    assert main(options) == 0
    assert git(tampered.path, "for-each-ref") == before
    assert main([*options, "--write-branch", "what-if"]) == 0
    changed = git(tampered.path, "diff", "--name-only", "main", "what-if").decode().split()
    assert "config.json" in changed
    assert b'"win_margin": 0.2' in git(tampered.path, "show", "what-if:config.json")
    head = git(tampered.path, "rev-parse", "what-if")
    assert main([*options, "--write-branch", "what-if"]) == 2
    assert main([*options, "--write-branch", "main"]) == 2
    assert git(tampered.path, "rev-parse", "what-if") == head
    assert git(tampered.path, "rev-parse", "main").strip() in before
