"""Files that wait for CDNs: none is forgotten, none holds the others up, and all ends, whatever
a CDN does."""

import gc
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.faults import MinerFault, TryLater
from gen404_assets.live.cdns import Cdns, File, Limits

Served = tuple[float, MinerFault | None]
"""Seconds that a try takes, and how it fails."""
Serve = Callable[[File, float], Served]

LIMITS = Limits(slots=10, tries=2, patience=1800.0)
HERE: Served = (1.0, None)


def busy(seconds: float | None = None) -> MinerFault:
    return TryLater("HTTP status 429", seconds)


def missing() -> MinerFault:
    return MinerFault("HTTP status 404")


@dataclass
class Collected:
    """What became of every file, and when."""

    came: dict[str, float] = field(default_factory=dict)
    given_up: dict[str, float] = field(default_factory=dict)
    tries: list[tuple[float, str]] = field(default_factory=list)
    most_at_once: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def collect(serve: Serve, miners: int = 1, files: int = 4, limits: Limits = LIMITS) -> Collected:
    """Everything fetched, in a time of its own that passes only where something has to be waited
    for."""
    cdns, collected, now = Cdns(limits), Collected(), 0.0
    under_way: list[tuple[float, float, File, MinerFault | None]] = []
    everything = [f"{miner}/{number}" for miner in range(miners) for number in range(files)]
    for miner in range(miners):
        cdns.add(str(miner), [File(str(miner), str(number), "") for number in range(files)], 0.0)
    while cdns or under_way:
        while file := cdns.start(now):
            collected.tries.append((now, f"{file.hotkey}/{file.stem}"))
            takes, fault = serve(file, now)
            under_way.append((now + takes, now, file, fault))
        counts = Counter(file.hotkey for _, _, file, _ in under_way)
        assert sum(counts.values()) <= limits.slots
        collected.most_at_once |= counts
        ends = min((end for end, *_ in under_way), default=float("inf"))
        now = max(now, min(ends, cdns.next()))
        assert now < float("inf"), "files wait, and nobody will ever try them"
        for entry in [entry for entry in under_way if entry[0] <= now]:
            under_way.remove(entry)
            _, began, file, fault = entry
            if fault is None:
                collected.came[f"{file.hotkey}/{file.stem}"] = now
                lost_now = cdns.succeeded(file, now - began)
            else:
                lost_now = cdns.failed(file, fault, began, now)
            for lost in lost_now:
                assert lost.reason
                assert f"{lost.hotkey}/{lost.stem}" not in collected.given_up
                collected.given_up[f"{lost.hotkey}/{lost.stem}"] = now
    collected.seconds = now
    assert sorted([*collected.came, *collected.given_up]) == sorted(everything), "each file once"
    return collected


def test_files_that_are_there_come_ten_at_a_time() -> None:
    collected = collect(lambda *_: HERE, files=100)
    assert len(collected.came) == len(collected.tries) == 100
    assert collected.seconds == pytest.approx(10)


def test_a_file_that_is_not_there_is_looked_for_twice_a_minute_apart() -> None:
    collected = collect(lambda *_: (0.1, missing()))
    assert len(collected.tries) == 8
    assert len(collected.given_up) == 4
    assert 60 <= collected.seconds < 62


def test_a_cdn_that_asks_for_two_seconds_is_left_alone_for_them() -> None:
    collected = collect(lambda _, now: HERE if now >= 2 else (0.0, busy(2.0)))
    assert len(collected.came) == 4
    assert not [at for at, _ in collected.tries if 0 < at < 2]


def test_a_cdn_that_allows_one_file_in_ten_seconds_gives_all_that_its_patience_has_room_for() -> (
    None
):
    last = -10.0

    def rationed(_: File, now: float) -> Served:
        nonlocal last
        if now - last < 10:
            return 0.1, busy(10 - (now - last))
        last = now
        return 1.0, None

    assert len(collect(rationed, files=100).came) == 100


def test_a_cdn_too_slow_for_ten_at_once_gives_them_one_by_one() -> None:
    under_way: list[float] = []

    def narrow(_: File, now: float) -> Served:
        under_way[:] = [until for until in under_way if until > now]
        fits = len(under_way) < 2
        under_way.append(now + (30 if fits else 180))
        return (30.0, None) if fits else (180.0, TryLater("no end after 180 s"))

    collected = collect(narrow, files=12)
    assert len(collected.came) == 12


@pytest.mark.parametrize("asked", [None, 1.0, 60.0, 3600.0, 1e300, float("inf")])
def test_g12_a_cdn_that_never_recovers_is_given_up_when_its_patience_ends(
    asked: float | None,
) -> None:
    collected = collect(lambda *_: (0.1, busy(asked)), files=128)
    assert len(collected.given_up) == 128
    assert 1700 <= collected.seconds <= 1802
    assert len(collected.tries) < 2000
    assert collected.tries[-1][0] >= 1500, (
        "one that asks for too long is tried once more at the end"
    )


def test_g12_a_cdn_whose_every_download_runs_into_the_deadline_takes_few_slots() -> None:
    collected = collect(lambda *_: (180.0, TryLater("no end after 180 s")), files=128)
    assert collected.seconds < 1800 + 181
    assert len(collected.tries) * 180 < 2 * 1800 + 10 * 180


def test_g12_a_cdn_that_serves_bombs_is_given_up() -> None:
    collected = collect(lambda *_: (180.0, MinerFault("larger than 209715200 bytes")), files=128)
    assert len(collected.tries) <= 20


def test_a_file_that_always_fails_costs_the_others_of_its_miner_nothing() -> None:
    collected = collect(
        lambda file, _: (0.1, TryLater("HTTP status 500")) if file.stem == "7" else HERE, files=50
    )
    assert list(collected.given_up) == ["0/7"]
    assert max(collected.came.values()) < 60


def test_one_outage_is_one_failure_though_ten_downloads_meet_it() -> None:
    collected = collect(lambda _, now: HERE if now >= 20 else (0.5, busy()), files=10)
    assert len(collected.came) == 10
    assert collected.seconds < 60, "it is asked again after 5 s, 10 and 20, not after five minutes"


def test_no_cdn_takes_all_the_slots_while_others_have_files() -> None:
    def slow(file: File, _: float) -> Served:
        return (170.0, None) if file.hotkey == "0" else HERE

    collected = collect(slow, miners=4, files=20)
    assert max(at for name, at in collected.came.items() if name[0] != "0") < 30


def test_others_do_not_wait_for_a_cdn_that_fails() -> None:
    collected = collect(
        lambda file, _: (0.1, busy(300.0)) if file.hotkey == "0" else HERE, miners=3, files=20
    )
    assert max(at for name, at in collected.came.items() if name[0] != "0") < 10


def test_25600_files_that_wait_take_no_time_to_speak_of() -> None:
    used = time.process_time()
    collected = collect(lambda _, now: HERE if now >= 600 else (0.5, busy()), miners=200, files=128)
    assert len(collected.came) == 25_600
    assert time.process_time() - used < 30


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    st.integers(1, 3),
    st.integers(1, 12),
    st.builds(
        Limits, st.integers(1, 4), st.integers(1, 3), st.sampled_from([0.0, 1.0, 60.0, 1800.0])
    ),
)
def test_g12_whatever_cdns_do_each_file_ends_once_and_the_whole_in_time(
    data: st.DataObject, miners: int, files: int, limits: Limits
) -> None:
    outcome = st.one_of(
        st.none(),
        st.builds(missing),
        st.builds(busy, st.one_of(st.none(), st.floats(0, 1e6), st.just(float("inf")))),
    )
    served = st.tuples(st.sampled_from([0.0, 0.1, 30.0, 180.0]), outcome)
    collected = collect(lambda *_: data.draw(served), miners, files, limits)
    each = (
        limits.patience
        + limits.tries * (limits.second_look + 180.0 * files)
        + 180.0 * files
        + 300.0
    )
    assert collected.seconds <= miners * each + limits.patience


def test_slots_go_to_those_whose_downloads_took_least_and_one_cdn_has_half_of_them_at_most() -> (
    None
):
    """A slow CDN that comes first doesn't hold all slots when the others begin."""
    cdns = Cdns(LIMITS)
    cdns.add("slow", [File("slow", str(number), "") for number in range(20)], 0.0)
    cdns.add("late", [File("late", str(number), "") for number in range(20)], 60.0)
    assert len([file for _ in range(10) if (file := cdns.start(0.0))]) == 5
    assert cdns.next() == 60.0
    late = [file for _ in range(10) if (file := cdns.start(60.0))]
    assert [file.hotkey for file in late] == ["late"] * 5


def test_the_last_cdn_with_files_has_all_slots() -> None:
    collection = collect(
        lambda file, _: (170.0 if file.hotkey == "0" else 0.1, None), miners=2, files=20
    )
    assert collection.most_at_once["0"] == 10
    assert len(collection.came) == 40


@pytest.mark.parametrize("slow", [1, 2, 10, 30])
def test_whole_but_slow_cdns_together_take_half_an_hour_of_all_slots_and_no_more(slow: int) -> None:
    """64 miners of 128 files; each file of a slow one takes 170 s, and comes. Alone it would take
    36 minutes of all slots, and 30 of them 18 hours."""
    collection = collect(
        lambda file, _: (170.0 if int(file.hotkey) < slow else 1.0, None), miners=64, files=128
    )
    fast = [name for name in collection.came if int(name.split("/")[0]) >= slow]
    assert len(fast) == (64 - slow) * 128, "nobody else loses a file"
    alone = (64 - slow) * 128 / 10
    assert collection.seconds < alone + 1800 + slow * 170
    assert collection.given_up


def test_where_all_files_take_long_nobody_is_slow() -> None:
    """Then the fault may be our own network's."""
    collection = collect(lambda file, _: (120.0 + int(file.hotkey), None), miners=20, files=128)
    assert len(collection.came) == 20 * 128


def test_a_slow_cdn_alone_in_the_round_has_all_the_time() -> None:
    assert len(collect(lambda *_: (170.0, None), files=200).came) == 200


def test_what_waits_is_looked_up_in_time_that_grows_with_the_files_alone() -> None:
    """6,400 files, and 25,600 in four times the time, not sixteen."""

    def seconds(miners: int) -> float:
        gc.disable()  # what it looks through is what all tests before have left
        try:
            used = time.process_time()
            collect(lambda _, now: HERE if now >= 600 else (0.5, busy()), miners=miners, files=128)
            return time.process_time() - used
        finally:
            gc.enable()

    assert seconds(200) < 8 * seconds(50) + 0.5
