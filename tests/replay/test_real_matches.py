"""The matches of two real rounds: what clinching would have saved, and that it would have changed
nothing.
"""

from pathlib import Path

import pytest

from bench.judge import recorded_reports, saved
from gen404_assets.competition.duels import judged_duels
from gen404_assets.competition.history import History
from gen404_assets.competition.margins import is_close
from tests.replay.tampering import open_history
from tests.replay.test_real_rounds import BUNDLE

pytestmark = pytest.mark.skipif(not BUNDLE.exists(), reason="the real history is not here")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return open_history(Path(BUNDLE), tmp_path_factory.mktemp("mirrors"))


@pytest.mark.parametrize(
    ("number", "matches", "clinched", "calls"), [(0, 107, 56, 22456), (1, 36, 18, 4372)]
)
def test_clinching_would_have_saved_calls_and_turned_no_verdict(
    history: History, number: int, matches: int, clinched: int, calls: int
) -> None:
    savings = saved(history, number)
    assert (savings.matches, savings.clinched, savings.calls, savings.other) == (
        matches,
        clinched,
        calls,
        0,
    )
    assert savings.spared / savings.calls == pytest.approx({0: 0.06, 1: 0.17}[number], abs=0.01)


def test_the_matches_called_close_are_those_within_five_wins_of_the_margin(
    history: History,
) -> None:
    current = history.round(0)
    needed, prompts = 7, len(current.stems)  # 5 % of 128 prompts
    for report in recorded_reports(history, 0):
        judged = judged_duels(report.duels)
        if is_close(report.score, judged, prompts, current.config.win_margin):
            assert needed - 5 <= report.score < needed + 5
        elif judged == prompts:
            assert not needed - 4 <= report.score < needed + 4
