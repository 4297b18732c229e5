"""Asking the judge: what it is asked, what counts as an answer, and what happens when it has
none.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import (
    ATTEMPTS,
    PROMPT_VERSION,
    Answer,
    NotJudged,
    Question,
    Unusable,
    request_body,
)
from resources.judge import ServedJudge, open_judge
from simulators.judge_server import (
    MODEL,
    JudgeServer,
    Reply,
    completion,
    drips,
    fails,
    filters,
    hangs_up,
    judge_server,
    says,
    sends,
    verdict,
)

KEY = "sk-very-secret-1234567890"
QUESTION = Question(
    "https://p.example/1.png", "https://c.example/a.png", "https://c.example/b.png", 2024
)
GOOD = verdict(2, 7, "handle missing")


@contextmanager
def judge_behind(*replies: Reply, **limits: Any) -> Iterator[tuple[ServedJudge, JudgeServer]]:
    with judge_server(*replies) as server:
        judge = ServedJudge(server.url, KEY, MODEL, **limits)
        yield judge, server
        judge.close()


def test_an_answer_holds_both_penalties_the_text_the_model_and_what_was_said_to_the_letter() -> (
    None
):
    with judge_behind(says(GOOD)) as (judge, _):
        assert judge.ask(QUESTION) == Answer(2, 7, "handle missing", MODEL, GOOD)
        assert judge.model == MODEL


def test_the_judge_is_asked_as_the_rules_say() -> None:
    with judge_behind(says(GOOD)) as (judge, server):
        judge.ask(QUESTION)
    (request,) = server.requests
    assert server.keys == [f"Bearer {KEY}"]
    assert (request["model"], request["seed"], request["temperature"], request["max_tokens"]) == (
        MODEL,
        2024,
        0,
        1024,
    )
    schema = request["response_format"]["json_schema"]["schema"]
    bounds = {"type": "integer", "minimum": 0, "maximum": 10}
    assert schema["properties"]["penalty_1"] == schema["properties"]["penalty_2"] == bounds
    assert schema["required"] == ["penalty_1", "penalty_2", "issues"]
    pictures = [
        part["image_url"]["url"]
        for part in request["messages"][-1]["content"]
        if part["type"] == "image_url"
    ]
    assert pictures == [QUESTION.prompt, QUESTION.first, QUESTION.second]


def test_what_all_questions_share_comes_first_and_then_the_prompt_so_that_a_servers_prefix_cache_is_hit() -> (  # noqa: E501
    None
):
    one, other = (
        json.dumps(request_body(MODEL, question)["messages"])
        for question in (QUESTION, QUESTION.swapped())
    )
    shared = next(place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    assert QUESTION.prompt in one[:shared]
    assert one.index(QUESTION.prompt) > one.index("strict judge")


def test_another_text_or_schema_has_another_name() -> None:
    """When this fails, give PROMPT_VERSION a new name: kept answers were given to the old text."""
    asked = json.dumps(
        request_body("model", Question("prompt", "first", "second", 1)), sort_keys=True
    )
    assert (PROMPT_VERSION, hashlib.sha256(asked.encode()).hexdigest()[:12]) == (
        "1",
        "90f8de2b49f0",
    )


@pytest.mark.parametrize(
    "content",
    [
        f"<think>penalty_1 should be 9: {verdict(9, 9)}</think>{GOOD}",
        f"<think>hm</think>\n<answer><|begin_of_box|>{GOOD}<|end_of_box|></answer>",
        f"thinking began in the template</think>\n\n{GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"\n {GOOD} <|user|>",
    ],
)
def test_a_thinking_models_thoughts_and_marks_are_passed_over(content: str) -> None:
    with judge_behind(says(content)) as (judge, _):
        answer = judge.ask(QUESTION)
    assert (answer.penalty_1, answer.penalty_2, answer.raw) == (2, 7, content)


UNUSABLE = {
    "out of bounds": (says(verdict(2, 11)), "penalty_2"),
    "below zero": (says(verdict(-1, 3)), "penalty_1"),
    "NaN": (says('{"penalty_1": NaN, "penalty_2": 1, "issues": ""}'), "penalty_1"),
    "a fraction": (says('{"penalty_1": 2.5, "penalty_2": 1, "issues": ""}'), "penalty_1"),
    "true for one": (says('{"penalty_1": true, "penalty_2": 1, "issues": ""}'), "penalty_1"),
    "a penalty missing": (says('{"penalty_1": 2, "issues": ""}'), "penalty_2"),
    "a list": (says("[2, 7]"), "no judgement"),
    "words": (says("The first one is better."), "no judgement"),
    "two answers": (says(GOOD + GOOD), "no judgement"),
    "thoughts alone": (says(f"<think>maybe {GOOD}"), "no judgement"),
    "cut off": (says('{"penalty_1": 2, "pena', finish="length"), "finish_reason length"),
    "cut off after what looks whole": (says(GOOD, finish="length"), "finish_reason length"),
    "filtered": (says(GOOD, finish="content_filter"), "finish_reason content_filter"),
    "null": (says(None), "empty"),
    "empty": (says(""), "empty"),
    "refused": (says(None, refusal="I can't help with that"), "refused"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_g01_an_answer_that_cannot_be_used_judges_nothing_and_is_told_from_none(case: str) -> None:
    reply, reason = UNUSABLE[case]
    with judge_behind(reply) as (judge, server):
        with pytest.raises(Unusable, match=reason):
            judge.ask(QUESTION)
        assert len(server.requests) == 1
    assert issubclass(Unusable, NotJudged)
    assert issubclass(NotJudged, InfrastructureFault)


NO_ANSWERS = {
    "no choice": (sends(json.dumps({**completion(GOOD), "choices": []})), "no chat completion"),
    "no model name": (sends(json.dumps({**completion(GOOD), "model": None})), "no chat completion"),
    "not JSON": (sends("<html>nginx</html>"), "no chat completion"),
    "an empty body": (sends(""), "no chat completion"),
    "half a body": (sends(json.dumps(completion(GOOD))[:50]), "no chat completion"),
    "an error with status 200": (
        sends(json.dumps({"error": {"message": "busy"}})),
        "no chat completion",
    ),
    "nested without end": (sends('{"choices":' + "[" * 100_000), "no chat completion"),
    "the engine stopped": (says(GOOD, finish="abort"), "gave up: finish_reason abort"),
    "an error amid it": (says('{"pen', finish="error"), "gave up"),
    "no resources": (says(None, finish="insufficient_system_resource"), "gave up"),
}


@pytest.mark.parametrize("case", NO_ANSWERS)
def test_g01_a_server_that_gave_no_answer_has_made_no_attempt(case: str) -> None:
    reply, reason = NO_ANSWERS[case]
    with judge_behind(reply) as (judge, _), pytest.raises(NotJudged, match=reason) as raised:
        judge.ask(QUESTION)
    assert not isinstance(raised.value, Unusable)


def test_a_server_that_filters_what_it_was_shown_has_answered_and_no_other_error_has() -> None:
    """Else a picture could stop a round. Its words are kept, without the key if they repeat it."""
    document = {"error": {"code": "content_filter", "message": f"filtered for {KEY}"}}
    with (
        judge_behind(sends(json.dumps(document), 400)) as (judge, _),
        pytest.raises(Unusable) as raised,
    ):
        judge.ask(QUESTION)
    reply = raised.value.reply
    assert (reply.finish_reason, reply.model) == ("content_filter", MODEL)
    assert "filtered for ***" in reply.text
    with judge_behind(filters()) as (judge, _), pytest.raises(Unusable):
        judge.ask(QUESTION)
    for body in (
        '{"error": {"code": 400, "message": "cannot identify image file"}}',
        "[]",
        "no JSON",
        '{"error": "x"}',
    ):
        with (
            judge_behind(sends(body, 400)) as (judge, _),
            pytest.raises(NotJudged, match="status 400") as failed,
        ):
            judge.ask(QUESTION)
        assert not isinstance(failed.value, Unusable)


def test_each_attempt_has_its_own_seed_and_temperature() -> None:
    with judge_behind(says(GOOD)) as (judge, server):
        for number in range(ATTEMPTS):
            judge.ask(replace(QUESTION, attempt=number))
    asked = [(request["seed"], request["temperature"]) for request in server.requests]
    assert asked == [(2024, 0), (2025, 0.1), (2026, 0.2), (2027, 0.3), (2028, 0.4)]


@pytest.mark.parametrize("trouble", [408, 409, 429, 500, 502, 503, "hangs up"])
def test_a_passing_trouble_is_waited_out(trouble: int | str) -> None:
    troubled = fails(trouble) if isinstance(trouble, int) else hangs_up
    with judge_behind(troubled, troubled, says(GOOD)) as (judge, server):
        assert judge.ask(QUESTION).penalty_2 == 7
        assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_g01_what_asking_again_would_not_help_is_not_asked_again(status: int) -> None:
    with judge_behind(fails(status)) as (judge, server):
        with pytest.raises(NotJudged, match=f"status {status}"):
            judge.ask(QUESTION)
        assert len(server.requests) == 1


def test_g01_a_judge_that_stays_out_of_order_has_not_judged() -> None:
    with judge_behind(fails(503), retries=2) as (judge, server):
        with pytest.raises(NotJudged, match=r"status 503: .*out of order"):
            judge.ask(QUESTION)
        assert len(server.requests) == 3


def test_g01_a_judge_that_cannot_be_reached_has_not_judged() -> None:
    with judge_server(says(GOOD)) as server:
        url = server.url
    judge = ServedJudge(url, KEY, MODEL, retries=0)
    with pytest.raises(NotJudged, match="unreachable"):
        judge.ask(QUESTION)
    judge.close()


def test_g12_an_answer_that_comes_byte_by_byte_ends_at_the_deadline() -> None:
    with judge_behind(drips, total_seconds=0.3) as (judge, _):
        start = time.monotonic()
        with pytest.raises(NotJudged, match=r"no answer within 0\.3 s"):
            judge.ask(QUESTION)
        assert time.monotonic() - start < 60


def test_g12_all_tries_together_end_at_the_deadline() -> None:
    with judge_behind(sends("", 503, retry_after="30"), total_seconds=0.3) as (judge, _):
        start = time.monotonic()
        with pytest.raises(NotJudged, match="no answer within"):
            judge.ask(QUESTION)
        assert time.monotonic() - start < 60


@pytest.mark.parametrize("status", [400, 401, 403])
def test_g23_a_server_that_repeats_the_key_does_not_bring_it_into_a_message(status: int) -> None:
    echo = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}})
    with judge_behind(sends(echo, status)) as (judge, _), pytest.raises(NotJudged) as raised:
        judge.ask(QUESTION)
    assert KEY not in str(raised.value)


def test_many_ask_at_the_same_time() -> None:
    all_have_asked = threading.Barrier(8, timeout=60)

    def waiting_for_all(handler: Any, request: dict[str, Any]) -> None:
        all_have_asked.wait()  # breaks, and the test with it, unless eight ask at once
        says(verdict(request["seed"], 10))(handler, request)

    with judge_behind(waiting_for_all) as (judge, _), ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda seed: judge.ask(Question("p", "a", "b", seed)), range(8))
        assert [answer.penalty_1 for answer in answers] == list(range(8))


SETTINGS = {
    "OPENAI_BASE_URL": "http://127.0.0.1:8000/v1",
    "OPENAI_API_KEY": KEY,
    "JUDGE_MODEL": MODEL,
}


def test_the_judge_is_the_one_that_the_settings_name() -> None:
    with judge_server(says(GOOD)) as server:
        judge = open_judge({**SETTINGS, "OPENAI_BASE_URL": server.url + "/"})
        assert judge.ask(QUESTION).penalty_2 == 7
        assert server.requests[0]["model"] == MODEL
        judge.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            ("OPENAI_BASE_URL", bad)
            for bad in ("", "localhost:8000", "ftp://a.example/v1", "http://", "http://[::1/v1")
        ],
        *[
            ("OPENAI_BASE_URL", bad)
            for bad in (f"http://user:{KEY}@a.example/v1", "http://a.example:x/v1")
        ],
        *[("OPENAI_API_KEY", bad) for bad in ("", "two words", "ключ", "line\nbreak")],
        *[("JUDGE_MODEL", bad) for bad in ("", " ")],
    ],
)
def test_a_bad_setting_is_named_and_no_secret_with_it(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be") as raised:
        open_judge({**SETTINGS, name: value})
    assert KEY not in str(raised.value)
    with pytest.raises(ValueError, match=f"^{name} must be"):
        open_judge({key: text for key, text in SETTINGS.items() if key != name})
