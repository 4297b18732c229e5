"""A duel's evidence: the names of attempts, which of them count, and words kept to the letter."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.competition.duels import NO_USABLE_ANSWER, Decision, Outcome, duel_decision
from gen404_assets.competition.evidence import Evidence, orders
from gen404_assets.competition.files import ObjectFile
from gen404_assets.competition.judgement import (
    ATTEMPTS,
    Digests,
    NotJudged,
    Reply,
    answer_key,
    asked,
    count_attempts,
)

PICTURES = {"prompt": "0" * 64, "left": "1" * 64, "right": "2" * 64}
QUESTION = {"model": "judge", "prompt_version": "1", "seed": 2**32 - 1}


def answer(first: int, second: int, text: str = "") -> dict[str, str]:
    words = json.dumps({"penalty_1": first, "penalty_2": second, "issues": text})
    return {"key": "k", "model": "as served", "text": words}


LOOPED = {"key": "k", "model": "as served", "text": "{   ", "finish_reason": "length"}


def evidence(first: list[dict[str, str]], second: list[dict[str, str]]) -> Evidence:
    fields = PICTURES | QUESTION | {"answers": [first[-1], second[-1]]}
    return Evidence.model_validate(fields | {"unusable": [first[:-1], second[:-1]]})


def test_the_first_attempt_is_named_as_it_was_before_there_were_others() -> None:
    """Answers kept in the store, and reports that name them, stay what they are."""
    question = {**QUESTION, "pictures": {"prompt": "0" * 64, "first": "1" * 64, "second": "2" * 64}}
    recorded = Evidence.model_validate(
        PICTURES | QUESTION | {"answers": [answer(1, 2), answer(2, 1)]}
    )
    assert recorded.keys()[0] == [answer_key(question)]
    assert answer_key(question) == answer_key(
        asked("judge", "1", 2**32 - 1, Digests("0" * 64, "1" * 64, "2" * 64))
    )


def test_a_later_attempt_is_named_by_its_own_seed_which_may_pass_32_bits_and_its_temperature() -> (
    None
):
    names = evidence([LOOPED] * 2 + [answer(1, 2)], [answer(2, 1)]).keys()
    pictures = {"prompt": "0" * 64, "first": "1" * 64, "second": "2" * 64}
    second = {**QUESTION, "seed": 2**32, "temperature": 0.1, "pictures": pictures}
    assert names[0][1] == answer_key(second)
    assert [len(order) for order in names] == [3, 1]


def test_the_answers_that_count_decide() -> None:
    assert duel_decision(evidence([LOOPED, answer(7, 2, "text")], [answer(2, 7)])) == Decision(
        Outcome.RIGHT,
        "text",
    )
    assert duel_decision(
        evidence([answer(1, 5, "text")], [LOOPED] * 4 + [answer(5, 1)])
    ) == Decision(
        Outcome.LEFT,
        "text",
    )


@pytest.mark.parametrize("other", [[answer(0, 10)], [LOOPED] * 5, [LOOPED, answer(0, 10)]])
def test_five_unusable_answers_in_either_order_are_a_draw(other: list[dict[str, str]]) -> None:
    for drawn in (evidence([LOOPED] * 5, other), evidence(other, [LOOPED] * 5)):
        assert duel_decision(drawn) == Decision(Outcome.DRAW, NO_USABLE_ANSWER)


def test_such_a_draw_says_nothing_of_the_judges_mind_of_orders() -> None:
    assert orders([evidence([LOOPED] * 5, [answer(0, 10)])]) is None


@given(st.lists(st.booleans(), max_size=ATTEMPTS + 1))
def test_attempts_end_with_the_first_that_can_be_used_or_the_fifth(usable: list[bool]) -> None:
    replies = [Reply("judge", answer(1, 2)["text"] if each else "hm") for each in usable]
    ended = usable[-1:] == [True] and not any(usable[:-1])
    exhausted = not any(usable) and len(usable) == ATTEMPTS
    if not ended and not exhausted:
        with pytest.raises(NotJudged):
            count_attempts(replies)
    else:
        attempts = count_attempts(replies)
        assert (attempts is not None) is ended


class Report(ObjectFile):
    """A file that holds evidence."""

    evidence: Evidence


@pytest.mark.parametrize(
    "words",
    ["\0\x1b[31m\x7f\u2028", "\u202egnp.exe", "\U0001f600 größer 花瓶", " \n\t\r ", '"\\u0000\\'],
)
def test_words_are_kept_to_the_letter(words: str) -> None:
    kept = Report(evidence=evidence([LOOPED, answer(1, 2) | {"text": words}], [answer(2, 1)]))
    again = Report.parse(kept.to_bytes(), "report.json")
    assert again.evidence.answers[0].text == words
    assert again == kept
