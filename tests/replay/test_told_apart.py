"""What a round's matches don't have in common is told: the version of a rule that one alone fits,
and the leader's earlier baseline by which some were played.
"""

import json

from gen404_assets.commands.replay_text import replay_text
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.settings import VERSIONS, Rules
from gen404_assets.replay.baselines import baselines
from gen404_assets.replay.result import Difference, FileReplay, RoundReplay, compared
from gen404_assets.replay.rounds import Derive, fit_versions
from simulators.memory_repository import MemoryRepository

BASELINE = "rounds/0/leader/generated.json"


def explained_by(path: str, ratio: float) -> tuple[str, Derive]:
    """A file that one version of the overtime rule explains."""

    def derive(rules: Rules) -> FileReplay:
        same = rules.overtime_tolerance_ratio == ratio
        return compared(Asset.DUELS, path, [] if same else [Difference("winner", "left", "draw")])

    return path, derive


def test_the_match_that_another_version_alone_explains_is_named() -> None:
    files = [explained_by("a", 0.05), explained_by("b", 0.1), explained_by("c", 0.1)]
    replays, fit = fit_versions(Asset.DUELS, files, Rules(), VERSIONS["overtime"])
    assert [replayed.finding for replayed in replays] == ["identical"] * 3
    assert fit is not None
    assert (fit.fits, fit.explains["10%"], fit.others) == ("10%", 2, {"a": "5%"})
    text = replay_text([RoundReplay(3, replays, [fit])])
    assert "  rule overtime: 10% explains 2 of 3 (others: 5% 1)\n" in text
    assert "    overtime 5% alone explains a\n" in text


def test_a_match_that_no_version_explains_is_none_of_the_others() -> None:
    files = [explained_by("a", 0.1), explained_by("b", 0.7)]
    replays, fit = fit_versions(Asset.DUELS, files, Rules(), VERSIONS["overtime"])
    assert [replayed.finding for replayed in replays] == ["identical", "differs"]
    assert fit is not None
    assert fit.others == {}


def output(seconds: float, png: str | None = "https://store.invalid/a.png") -> dict[str, object]:
    return {
        "glb": "https://store.invalid/a.glb",
        "png": png,
        "generation_time": seconds,
        "size": 1,
        "attempts": 1,
        "distance": 0.0,
    }


class Duels:
    """A round whose baseline and matches against the leader are committed one by one."""

    def __init__(self) -> None:
        self.repository = MemoryRepository()

    def baseline(self, **outputs: object) -> None:
        content = json.dumps(outputs).encode()
        self.repository.commit({BASELINE: content}, f"Update generated {len(outputs)}")

    def play(self, *hotkeys: str) -> None:
        reports = {f"rounds/0/{hotkey}/duels_leader.json": hotkey.encode() for hotkey in hotkeys}
        self.repository.commit(dict(reports), "Match report")

    def told(self) -> list[str]:
        return list(baselines(self.repository.history(), 0))


def test_matches_that_were_played_by_an_earlier_baseline_are_told() -> None:
    duels = Duels()
    duels.baseline(a=output(30))
    duels.play("first", "second")
    duels.baseline(a=output(200))
    duels.play("third")
    [line] = duels.told()
    assert line.startswith(
        "2 matches against the leader played by the earlier baseline, leader/generated.json of "
    )
    assert line.count('"Update generated 1"') == 2


def test_a_baseline_that_only_grew_is_the_same_one() -> None:
    duels = Duels()
    duels.baseline(a=output(30), b=output(0, png=None))
    duels.play("first")
    duels.baseline(a=output(30), b=output(40), c=output(50))
    duels.play("second")
    assert duels.told() == []


def test_a_round_without_a_baseline_tells_nothing() -> None:
    duels = Duels()
    duels.play("first")
    assert duels.told() == []
