"""The rounds as data frames: what each table holds, and that a repository's files are all in it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from gen404_assets.commands.cli import main
from gen404_assets.competition.history import History
from gen404_assets.competition_repository import history_of, open_repository
from gen404_assets.frames import COLUMNS, Frames, frames_of


@pytest.fixture(scope="module")
def history(honest: Path) -> History:
    repository = open_repository(str(honest), "main")
    return history_of(repository.snapshot(repository.refresh()))


@pytest.fixture(scope="module")
def frames(history: History) -> Frames:
    return frames_of(history)


def test_the_readmes_example_reads_a_competition(honest: Path, tmp_path: Path) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    [example] = re.findall(r"```python\n(.*?frames_of.*?)```", readme, re.DOTALL)
    done = run(example.replace("REPO", str(honest)), tmp_path)
    assert "clinched" in done.stdout


def test_the_package_loads_neither_pandas_nor_dagster_until_the_frames_are_asked_for(
    tmp_path: Path,
) -> None:
    heavy = "{'pandas', 'numpy', 'dagster', 'gen404_assets.frames'} & {*sys.modules}"
    done = run(
        f"import sys, gen404_assets; assert not {heavy}, {heavy}\n"
        "from gen404_assets import frames_of; print(frames_of.__module__)\n"
        "try: gen404_assets.frame_of\n"
        "except AttributeError as error: print(error)",
        tmp_path,
    )
    assert done.stdout.splitlines() == [
        "gen404_assets.frames",
        "module 'gen404_assets' has no attribute 'frame_of'",
    ]


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    settings = os.environ | {"GEN404_HOME": str(home)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=settings, capture_output=True, check=True, text=True)


@pytest.mark.parametrize("table", COLUMNS)
def test_each_table_has_its_columns_with_their_types(frames: Frames, table: str) -> None:
    frame: pd.DataFrame = getattr(frames, table)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == COLUMNS[table]
    assert len(frame)


def test_every_submission_match_and_duel_is_there(frames: Frames, history: History) -> None:
    for number in frames.rounds["round"]:
        current = history.round(int(number))
        submitted = frames.submissions[frames.submissions["round"] == number]
        assert list(submitted["hotkey"]) == list(current.timeline.order)
        played = frames.matches[frames.matches["round"] == number]
        pairs = list(zip(played["left"], played["right"], strict=True))
        assert pairs == [match.pair for match in current.matrix.matches]
        reports = [current.report(pair) for pair in pairs]
        fought = frames.duels[frames.duels["round"] == number]
        assert len(fought) == sum(len(report.duels) for report in reports if report)


def test_a_margin_is_what_the_duels_give(frames: Frames) -> None:
    matches = frames.matches.dropna(subset=["left_wins"])
    prompts = frames.rounds.set_index("round")["prompts"]
    score = matches["right_wins"] - matches["left_wins"]
    derived = (score / matches["round"].map(prompts)).astype(float)
    assert (derived - matches["margin"].astype(float)).abs().max() < 1e-12


def test_whoever_won_a_round_is_marked(frames: Frames) -> None:
    winners = frames.rounds.dropna(subset=["winner"])
    winners = winners[winners["winner"] != "leader"]
    won = frames.submissions[frames.submissions["won"].fillna(value=False)]
    assert dict(zip(won["round"], won["hotkey"], strict=True)) == dict(
        zip(winners["round"], winners["winner"], strict=True)
    )
    assert frames.miners["won"].sum() == len(won)


def test_rounds_can_be_chosen(history: History) -> None:
    chosen = frames_of(history, range(1, 2))
    assert list(chosen.rounds["round"]) == [1]
    assert set(chosen.submissions["round"]) == {1}


def test_a_competition_without_rounds_gives_empty_tables(history: History) -> None:
    empty = frames_of(history, range(0))
    for table, columns in COLUMNS.items():
        assert list(getattr(empty, table).columns) == list(columns)
        assert not len(getattr(empty, table))


def test_export_writes_a_file_a_table(honest: Path, frames: Frames, tmp_path: Path) -> None:
    assert main(["export", str(honest), "-o", str(tmp_path)]) == 0
    assert {path.stem for path in tmp_path.glob("*.csv")} == set(COLUMNS)
    matches = pd.read_csv(tmp_path / "matches.csv")
    assert list(matches["right"]) == list(frames.matches["right"])


def test_export_as_parquet_without_its_package_says_what_to_install(
    honest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas")
    try:
        import pyarrow  # type: ignore[import-not-found]  # noqa: F401, PLC0415
    except ImportError:
        assert main(["export", str(honest), "-o", str(tmp_path), "--format", "parquet"]) == 2
        assert "install the extra `parquet`" in capsys.readouterr().err
    else:
        assert main(["export", str(honest), "-o", str(tmp_path), "--format", "parquet"]) == 0
        assert len(pd.read_parquet(tmp_path / "matches.parquet"))
