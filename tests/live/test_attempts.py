"""Questions without a usable answer: five attempts each, all kept, and a draw that a replay
derives.
"""

import json
import random
import time
from collections.abc import Callable

import pytest

from gen404_assets.assets.views import VIEWS
from gen404_assets.competition.duels import NO_USABLE_ANSWER
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.judgement import Answer, Question
from gen404_assets.competition.margins import seed_again
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.settings import Rules
from gen404_assets.live.judging import judge_matches
from gen404_assets.live.work import Work
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside, digest
from simulators.rounds import dueling, now, work
from tests.live.unusable_answers import (
    FINE,
    PATH,
    PROMPT,
    SEED,
    duel_on,
    dueled,
    loops_at,
    replayed,
)

# --- the rule


def test_a_question_that_is_always_looped_at_ends_in_a_draw_and_the_round_goes_on() -> None:
    outside = dueled(loops_at(PROMPT))
    duel = duel_on(outside, PROMPT)
    assert (duel["winner"], duel["issues"]) == ("draw", NO_USABLE_ANSWER)
    assert [match.margin for match in now(outside).matrix.matches] == [3 / 4]
    asked = [question for question in outside.judging.asked if stem(question.prompt) == PROMPT]
    assert sorted(question.attempt for question in asked) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert {question.seed for question in asked} == {SEED}
    file = replayed(outside)
    assert (file.finding, file.from_answers, file.as_recorded) == ("identical", 4, 0)
    assert file.notes == [
        "1 duels are draws since the judge gave no usable answer; the verdict doesn't depend on "
        "them"
    ]


def test_g02_the_evidence_of_such_a_draw_holds_every_attempt_of_both_orders() -> None:
    outside = dueled(loops_at(PROMPT))
    evidence = duel_on(outside, PROMPT)["evidence"]
    attempts = [
        [*before, last]
        for before, last in zip(evidence["unusable"], evidence["answers"], strict=True)
    ]
    assert [len(order) for order in attempts] == [5, 5]
    seen = set()
    for order in attempts:
        for number, attempt in enumerate(order):
            kept = json.loads(outside.store.objects[attempt["key"]])
            assert (kept["answer"], kept["finish_reason"]) == (attempt["text"], "length")
            assert attempt["finish_reason"] == "length"
            assert kept["seed"] == SEED + number
            assert kept.get("temperature") == (number / 10 if number else None)
            seen.add(attempt["key"])
    assert len(seen) == 10


@pytest.mark.parametrize("swapped", [False, True])
def test_five_unusable_answers_in_one_order_are_enough_for_a_draw(*, swapped: bool) -> None:
    outside = dueled(loops_at(PROMPT, swapped=swapped))
    duel = duel_on(outside, PROMPT)
    assert (duel["winner"], duel["issues"]) == ("draw", NO_USABLE_ANSWER)
    assert [len(before) for before in duel["evidence"]["unusable"]] == (
        [0, 4] if swapped else [4, 0]
    )
    assert json.loads(duel["evidence"]["answers"][not swapped]["text"])["issues"] == "colours"
    assert replayed(outside).finding == "identical"


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_the_first_answer_that_can_be_used_counts(attempts: int) -> None:
    outside = dueled(loops_at(PROMPT, attempts=attempts, swapped=False))
    duel = duel_on(outside, PROMPT)
    assert (duel["winner"], duel["issues"]) == ("right", "colours")
    assert [len(before) for before in duel["evidence"]["unusable"]] == [attempts, 0]
    kept = json.loads(outside.store.objects[duel["evidence"]["answers"][0]["key"]])
    assert (kept["seed"], kept["temperature"]) == (SEED + attempts, attempts / 10)
    assert replayed(outside).finding == "identical"


def test_a_report_that_needed_first_attempts_alone_is_written_as_ever() -> None:
    outside = dueled(lambda _: False)
    for duel in json.loads(outside.repository.head.files[PATH])["duels"]:
        assert [*duel["evidence"]] == [
            "prompt",
            "left",
            "right",
            "model",
            "prompt_version",
            "seed",
            "answers",
        ]
        assert [[*answer_ofy] for answer_ofy in duel["evidence"]["answers"]] == [
            ["key", "model", "text"]
        ] * 2


def test_g03_no_attempt_is_paid_for_twice() -> None:
    outside = dueled(loops_at(PROMPT))
    outside.repository.commit(
        {"rounds/0/matches_matrix.csv": None, PATH: None}, "Played again, as a person wants it"
    )
    asked = len(outside.judging.asked)
    judge_matches(work(outside))
    assert len(outside.judging.asked) == asked
    assert duel_on(outside, PROMPT)["issues"] == NO_USABLE_ANSWER


class Killed(BaseException):
    """SIGKILL, as near as a test can come in one process."""


@pytest.mark.parametrize("after", range(1, 16, 2))
def test_g15_killed_amid_its_attempts_it_ends_with_the_same_report(after: int) -> None:
    outside = dueling([FINE])
    outside.judging.penalty = lambda url: 7 if f"/{LEADER}/" in url else 2
    outside.judging.unusable = loops_at(PROMPT)
    outside.environment = {**outside.environment, "MAX_CONCURRENT_DUELS": "1"}
    ask = outside.judging.ask

    def mortal(question: Question) -> Answer:
        if len(outside.judging.asked) == after:
            outside.judging.asked.append(question)
            raise Killed
        return ask(question)

    outside.judging.ask = mortal  # type: ignore[method-assign]
    with pytest.raises(Killed):
        judge_matches(work(outside))
    judge_matches(work(outside))
    assert (
        outside.repository.head.files[PATH] == dueled(loops_at(PROMPT)).repository.head.files[PATH]
    )
    again = len(outside.judging.asked) - len(set(outside.judging.asked))
    assert again <= 4, "what two threads had under way"


# --- the operator


def alerts(miners: list[str], unusable: Callable[[Question], bool]) -> list[str]:
    outside = dueling(miners, prompts_per_round=12)
    outside.judging.penalty = lambda url: 1 if f"/{LEADER}/" in url else 9  # nobody qualifies
    outside.judging.unusable = unusable
    errors: list[str] = []
    judge_matches(Work(outside, 0, lambda _: None, errors.append))  # type: ignore[arg-type]
    assert len(now(outside).matrix.matches) == len(miners)
    return errors


def at(prompt: str, miners: list[str]) -> Callable[[Question], bool]:
    def unusable(question: Question) -> bool:
        shown = question.first + question.second
        return stem(question.prompt) == prompt and any(f"/{hotkey}/" in shown for hotkey in miners)

    return unusable


def test_more_than_one_in_a_hundred_duels_without_an_answer_are_told_once() -> None:
    errors = alerts(MINERS[:3], at("c", MINERS[:3]))
    assert len(errors) == 1
    assert errors[0].startswith(
        "the judge gave no usable answer in 1 of the 12 duels recorded in round 0"
    )


def test_fewer_are_not_told() -> None:
    assert not alerts(MINERS[:9], at("c", [MINERS[8]])), "1 of 108"


def test_how_many_there_are_is_shown() -> None:
    assert VIEWS["duels"](now(dueled(loops_at(PROMPT))))["draws without a usable answer"] == 1


# --- with the other rules


def test_g08_what_is_recorded_depends_on_the_answers_alone() -> None:
    def slow(outside: SimulatedOutside, rng: random.Random) -> None:
        ask = outside.judging.ask

        def slowly(question: Question) -> Answer:
            time.sleep(rng.uniform(0, 0.01))
            return ask(question)

        outside.judging.ask = slowly  # type: ignore[method-assign]

    ended = []
    for number in range(3):
        outside = dueling(MINERS[:3], prompts_per_round=12)
        outside.judging.unusable = lambda question: (
            digest(question.prompt, question.first, question.attempt) % 3 == 0
        )
        slow(outside, random.Random(number))
        judge_matches(work(outside))
        ended.append(outside.repository.head.files)
    assert ended[0] == ended[1] == ended[2]


@pytest.mark.parametrize("clinch", [False, True])
def test_clinched_and_close_matches_count_such_draws_like_others(*, clinch: bool) -> None:
    outside = dueling([FINE], prompts_per_round=12, close_matches="best_of_3")
    outside.rules = Rules(clinch_matches=clinch)
    outside.judging.penalty = lambda _: 4
    outside.judging.unusable = lambda question: question.prompt.endswith(("a.png", "b.png"))
    judge_matches(work(outside))
    report = json.loads(outside.repository.head.files[PATH])
    plays = [report, *report["others"]]
    seeds = [SEED, seed_again(SEED, 1), seed_again(SEED, 2)]
    assert sorted(
        duel["evidence"]["seed"] for play in plays for duel in play["duels"][:1]
    ) == sorted(seeds)
    for play in plays:
        unanswered = [duel["name"] for duel in play["duels"] if duel["issues"] == NO_USABLE_ANSWER]
        assert unanswered == ["a", "b"]
    assert replayed(outside).finding == "identical"
