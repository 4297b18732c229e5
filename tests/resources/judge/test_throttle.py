"""A judge that is overloaded is asked less at once, and more again when it answers."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from gen404_assets.competition.judgement import NotJudged, Question
from resources.judge import ServedJudge
from resources.throttle import Throttle
from simulators.judge_server import MODEL, fails, judge_server, says, verdict


class Busy:
    """A server that bears `most` requests at once, and refuses the rest."""

    def __init__(self, most: int) -> None:
        self.most, self.lock = most, threading.Lock()
        self.now, self.peak, self.refused, self.answered = 0, 0, 0, 0

    def __call__(self, handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        with self.lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
            bears = self.now <= self.most
        if bears:
            time.sleep(0.02)
        with self.lock:
            self.now -= 1
            self.refused += not bears
            self.answered += bears
        (says(verdict(1, 2)) if bears else fails(503))(handler, request)


def questions(count: int) -> list[Question]:
    return [Question("p", f"{number}", "b", 1) for number in range(count)]


def test_every_question_is_answered_by_a_server_that_bears_few_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("resources.throttle._ONE_SIGN_SECONDS", 0.1)
    busy = Busy(4)
    with judge_server(busy) as server, closing(ServedJudge(server.url, "key", MODEL)) as judge:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(judge.ask, questions(300)))
        assert len(answers) == busy.answered == 300
        assert busy.peak > busy.most
        assert busy.refused < 150, "it goes on asking more than the server bears"


def test_half_as_many_are_let_in_after_a_sign_and_one_more_after_as_many_answers_as_may_ask() -> (
    None
):
    throttle = Throttle()
    for _ in range(8):
        throttle.__enter__()
    throttle.overloaded()
    throttle.overloaded()
    assert throttle.limit == 4, "signs that come together are one"
    for _ in range(8):
        throttle.__exit__(None, None, None)
    assert 5 < throttle.limit < 6


def test_a_question_waits_until_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.throttle._ONE_SIGN_SECONDS", 0.0)
    throttle, let_in = Throttle(), threading.Event()
    throttle.__enter__()
    for _ in range(5):
        throttle.overloaded()
    assert throttle.limit == 1, "one may always ask"

    def another() -> None:
        with throttle:
            let_in.set()

    thread = threading.Thread(target=another)
    thread.start()
    assert not let_in.wait(0.1)
    throttle.__exit__(None, None, None)
    assert let_in.wait(5)
    thread.join()


@pytest.mark.parametrize(
    ("status", "signs"), [(429, True), (503, True), (500, False), (400, False)]
)
def test_what_is_a_sign_of_overload(status: int, *, signs: bool) -> None:
    with (
        judge_server(fails(status)) as server,
        closing(ServedJudge(server.url, "key", MODEL, retries=0)) as judge,
    ):
        with pytest.raises(NotJudged):
            judge.ask(questions(1)[0])
        assert (judge._throttle.limit < float("inf")) == signs


def test_no_answer_in_time_is_a_sign_of_overload() -> None:
    def sleeps(handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        time.sleep(0.5)
        says(json.dumps(request))(handler, request)

    with (
        judge_server(sleeps) as server,
        closing(ServedJudge(server.url, "key", MODEL, request_seconds=0.1, retries=0)) as judge,
    ):
        with pytest.raises(NotJudged):
            judge.ask(questions(1)[0])
        assert judge._throttle.limit == 1
