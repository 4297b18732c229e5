"""Attempts at a question: at most five, of which the first usable one counts; all are kept, and
none is made twice."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import NotJudged
from resources.judge import ServedJudge
from resources.kept_answers import KeptAnswers
from simulators.judge_server import JudgeServer, fails, loops, says, verdict
from tests.resources.judge.answering import (
    FolderStore,
    in_order,
    kept,
    out_of_order,
    question,
    watched,
)


def found_out(answers: KeptAnswers) -> Callable[[], None]:
    """Canary duels that find the judge out of order."""

    def confirm() -> None:
        answers.distrust("the judge has gone wrong")
        out_of_order()

    return confirm


def test_the_first_of_five_attempts_that_can_be_used_ends_them_and_all_are_kept(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops(), says("who knows"), says(verdict(1, 2)), says(verdict(9, 9))]
    answers = watched(judge, store)
    replies = answers.attempts(question(), in_order)
    assert [reply.finish_reason for reply in replies] == ["length", None, None]
    assert replies[2].answer().penalty_2 == 2
    assert [(request["seed"], request["temperature"]) for request in server.requests] == [
        (7, 0),
        (8, 0.1),
        (9, 0.2),
    ]
    answers.vouch(time.monotonic())
    assert {
        (each["seed"], each.get("temperature"), "unusable" in each) for each in kept(store)
    } == {
        (7, None, True),
        (8, 0.1, True),
        (9, 0.2, False),
    }
    assert watched(judge, FolderStore(store.folder)).attempts(question(), out_of_order) == replies
    assert len(server.requests) == 3


def test_five_unusable_answers_are_all_that_a_question_has(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops()]
    replies = watched(judge, store).attempts(question(), in_order)
    assert [reply.finish_reason for reply in replies] == ["length"] * 5
    assert watched(judge, store).attempts(question(), in_order) == replies
    assert len(server.requests) == len({request["seed"] for request in server.requests}) == 5


def test_an_attempt_is_named_by_its_seed_and_temperature_and_the_first_as_ever(
    judge: ServedJudge, store: FolderStore
) -> None:
    answers = watched(judge, store)
    keys = {
        answers.key(replace(question(seed=seed), attempt=number))
        for seed in (7, 8)
        for number in range(5)
    }
    assert len(keys) == 10, "the second attempt with seed 7 is not the first with seed 8"
    assert answers.key(replace(question(), attempt=0)) == answers.key(question())


def test_g01_what_a_judge_out_of_order_says_is_not_kept_and_its_attempt_is_made_anew(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops(), loops(), says(verdict(1, 2))]
    answers = watched(judge, store)
    for _ in range(2):
        with pytest.raises(InfrastructureFault, match="gone wrong"):
            answers.attempts(question(), found_out(answers))
        answers.vouch(time.monotonic())
    assert not kept(store)
    assert [reply.answer().penalty_2 for reply in answers.attempts(question(), in_order)] == [2]
    assert {request["seed"] for request in server.requests} == {7}


def test_g01_an_answer_that_did_not_come_is_no_attempt(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [
        loops(),
        fails(500),
        says(verdict(1, 2), "abort"),
        fails(400),
        says(verdict(1, 2)),
    ]
    answers = watched(judge, store)
    for _ in range(3):
        with pytest.raises(NotJudged):
            answers.attempts(question(), in_order)
    assert len(answers.attempts(question(), in_order)) == 2
    assert [request["seed"] for request in server.requests] == [7, 8, 8, 8, 8]


def test_g03_an_attempt_that_the_store_does_not_take_is_not_paid_for_again(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops(), says(verdict(1, 2))]
    answers = watched(judge, store)
    store.full = True
    for _ in range(2):
        with pytest.raises(InfrastructureFault, match="full"):
            answers.attempts(question(), in_order)
    store.full = False
    assert len(answers.attempts(question(), in_order)) == 2
    assert len(server.requests) == 2


def test_g03_questions_that_come_at_the_same_time_share_their_attempts(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    def slow(*arguments: Any) -> None:
        time.sleep(0.1)
        loops()(*arguments)

    server.replies = [slow, slow, says(verdict(4, 5))]
    answers = watched(judge, store)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: answers.attempts(question(), in_order), range(8)))
    assert together == [together[0]] * 8
    assert len(server.requests) == 3
