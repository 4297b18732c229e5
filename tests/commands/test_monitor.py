"""The monitor of processes that run apart: what it says of each, and of its own mirror."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gen404_assets.commands.monitor import Mirror, Processes, monitor
from gen404_assets.commands.refused import Refused
from gen404_assets.competition_repository import open_repository
from simulators.histories import make_competition


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the monitor, in its one element."""
    clock = [1000.0]
    monkeypatch.setattr("gen404_assets.commands.monitor.time.monotonic", lambda: clock[0])
    return clock


def asked(processes: Processes, now: list[float], seconds: float = 6) -> tuple[str, int]:
    """State and restarts of the one process, once it was asked and has answered."""
    now[0] += seconds
    processes.ask()
    (each,) = processes._asked.values()
    if each.asking is not None:
        each.asking.exception(timeout=30)
    processes.ask()
    (condition,) = processes.conditions()
    return condition.state, condition.restarts


def watching(answer: Callable[[], str | None]) -> Processes:
    return Processes({"code server": answer})


def test_a_process_is_up_while_it_answers_and_silent_after_a_minute_without(
    now: list[float],
) -> None:
    answers: list[str | None] = [None, "first"]
    processes = watching(lambda: answers.pop(0) if answers else None)
    assert asked(processes, now) == ("starting", 0)
    assert processes.silent() == {}
    assert asked(processes, now) == ("up", 0)
    assert asked(processes, now, 55) == ("up", 0)
    assert asked(processes, now, 6) == ("silent", 0)
    assert processes.silent() == {"code server": "gives no answer for 61 s"}
    answers.append("first")
    assert asked(processes, now) == ("up", 0)
    assert processes.silent() == {}


def test_a_process_that_answers_as_another_was_started_anew(now: list[float]) -> None:
    answers = iter(["first", "first", "second", "second"])
    processes = watching(lambda: next(answers))
    assert [asked(processes, now)[1] for _ in range(4)] == [0, 0, 1, 1]


def test_an_answer_that_raises_is_silence(now: list[float]) -> None:
    def raises() -> str:
        raise RuntimeError("whatever a client raises")

    processes = watching(raises)
    asked(processes, now)
    assert asked(processes, now, 61) == ("silent", 0)


def fetched(mirror: Mirror, so: Callable[[], object]) -> None:
    """Fetch until something is so."""
    until = time.monotonic() + 60
    while not so():
        assert time.monotonic() < until
        mirror.fetch()
        time.sleep(0.05)


def test_the_monitor_has_a_mirror_of_its_own_and_says_why_it_cannot_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("gen404_assets.commands.monitor._FETCH_SECONDS", 0.0)
    path = tmp_path / "repo.git"
    repository = open_repository(str(path), "main")
    mirror = Mirror(repository)
    fetched(mirror, mirror.fault)
    assert str(path) in mirror.fault()["the monitor's mirror"]
    assert not mirror.is_known
    make_competition(path, rounds=1, miners=3, prompts=4)
    fetched(mirror, lambda: mirror.is_known)
    assert mirror.fault() == {}
    assert repository.snapshot().commit.sha == repository.last_known_head()


def test_a_bug_of_ours_is_named_as_one() -> None:
    class Broken:
        def refresh(self) -> str:
            raise ZeroDivisionError("by zero")

    mirror = Mirror(Broken())  # type: ignore[arg-type]
    fetched(mirror, mirror.fault)
    assert [*mirror.fault().values()] == ["a bug: ZeroDivisionError: by zero"]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "DATABASE_URL must be set"),
        ({"DATABASE_URL": "postgresql://u@127.0.0.1:9/x"}, "COMPETITION_REPO must be set"),
    ],
)
def test_what_the_monitor_lacks_is_said(
    settings: dict[str, str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {**os.environ, "GEN404_HOME": str(tmp_path)})
    with pytest.raises(Refused, match=why):
        monitor(settings, None)
