"""Mutation fuzzing of every parser of foreign bytes: some of it whenever the tests run, a minute
with `THOROUGH`, and proof that it works."""

import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from bench import mutations
from bench.hostile import main
from bench.parsers import PARSERS
from simulators.planted import PARSERS as PLANTED
from tests.sampling import many

SECONDS, SEED = many(10, 60), 404
pytestmark = pytest.mark.timeout(660)  # a hunt ends itself after 600 s


def hunt(into: Path, *options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench.hostile", "--into", str(into), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def test_g10_a_hunt_finds_nothing(tmp_path: Path) -> None:
    """A finding is a fault of a parser: mend it there, and make its input a test. The seed says
    which inputs."""
    done = hunt(tmp_path, "--seconds", SECONDS, "--seed", SEED)
    assert done.returncode == 0, done.stdout + done.stderr
    tried = {
        line.split()[0]: int(line.split()[1].replace(",", ""))
        for line in done.stdout.splitlines()[1:-1]
    }
    assert set(tried) == set(PARSERS)
    assert all(number > 10 for number in tried.values()), tried


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raises", "KeyError: \"'a'\" at .*planted.py:"),
        ("crashes", "the process ends with -11.*Segmentation fault"),
        ("exits", "the process ends with 3"),
        ("hogs", "MemoryError"),
        ("slow", "s of CPU time"),
    ],
)
def test_a_fault_is_found_and_its_input_saved(name: str, says: str, tmp_path: Path) -> None:
    done = hunt(
        tmp_path, "--table", "simulators.planted", "--only", name, "--seconds", 1, "--seed", 1
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(f"FOUND {name}: .*{says}", done.stdout), done.stdout
    saved = next(tmp_path.glob(f"{name}-*"))
    kind, _, data = saved.read_bytes().partition(b"\n")
    assert (kind, data[:1], data.endswith(b"}")) == (b"", b"{", False)
    again = hunt(tmp_path, "--table", "simulators.planted", "--only", name, "--input", saved)
    assert again.returncode != 0 or name in {"slow", "hogs"}, (
        "those two are bounded in a hunt alone"
    )


def test_a_parser_that_was_renamed_is_a_finding(tmp_path: Path) -> None:
    done = hunt(tmp_path, "--table", "simulators.planted", "--only", "renamed", "--seconds", 1)
    assert done.returncode == 1
    assert "can't be loaded" in done.stdout
    assert "it was renamed" in done.stdout


def test_a_sound_parser_s_values_and_refusals_are_no_finding(tmp_path: Path) -> None:
    done = hunt(tmp_path, "--table", "simulators.planted", "--only", "sound", "--seconds", 1)
    assert (done.returncode, list(tmp_path.iterdir())) == (0, [])
    counts = re.search(r"sound +([\d,]+) tried +([\d,]+) values +([\d,]+) refused", done.stdout)
    assert counts
    tried, values, refused = (int(number.replace(",", "")) for number in counts.groups())
    assert min(values, refused) > 10
    assert tried == values + refused


def test_an_unknown_parser_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "nobody"])
    assert "--only must name one of commitment" in capsys.readouterr().err


@pytest.mark.parametrize("name", PARSERS)
def test_inputs_are_spoilt_the_same_way_each_time_and_in_many(name: str) -> None:
    seeds = [data for _, data in PARSERS[name].seeds()]
    mutate = PARSERS[name].mutate

    def spoilt(seed: int) -> list[bytes]:
        random = Random(seed)
        return [mutate(random, random.choice(seeds), seeds) for _ in range(60)]

    first = spoilt(1)
    assert first == spoilt(1) != spoilt(2)
    assert len(set(first) - set(seeds)) > 30


def test_spoilt_json_is_mostly_json_still() -> None:
    random = Random(0)
    seed = b'{"a": [1, 2.5, "x", null], "b": {"c": {"d": 7}}}'
    texts = [mutations.spoilt_json(random, seed) for _ in range(1000)]
    assert len(set(texts)) > 500
    assert any(b"NaN" in text for text in texts)
    assert any(text.count(b"[") > 1000 for text in texts)


def test_all_real_parsers_are_there() -> None:
    wanted = {
        "commitment",
        "answer",
        "glb",
        "ply",
        "texture",
        "github",
        "container-answer",
        "state-file",
        "matrix",
    }
    assert wanted | {"prompts", "cdn-url", "cdn-answer"} <= set(PARSERS)
    assert not set(PARSERS) & set(PLANTED)
