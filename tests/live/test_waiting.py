"""A judge out of order: the stage waits and says for what, a person is told once, and the work goes
on by itself.
"""

from collections.abc import Callable, Iterator

import pytest

from gen404_assets.commands.operating import pause
from gen404_assets.commands.status import status, status_text
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.judgement import Answer, Question
from gen404_assets.live import patience
from gen404_assets.live.judging import judge_matches
from gen404_assets.live.work import Work
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, now, work

FINE, POOR = MINERS[:2]


@pytest.fixture
def outside() -> SimulatedOutside:
    outside = dueling([FINE, POOR])
    outside.environment = {**outside.environment, "JUDGE_PATIENCE_SECONDS": "1000"}
    return outside


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How long was waited, without waiting."""
    delays: list[float] = []
    monkeypatch.setattr(patience, "time", _Clock(delays))
    yield delays


class _Clock:
    def __init__(self, delays: list[float], then: Callable[[], object] = lambda: None) -> None:
        self.delays, self.then = delays, then

    def monotonic(self) -> float:
        return sum(self.delays)

    def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        self.then()


def working(outside: SimulatedOutside, messages: list[str], alerts: list[str]) -> Work:
    return Work(outside, 0, messages.append, alerts.append)  # type: ignore[arg-type]


def waits(outside: SimulatedOutside) -> str:
    wait = outside.waiting.for_lane(Lane.JUDGING)
    return wait.on if wait else ""


def breaks(outside: SimulatedOutside, after: int, times: int) -> None:
    """The judge fails that many times after so many answers."""
    ask, left = outside.judging.ask, [times]

    def failing(question: Question) -> Answer:
        if len(outside.judging.asked) >= after and left[0]:
            left[0] -= 1
            raise InfrastructureFault("503 overloaded")
        return ask(question)

    outside.judging.ask = failing  # type: ignore[method-assign]


def mend(outside: SimulatedOutside) -> None:
    outside.judging.fault = ""


def test_g01_an_outage_is_told_once_and_waited_for_ever_longer(
    outside: SimulatedOutside, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[str] = []
    alerts: list[str] = []
    outside.judging.fault = "503 overloaded"
    monkeypatch.setattr(
        patience, "time", _Clock(slept, lambda: mend(outside) if len(slept) == 6 else None)
    )
    judge_matches(working(outside, messages, alerts))
    assert alerts == ["judging of round 0 waits, and goes on by itself: 503 overloaded"]
    assert slept == [5, 10, 20, 40, 60, 60]
    assert messages.count(alerts[0]) == 5
    assert "judging of round 0 waits no more" in messages
    assert not waits(outside)
    assert len(now(outside).matrix.matches) >= 2


def test_g03_an_outage_amid_a_match_costs_no_answer_twice(outside: SimulatedOutside) -> None:
    breaks(outside, 5, times=2)
    judge_matches(work(outside))
    assert len(outside.judging.asked) == len(set(outside.judging.asked))


def test_an_outage_that_outlasts_a_run_is_one_outage_and_shows_in_the_status(
    outside: SimulatedOutside,
) -> None:
    alerts: list[str] = []
    outside.judging.fault = "connection refused"
    for _ in range(3):
        with pytest.raises(InfrastructureFault, match="connection refused"):
            judge_matches(working(outside, [], alerts))
    assert len(alerts) == 1
    assert not now(outside).matrix.matches
    text = status_text(status(outside))  # type: ignore[arg-type]
    assert f"waits for connection refused, since {outside.now():%Y-%m-%dT%H:%M:%S}" in text
    outside.judging.fault = ""
    judge_matches(working(outside, [], alerts))
    assert not waits(outside)


def test_a_new_outage_is_told_again(outside: SimulatedOutside) -> None:
    alerts: list[str] = []
    for number in range(2):
        breaks(outside, 8 * number, times=1)
        judge_matches(working(outside, [], alerts))
        outside.repository.commit(
            {"rounds/0/matches_matrix.csv": None}, "Played again, as a person wants it"
        )
        outside.store.objects = {
            key: content
            for key, content in outside.store.objects.items()
            if not key.startswith("answers/")
        }
    assert len(alerts) == 2


def test_a_round_that_was_paused_waits_for_the_judge_no_more(
    outside: SimulatedOutside, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.judging.fault = "connection refused"
    clock = _Clock([], lambda: pause(outside, "judge out of order"))  # type: ignore[arg-type]
    monkeypatch.setattr(patience, "time", clock)
    judge_matches(work(outside))
    assert not waits(outside)


def test_g01_a_judge_that_has_gone_wrong_without_an_error_plays_nothing(
    outside: SimulatedOutside,
) -> None:
    alerts: list[str] = []
    outside.judging.canary = 0
    with pytest.raises(InfrastructureFault, match="gone wrong, as canary duels on https"):
        judge_matches(working(outside, [], alerts))
    assert not outside.judging.asked
    assert not now(outside).matrix.matches
    assert len(alerts) == 1
    outside.judging.canary = 10
    judge_matches(work(outside))
    assert [match.left for match in now(outside).matrix.matches][:2] == [LEADER, LEADER]


def test_g01_a_judge_that_goes_wrong_on_the_way_has_its_matches_not_recorded(
    outside: SimulatedOutside,
) -> None:
    penalty = outside.judging.penalty

    def goes_wrong(url: str) -> int:
        outside.judging.canary = 0
        return penalty(url)

    outside.judging.penalty = goes_wrong
    with pytest.raises(InfrastructureFault, match="gone wrong"):
        judge_matches(work(outside))
    assert outside.judging.asked
    assert not now(outside).matrix.matches


def test_canary_answers_are_not_kept(outside: SimulatedOutside) -> None:
    judge_matches(work(outside))
    kept = [key for key in outside.store.objects if key.startswith("answers/")]
    assert len(kept) == len(set(outside.judging.asked))
    records = [outside.store.objects[key] for key in kept]
    assert not any(b"canaries" in each for each in records)
    noise = [key for key in outside.store.objects if key.startswith("canaries/noise-")]
    assert len(noise) == 2  # as it is, and with words on it
