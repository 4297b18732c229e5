"""Canary duels: what shows that a judge has gone wrong though it answers."""

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from gen404_assets.competition.judgement import ATTEMPTS, NotJudged, Unusable
from resources.judge import ServedJudge, check_judge
from simulators.judge_server import MODEL, Reply, fails, judge_server, loops, says, verdict

PENALTIES = {"good": 1, "noise": 10}


def judging(penalties: Callable[[str, str], tuple[int, int]]) -> Reply:
    """A server that judges the first and second picture by their names."""

    def reply(handler: Any, request: dict[str, Any]) -> None:
        parts = request["messages"][-1]["content"]
        prompt, *outputs = (
            part["image_url"]["url"] for part in parts if part["type"] == "image_url"
        )
        assert prompt == "prompt"
        says(verdict(*penalties(*outputs)))(handler, request)

    return reply


def checked(reply: Reply) -> str | None:
    with (
        judge_server(reply) as server,
        closing(ServedJudge(server.url, "key", MODEL, retries=0)) as judge,
    ):
        return check_judge(judge, "prompt", "good", "noise")


def test_a_judge_in_order_passes() -> None:
    assert checked(judging(lambda one, other: (PENALTIES[one], PENALTIES[other]))) is None
    assert (
        checked(judging(lambda one, other: (PENALTIES[one], min(10, PENALTIES[other] + 2)))) is None
    )


@pytest.mark.parametrize(
    ("penalties", "reason"),
    [
        (lambda _one, _other: (0, 10), "against itself got penalties 0 and 10"),
        (lambda _one, _other: (5, 5), "good picture got penalty 5, noise 5"),
        (
            lambda one, other: (10 - PENALTIES[one], 10 - PENALTIES[other]),
            "good picture got penalty 9, noise 0",
        ),
        (
            lambda one, other: (PENALTIES[one] // 9, PENALTIES[other] // 9),
            "good picture got penalty 0, noise 1",
        ),
    ],
    ids=["prefers what comes first", "blind", "upside down", "sees no more than a draw"],
)
def test_g01_a_judge_that_has_gone_wrong_without_an_error_is_found_out(
    penalties: Callable[[str, str], tuple[int, int]], reason: str
) -> None:
    fault = checked(judging(penalties))
    assert fault is not None
    assert reason in fault


def test_a_judge_that_does_not_answer_is_not_called_wrong() -> None:
    with pytest.raises(NotJudged):
        checked(fails(500))
    with pytest.raises(NotJudged):
        checked(says(json.dumps({"penalty_1": 1})))


def looping(attempts: int) -> Reply:
    """A judge in order that loops at the first attempts."""

    def reply(handler: Any, request: dict[str, Any]) -> None:
        in_order = judging(lambda one, other: (PENALTIES[one], PENALTIES[other]))
        (loops() if request["seed"] < attempts else in_order)(handler, request)

    return reply


def test_a_canary_has_as_many_attempts_as_any_question() -> None:
    assert checked(looping(ATTEMPTS - 1)) is None
    with pytest.raises(Unusable, match="finish_reason length"):
        checked(looping(ATTEMPTS))
