"""Figures that processes count together, and how Prometheus reads them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.completion import tokens_of
from resources.figures import Figures, FileTotals, exposition


def test_what_several_have_counted_is_added_up(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    for amount in (1, 2.5):
        figures = Figures()
        figures.add("files", outcome="drawn")
        figures.keep_in(lambda: FileTotals(file))
        figures.add("seconds", amount)
        figures.flush()
        figures.flush()
    assert FileTotals(file).read() == {("files", (("outcome", "drawn"),)): 2, ("seconds", ()): 3.5}


def test_a_process_adds_what_it_counted_when_it_ends(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from resources.figures import FIGURES, FileTotals\n"
        "FIGURES.keep_in(lambda: FileTotals(pathlib.Path(sys.argv[1]))); FIGURES.add('files', 3)"
    )
    file = tmp_path / "figures.json"
    subprocess.run([sys.executable, "-c", code, file], check=True)
    assert FileTotals(file).read() == {("files", ()): 3}


def test_without_a_file_nothing_is_written_and_nothing_lost(tmp_path: Path) -> None:
    figures = Figures()
    figures.add("files")
    figures.flush()
    figures.keep_in(lambda: FileTotals(tmp_path / "not a folder" / "figures.json"))
    (tmp_path / "not a folder").write_text("")
    figures.flush()
    figures.keep_in(lambda: FileTotals(tmp_path / "figures.json"))
    figures.flush()
    assert FileTotals(tmp_path / "figures.json").read() == {("files", ()): 1}


def test_a_spoilt_file_is_set_aside_and_counted_anew(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    file.write_text("{")
    figures = Figures()
    figures.keep_in(lambda: FileTotals(file))
    figures.add("files")
    figures.flush()
    assert FileTotals(file).read() == {("files", ()): 1}
    assert len(list(tmp_path.glob("figures.json.unreadable-*"))) == 1


def test_prometheus_reads_counters_gauges_and_labels() -> None:
    shown = exposition(
        [
            ("a_total", "what is counted", {(("of", 'a "b"\n\\'),): 2.0}),
            ("b", "what is measured", {(): 0.5}),
        ]
    )
    assert shown.splitlines() == [
        "# HELP a_total what is counted",
        "# TYPE a_total counter",
        r'a_total{of="a \"b\"\n\\"} 2.0',
        "# HELP b what is measured",
        "# TYPE b gauge",
        "b 0.5",
    ]
    assert shown.endswith("\n")


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 900, "completion_tokens": 80}, {"prompt": 900, "completion": 80}),
        ({"prompt_tokens": 900, "completion_tokens": None}, {"prompt": 900}),
        ({"prompt_tokens": True, "completion_tokens": -1}, {}),
        (None, {}),
        ([], {}),
    ],
)
def test_tokens_are_counted_where_the_server_tells_them(usage: object, tokens: object) -> None:
    assert tokens_of(json.dumps({"usage": usage})) == tokens


@given(st.text())
def test_no_answer_makes_the_count_of_tokens_fail(body: str) -> None:
    assert tokens_of(body) == {}
