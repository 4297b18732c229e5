"""Looks at the outside: nobody waits longer than a few seconds for one, there is one at a time, and
an outage is told of once.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live import background
from gen404_assets.live.background import Background, Look, NotSeen


class Outside:
    """Something outside that can answer, hang, or fail."""

    def __init__(self) -> None:
        self.answer, self.fault, self.asked = 0, "", 0
        self.gate = threading.Event()
        self.gate.set()
        self.events: list[str] = []

    def look(self) -> int:
        self.asked += 1
        self.gate.wait(60)
        if self.fault:
            raise InfrastructureFault(self.fault)
        self.answer += 1
        return self.answer

    def watched(self, fresh: float = 0.0) -> Look[int]:
        return Look(
            "the remote",
            self.look,
            lambda value: self.events.append(f"saw {value}"),
            lambda fault: self.events.append(f"failed: {fault}"),
            fresh=fresh,
        )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.2)


def eventually(so: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not so():
        assert time.monotonic() < end
        time.sleep(0.02)


def not_seen(look: Look[int]) -> NotSeen:
    with pytest.raises(NotSeen) as caught:
        look.now()
    return caught.value


def test_what_was_seen_a_moment_ago_is_not_looked_at_again() -> None:
    outside = Outside()
    look = outside.watched(fresh=60)
    assert [look.now(), look.now()] == [1, 1]
    assert Look("x", outside.look, print, print, fresh=0.0).now() == 2


def test_while_the_outside_hangs_each_tick_ends_at_once_and_one_look_is_under_way() -> None:
    outside = Outside()
    look = outside.watched()
    outside.gate.clear()
    started = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        reasons = [f.result() for f in [pool.submit(not_seen, look) for _ in range(24)]]
    assert time.monotonic() - started < 20
    assert outside.asked == 1
    assert all("waits for the remote: no answer yet, since 20" in str(each) for each in reasons)
    assert sum(each.first for each in reasons) == 1, "a person is told once"
    assert outside.events == ["failed: no answer yet"]
    outside.gate.set()
    eventually(lambda: "saw 1" in outside.events)
    assert look.now() in {1, 2}


def test_a_standing_failure_is_told_once_counted_and_asked_after_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = Outside()
    outside.fault = "401: the token has expired"
    look = outside.watched()
    clock = time.monotonic()
    monkeypatch.setattr(background, "time", Clock(lambda: clock))
    reasons = []
    for _ in range(720):  # an hour of ticks, five seconds apart
        clock += 5
        reasons.append(not_seen(look))
    assert [each.first for each in reasons] == [True] + 719 * [False]
    assert outside.asked < 70
    assert "401: the token has expired, since 20" in str(reasons[-1])
    assert f"asked {outside.asked} times" in str(reasons[-1])
    outside.fault = ""
    clock += 60
    assert look.now() == 1
    outside.fault = "401 again"
    clock += 1
    assert not_seen(look).first, "a new outage is told again"


def test_a_bug_in_a_look_is_no_outage() -> None:
    def bug() -> int:
        raise ZeroDivisionError

    look = Look("the remote", bug, print, print)
    with pytest.raises(ZeroDivisionError):
        look.now()


def test_work_in_the_background_is_taken_up_by_whoever_comes_when_it_is_done() -> None:
    outside = Outside()
    work = Background("the pods", outside.look)
    outside.gate.clear()
    for _ in range(3):
        with pytest.raises(NotSeen, match="waits for the pods: no answer yet, since"):
            work.result()
    outside.gate.set()
    eventually(lambda: outside.answer == 1)
    assert work.result() == 1
    assert work.result() == 2
    assert outside.asked == 2


class Clock:
    """A clock that a test sets."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
