"""A whole round with real HTTP around it, disturbed on purpose, ends as one that nothing disturbed.

These are a few points of what `make torture` runs by the hundred.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from simulators.torture.ending import differences, ending_of
from simulators.torture.faults import Fault, Kind
from simulators.torture.points import Bench

pytestmark = pytest.mark.timeout(1200)

POINTS = {
    "killed before a push, after a put and amid a question": [
        Fault("git", Kind.KILL, 3, effect=True),
        Fault("store", Kind.KILL, 9, effect=True, after=True),
        Fault("judge", Kind.KILL, 12, effect=True, after=True),
        Fault("provider", Kind.KILL, 2, effect=True, after=True),
    ],
    "out of order one after another": [
        Fault("chain", Kind.RESET, 5, seconds=1),
        Fault("git", Kind.TOKEN, 30, seconds=2),
        Fault("store", Kind.ERROR, 60, seconds=2),
        Fault("judge", Kind.GARBAGE, 5, seconds=3),
        Fault("distance", Kind.HANG, 1, seconds=3),
        Fault("renderer", Kind.ERROR, 3, seconds=2),
    ],
    "its own machine fails, and people rewrite the branch": [
        Fault("store", Kind.DISK_FULL, 40, seconds=3),
        Fault("builds", Kind.CLOCK_BACK, 2, seconds=3),
        Fault("git", Kind.REWRITTEN, 4, effect=True, after=True),
        Fault("judge", Kind.KILL_ALL, 9, effect=True),
    ],
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench.opened(tmp_path_factory.mktemp("torture")) as opened:
        yield opened


@pytest.mark.parametrize("name", POINTS)
def test_g15_a_disturbed_round_ends_with_the_files_and_objects_of_an_undisturbed_one(
    bench: Bench, name: str
) -> None:
    record: dict[str, Any] = bench.run(POINTS[name])
    assert record["fell"] == [], record.get("log")
    assert len(record["met"]) == len(POINTS[name])


def test_every_stage_and_adapter_has_a_part_in_the_round(bench: Bench) -> None:
    stages = [stage for _, stage in bench.whole.ending.stages]
    assert stages == ["open", "miner_generation", "downloading", "duels", "finalizing", "open"]
    asked = {adapter for (adapter, _), count in bench.whole.counts.items() if count}
    assert asked == bench.world.adapters | {"chain"}
    assert bench.whole.ending.files.keys() >= {
        "rounds/0/winner.json",
        "rounds/0/generation_audits.json",
        "rounds/1/schedule.json",
    }


def test_g03_the_judge_stand_in_tells_a_question_by_the_key_of_its_answer(bench: Bench) -> None:
    """So that one that is asked although its answer is kept is found."""
    assert bench.world.judge.asked
    assert bench.world.judge.asked.keys() <= bench.whole.ending.objects.keys()


def test_what_an_object_lost_or_a_file_changed_makes_of_a_round_is_found(bench: Bench) -> None:
    key = next(key for key in bench.world.store.all_keys() if key.startswith("answers/"))
    bench.world.store.delete(key)
    assert differences(bench.whole.ending, ending_of(bench.world)) == [f"object {key} is missing"]
