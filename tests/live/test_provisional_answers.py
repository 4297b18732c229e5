"""What the judge answers is provisional until canary duels vouch for it: nothing is published that
rests on answers of a judge that was out of order.
"""

import threading
import time
from collections.abc import Callable

import pytest

from gen404_assets.commands.operating import pause
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.judgement import Answer, Question
from gen404_assets.live import patience, watching
from gen404_assets.live.judging import judge_matches
from gen404_assets.live.work import Overtaken, Work
from resources.answer_records import LONGEST_INTERVAL
from resources.git_commands import RepositoryError
from resources.kept_answers import KeptAnswers
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, now, work

CHALLENGERS = MINERS[:3]


def fresh(**environment: str) -> SimulatedOutside:
    """A round to be judged in which every challenger loses by -1."""
    outside = dueling(CHALLENGERS, prompts_per_round=12)
    outside.judging.penalty = lambda url: 1 if f"/{LEADER}/" in url else 9
    outside.environment = {
        **outside.environment,
        "JUDGE_PATIENCE_SECONDS": "1000",
        "MAX_CONCURRENT_DUELS": "1",
        **environment,
    }
    return outside


def margins(outside: SimulatedOutside) -> list[float]:
    return [match.margin for match in now(outside).matrix.matches]


def records(outside: SimulatedOutside, what: str = "") -> list[str]:
    return [key for key in outside.store.objects if key.startswith(f"provisional/{what}")]


def answers(outside: SimulatedOutside) -> dict[str, bytes]:
    objects = outside.store.objects
    return {key: data for key, data in objects.items() if key.startswith("answers/")}


class Judging:
    """Stands between the platform and the simulated judge, and does something before its n-th
    question.
    """

    def __init__(self, outside: SimulatedOutside, at: int, does: Callable[[], None]) -> None:
        self.judging, self.at, self.does = outside.judging, at, does
        self.ask, self.lock = outside.judging.ask, threading.Lock()
        self.wrong, self.confuses = 0, True
        outside.judging.ask = self  # type: ignore[method-assign]

    def __call__(self, question: Question) -> Answer:
        canary = "/canaries/" in question.first
        with self.lock:
            if not canary and len(self.judging.asked) == self.at:
                self.does()
            answer = self.ask(question)
        if canary or self.judging.canary or not self.confuses:
            return answer
        self.wrong += 1
        return self.judging._answer(answer.penalty_2, answer.penalty_1)


def goes_wrong(outside: SimulatedOutside, at: int) -> Judging:
    """From its n-th question on the judge confuses the sides, and noise with a good picture."""
    return Judging(outside, at, lambda: setattr(outside.judging, "canary", 0))


@pytest.fixture
def repaired(monkeypatch: pytest.MonkeyPatch) -> Callable[[SimulatedOutside], None]:
    """The judge is repaired while the run waits."""

    def during_waits(outside: SimulatedOutside) -> None:
        class Clock:
            monotonic = staticmethod(time.monotonic)

            @staticmethod
            def sleep(_: float) -> None:
                outside.judging.canary = 10

        monkeypatch.setattr(patience, "time", Clock)

    return during_waits


@pytest.mark.parametrize("at", [0, 11, 50, 71])
def test_g01_answers_of_a_judge_that_had_gone_wrong_are_asked_again_after_its_repair(
    at: int, repaired: Callable[[SimulatedOutside], None]
) -> None:
    outside, undisturbed = fresh(), fresh()
    judge_matches(work(undisturbed))
    judging = goes_wrong(outside, at)
    repaired(outside)
    judge_matches(work(outside))
    assert judging.wrong, "it has given wrong answers"
    assert margins(outside) == [-1.0, -1.0, -1.0]
    assert not now(outside).requests.root, "no audit of a loser is asked for"
    assert outside.repository.head.files == undisturbed.repository.head.files
    assert answers(outside) == answers(undisturbed)
    assert len(records(outside, "out-of-order-")) == 1
    asked_again = len(outside.judging.asked) - len(set(outside.judging.asked))
    assert judging.wrong <= asked_again <= at + judging.wrong, "since the last good canary duels"
    wrong = len(records(outside)) - 1 - len(answers(outside))
    assert wrong >= judging.wrong - 2, "what was said stays on record"


def test_g01_wrong_answers_are_not_taken_up_by_who_comes_after_a_crash() -> None:
    outside = fresh(JUDGE_PATIENCE_SECONDS="0")
    goes_wrong(outside, 11)
    with pytest.raises(InfrastructureFault, match="gone wrong"):
        judge_matches(work(outside))
    outside.judging.canary = 10
    outside.judge = KeptAnswers(outside.judging, outside.store)
    judge_matches(work(outside))
    assert margins(outside) == [-1.0, -1.0, -1.0]


class Killed(BaseException):
    """SIGKILL, as near as a test can come in one process."""


def killed(outside: SimulatedOutside, at: int) -> None:
    def kill() -> None:
        judging.at = -1
        raise Killed

    judging = Judging(outside, at, kill)
    judging.confuses = False
    with pytest.raises(Killed):
        judge_matches(work(outside))
    outside.judge = KeptAnswers(outside.judging, outside.store)


@pytest.mark.parametrize("at", [1, 20, 60])
def test_g03_good_canary_duels_before_and_after_a_crash_vouch_for_what_was_answered_before_it(
    at: int,
) -> None:
    outside = fresh()
    killed(outside, at)
    assert not answers(outside) or at > 24
    judge_matches(work(outside))
    assert margins(outside) == [-1.0, -1.0, -1.0]
    again = len(outside.judging.asked) - len(set(outside.judging.asked))
    assert again <= 2, "what two threads had under way"


def test_g01_canary_duels_long_after_a_crash_vouch_for_nothing_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = fresh()
    killed(outside, 20)
    asked = len(outside.judging.asked)
    monkeypatch.setattr("resources.answer_records.LONGEST_INTERVAL", -1.0)
    with pytest.raises(InfrastructureFault, match="don't vouch"):
        judge_matches(impatient(outside))
    again = len(outside.judging.asked) - len(set(outside.judging.asked))
    assert again >= asked - 2
    assert not answers(outside)
    monkeypatch.setattr("resources.answer_records.LONGEST_INTERVAL", LONGEST_INTERVAL)
    judge_matches(work(outside))
    assert margins(outside) == [-1.0, -1.0, -1.0]


def test_g01_a_judge_found_wrong_at_the_first_canary_duels_after_a_crash_has_its_answers_discarded(
    repaired: Callable[[SimulatedOutside], None],
) -> None:
    outside = fresh()
    judging = goes_wrong(outside, 11)
    killed(outside, 20)
    assert judging.wrong
    repaired(outside)
    judge_matches(work(outside))
    assert margins(outside) == [-1.0, -1.0, -1.0]


def impatient(outside: SimulatedOutside) -> Work:
    outside.environment = {**outside.environment, "JUDGE_PATIENCE_SECONDS": "0"}
    return work(outside)


def test_g01_canary_duels_fly_by_the_clock_inside_a_match(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = fresh(CANARY_SECONDS="0.1", JUDGE_PATIENCE_SECONDS="0")
    judging = goes_wrong(outside, 6)
    ask = judging.ask

    def slowly(question: Question) -> Answer:
        if "/canaries/" not in question.first:
            time.sleep(0.05)
        return ask(question)

    judging.ask = slowly
    monkeypatch.setattr(judging, "lock", threading.Semaphore(8))
    with pytest.raises(InfrastructureFault, match="gone wrong"):
        judge_matches(work(outside))
    assert len(outside.judging.asked) < 40, "of 72"
    assert not margins(outside)


def test_a_pause_is_obeyed_within_seconds_amid_a_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_LOOK_SECONDS", 0.05)
    outside = fresh()
    judging = Judging(outside, 10, lambda: pause(outside, "a person"))  # type: ignore[arg-type]
    ask = judging.ask

    def slowly(question: Question) -> Answer:
        time.sleep(0.05)
        return ask(question)

    judging.ask = slowly
    with pytest.raises(Overtaken, match="paused"):
        judge_matches(work(outside))
    assert len(outside.judging.asked) < 40, "of 72"
    assert not margins(outside)


def test_while_the_head_cannot_be_seen_judging_goes_on_and_nothing_is_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "_LOOK_SECONDS", 0.01)
    outside = fresh(JUDGE_PATIENCE_SECONDS="0")
    refresh, publish = outside.repository.refresh, outside.repository.publish

    def unreachable(*_: object, **__: object) -> str:
        raise RepositoryError("git fetch: could not resolve host")

    def goes_down() -> None:
        outside.repository.refresh = unreachable  # type: ignore[method-assign]
        outside.repository.publish = unreachable  # type: ignore[method-assign, assignment]

    judging = Judging(outside, 10, goes_down)
    ask = judging.ask

    def slowly(question: Question) -> Answer:
        time.sleep(0.005)
        return ask(question)

    judging.ask = slowly
    messages: list[str] = []
    with pytest.raises(RepositoryError, match="could not resolve host"):
        judge_matches(Work(outside, 0, messages.append))  # type: ignore[arg-type]
    assert len(outside.judging.asked) == 72, "all matches were played"
    assert not margins(outside)
    assert sum("head can't be seen" in each for each in messages) == 1
    outside.repository.refresh, outside.repository.publish = refresh, publish  # type: ignore[method-assign]
    judge_matches(work(outside))
    assert margins(outside) == [-1.0, -1.0, -1.0]
    assert len(outside.judging.asked) == 72, "and none again"


def test_a_look_at_the_head_that_hangs_keeps_nothing_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watching, "_BLIND_SECONDS", 0.05)
    outside, looks, ended = fresh(), [0], threading.Event()
    main, refresh = threading.current_thread(), outside.repository.refresh

    def hangs() -> str:
        if threading.current_thread() is not main:
            looks[0] += 1
            ended.wait(60)
        return refresh()

    outside.repository.refresh = hangs  # type: ignore[method-assign]
    Judging(outside, 10, lambda: time.sleep(0.3))
    messages: list[str] = []
    judge_matches(Work(outside, 0, messages.append))  # type: ignore[arg-type]
    ended.set()
    assert margins(outside) == [-1.0, -1.0, -1.0]
    assert looks == [1], "no other look is begun while one hangs"
    assert sum("no answer after" in each for each in messages) == 1
