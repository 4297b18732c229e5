"""A judge that is out of order, or that gives no answer, has made no attempt; a question without
one keeps no other waiting."""

import json
from contextlib import closing
from typing import Any

import pytest

from gen404_assets.competition.duels import NO_USABLE_ANSWER
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.judgement import Answer, Question
from gen404_assets.competition.prompts import stem
from gen404_assets.live.collecting import collect
from gen404_assets.live.judging import judge_matches
from resources.judge import ServedJudge
from resources.kept_answers import KeptAnswers
from simulators.judge_server import MODEL, judge_server, loops, says, verdict
from simulators.outside import SimulatedOutside
from simulators.rounds import baseline, dueling, generating, now, work
from tests.live.unusable_answers import FINE, PATH, POOR, PROMPT, SEED, duel_on, loops_at, replayed


def test_g01_what_a_judge_says_that_fails_its_canaries_is_no_attempt_and_is_asked_anew_after_the_repair() -> (  # noqa: E501
    None
):
    outside = dueling([FINE])
    penalty = outside.judging.penalty

    def breaks_down(_: Question) -> bool:
        outside.judging.canary = 0
        return True

    outside.judging.unusable = breaks_down
    for _ in range(7):
        with pytest.raises(InfrastructureFault, match="gone wrong"):
            judge_matches(work(outside))
        outside.judging.canary = 10  # in order as long as nothing else is asked
    assert not now(outside).matrix.matches
    assert not [key for key in outside.store.objects if key.startswith("answers/")]
    outside.judging.unusable = lambda _: False
    outside.judging.penalty = penalty
    judge_matches(work(outside))
    for duel in json.loads(outside.repository.head.files[PATH])["duels"]:
        assert duel["issues"] == "colours"
        assert "unusable" not in duel["evidence"]


def test_g01_a_judge_that_cannot_be_reached_has_made_no_attempt() -> None:
    outside = dueling([FINE])
    ask = outside.judging.ask
    failures = iter(range(40))

    def fails_first(question: Question) -> Answer:
        if "/canaries/" not in question.first and next(failures, None) is not None:
            raise InfrastructureFault("502 bad gateway")
        return ask(question)

    outside.judging.ask = fails_first  # type: ignore[method-assign]
    for _ in range(40):
        try:
            judge_matches(work(outside))
        except InfrastructureFault:
            continue
        break
    assert {question.attempt for question in outside.judging.asked} == {0}
    assert all(
        "unusable" not in duel["evidence"]
        for duel in json.loads(outside.repository.head.files[PATH])["duels"]
    )


def test_a_prompt_that_provokes_canaries_too_does_not_stop_the_round() -> None:
    outside = dueling([FINE])
    first = (now(outside).prompts or [])[0]
    ask = outside.judging.ask

    def provoked(question: Question) -> Answer:
        if question.prompt == outside.pictures.url(0, first):
            outside.judging.asked.append(question)
            return _unusable(outside)
        return ask(question)

    outside.judging.ask = provoked  # type: ignore[method-assign]
    judge_matches(work(outside))
    assert duel_on(outside, stem(first))["issues"] == NO_USABLE_ANSWER


def _unusable(outside: SimulatedOutside) -> Answer:
    return outside.judging._answer(11, 11)  # raises, as an answer out of bounds does


def test_g01_a_judge_that_loops_at_everything_is_out_of_order() -> None:
    outside = dueling([FINE])
    outside.judging.ask = lambda question: _unusable(outside)  # type: ignore[method-assign]  # noqa: ARG005
    with pytest.raises(InfrastructureFault, match="gone wrong, as canary duels on https"):
        judge_matches(work(outside))
    assert not now(outside).matrix.matches


def test_a_question_that_is_never_answered_keeps_no_other_from_being_asked() -> None:
    outside = dueling([FINE, POOR])
    ask = outside.judging.ask

    def refuses(question: Question) -> Answer:
        if stem(question.prompt) == PROMPT and f"/{FINE}/" in question.first + question.second:
            raise InfrastructureFault("status 400: cannot decode")
        return ask(question)

    outside.judging.ask = refuses  # type: ignore[method-assign]
    with pytest.raises(InfrastructureFault, match="cannot decode"):
        judge_matches(work(outside))
    assert len(outside.judging.asked) == 2 * 4 * 2 - 2
    assert not now(outside).matrix.matches, "it is first in the order of the rules"


def test_a_match_without_a_question_is_recorded_before_one_that_waits_for_an_answer() -> None:
    outside = generating([FINE, POOR])
    outside.downloads.served = lambda url: b"bad" if "cdn0" in url else url.encode()
    baseline(outside)
    collect(work(outside))
    ask = outside.judging.ask

    def refuses(question: Question) -> Answer:
        if stem(question.prompt) == PROMPT:
            raise InfrastructureFault("status 400: cannot decode")
        return ask(question)

    outside.judging.ask = refuses  # type: ignore[method-assign]
    with pytest.raises(InfrastructureFault, match="cannot decode"):
        judge_matches(work(outside))
    assert [match.pair for match in now(outside).matrix.matches] == [(LEADER, FINE)]


def test_a_server_that_loops_at_one_question_does_not_stop_the_round_over_its_own_protocol() -> (
    None
):
    outside = dueling([FINE, POOR])
    looping = loops_at(PROMPT)

    def reply(handler: Any, request: dict[str, Any]) -> None:
        parts = request["messages"][-1]["content"]
        prompt, first, second = (
            part["image_url"]["url"] for part in parts if part["type"] == "image_url"
        )
        if looping(Question(prompt, first, second, SEED, attempt=request["seed"] - SEED)):
            loops()(handler, request)
        else:
            penalties = [10 if "/noise-" in url else 1 for url in (first, second)]
            says(verdict(penalties[0], penalties[1]))(handler, request)

    with judge_server(reply) as server, closing(ServedJudge(server.url, "key", MODEL)) as judge:
        outside.judge = KeptAnswers(judge, outside.store)
        judge_matches(work(outside))
    assert [match.pair for match in now(outside).matrix.matches] == [(LEADER, FINE), (LEADER, POOR)]
    assert duel_on(outside, PROMPT)["issues"] == NO_USABLE_ANSWER
    assert replayed(outside).finding == "identical"
    settings = {(request["seed"] - SEED, request["temperature"]) for request in server.requests}
    assert settings == {(0, 0), (1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)}
