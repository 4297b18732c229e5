"""Duels: what the judge's answers mean, and what the rules decide without it."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.duels import (
    Decision,
    Duel,
    Outcome,
    duel_entry,
    forced_decision,
    judged_outcome,
    margin_without_report,
    overtime,
    report_name,
    report_of,
)
from gen404_assets.competition.judgement import Answer, NotJudged, Reply
from gen404_assets.competition.outputs import NO_URLS, Output, Outputs
from gen404_assets.competition.settings import Rules
from simulators.examples import RULES, output
from simulators.plays import make_play

PROMPTS = [f"https://pool.example/p{number:02}.jpg" for number in range(60)]


def answer(first: int, second: int) -> Answer:
    return Answer(first, second, "text", model="judge", raw="")


@pytest.mark.parametrize(
    ("first", "swapped", "outcome"),
    [
        ((2, 5), (5, 2), "left"),  # left 2, right 5
        ((5, 2), (2, 5), "right"),
        ((3, 4), (4, 3), "draw"),  # a difference of exactly 1
        ((3, 5), (4, 4), "draw"),  # left (3 + 4) / 2, right (5 + 4) / 2
        ((3, 5), (4, 3), "left"),  # left 3, right 4.5
        ((0, 10), (0, 10), "draw"),  # the judge prefers whatever comes first
        ((10, 0), (0, 0), "right"),  # left 5, right 0
        ((0, 0), (3, 0), "left"),  # left 0, right 1.5
        ((0, 0), (2, 0), "draw"),  # left 0, right 1
        ((0, 0), (0, 3), "right"),
    ],
)
def test_a_sides_penalty_is_its_mean_over_both_answers_and_a_difference_up_to_one_is_a_draw(
    first: tuple[int, int], swapped: tuple[int, int], outcome: str
) -> None:
    assert judged_outcome(answer(*first), answer(*swapped)).value == outcome


@settings(max_examples=100)
@given(st.tuples(*[st.integers(0, 10)] * 4))
def test_a_duel_with_the_sides_exchanged_ends_the_other_way_round(
    penalties: tuple[int, int, int, int],
) -> None:
    one, two = answer(*penalties[:2]), answer(*penalties[2:])
    other = {Outcome.LEFT: Outcome.RIGHT, Outcome.RIGHT: Outcome.LEFT, Outcome.DRAW: Outcome.DRAW}
    assert judged_outcome(two, one) is other[judged_outcome(one, two)]


@pytest.mark.parametrize(
    "nonsense",
    [
        *(
            '{"penalty_1": 11, "penalty_2": 0, "issues": ""}',
            '{"penalty_1": -1, "penalty_2": 0, "issues": ""}',
        ),
        *(
            '{"penalty_1": NaN, "penalty_2": 0, "issues": ""}',
            '{"penalty_1": 1.5, "penalty_2": 0, "issues": ""}',
        ),
        *(
            '{"penalty_1": "x", "penalty_2": 0, "issues": ""}',
            '{"penalty_1": true, "penalty_2": 0, "issues": ""}',
        ),
        *(
            '{"penalty_1": 1, "issues": ""}',
            '{"penalty_1": null, "penalty_2": 1}',
            "[]",
            "",
            "draw",
        ),
    ],
)
def test_g01_a_nonsensical_answer_is_no_answer(nonsense: str) -> None:
    with pytest.raises(NotJudged):
        Reply("judge", nonsense).answer()


SIDES = {
    "no entry": (None, False),
    "no preview": (output(png=False), False),
    "no preview, late": (output(500, png=False), True),
    "late": (output(500), True),
    "late, forgiven": (output(500), False),
    "in time": (output(), False),
    "preview alone": (output(glb=False), False),
}
STRENGTH = {"late": 1, "late, forgiven": 2, "in time": 2, "preview alone": 2}


@pytest.mark.parametrize(("left", "right"), [*product(SIDES, SIDES)])
def test_a_side_without_preview_loses_then_a_late_one_and_the_judge_decides_between_two_in_time(
    left: str, right: str
) -> None:
    (one, one_late), (two, two_late) = SIDES[left], SIDES[right]
    forced = forced_decision("p", one, two, defender_late=one_late, challenger_late=two_late)
    strengths = STRENGTH.get(left, 0), STRENGTH.get(right, 0)
    if strengths == (2, 2):
        assert forced is None
        return
    assert forced is not None
    difference = strengths[1] - strengths[0]
    winner = "draw" if difference == 0 else "right" if difference > 0 else "left"
    assert forced.outcome == winner
    assert "p" in forced.issues.split()


def slow(*numbers: int, time: float = 180.5) -> Outputs:
    """Outputs for all `PROMPTS`, in reverse order, with those of `numbers` over time."""
    return Outputs(
        {
            f"p{number:02}": output(time if number in numbers else 180.0)
            for number in reversed(range(60))
        }
    )


@pytest.mark.parametrize(
    ("numbers", "lose"),
    [
        ([], set()),
        ([5, 40], set()),
        ([5, 40, 59], set()),  # int(60 * 0.05) == 3 are forgiven
        ([5, 40, 41, 59], {"p59"}),
        ([0, 1, 2, 3, 4], {"p03", "p04"}),
    ],
)
def test_the_first_late_prompts_in_prompt_order_are_forgiven(
    numbers: list[int], lose: set[str]
) -> None:
    assert overtime(slow(*numbers), PROMPTS, RULES) == lose


def test_forgiveness_follows_the_order_of_prompts_not_of_names_or_files() -> None:
    turned = PROMPTS[::-1]
    assert overtime(slow(0, 1, 2, 3, 4), turned, RULES) == {"p00", "p01"}


@pytest.mark.parametrize(
    ("prompts", "forgiven"), [(0, 0), (1, 0), (19, 0), (20, 1), (39, 1), (40, 2), (59, 2), (60, 3)]
)
def test_five_percent_rounded_down_are_forgiven(prompts: int, forgiven: int) -> None:
    assert len(overtime(slow(*range(60)), PROMPTS[:prompts], RULES)) == prompts - forgiven


def test_the_limit_and_the_tolerance_are_settings_and_what_is_missing_is_not_late() -> None:
    rules = Rules(max_generation_time=10.0, overtime_tolerance_ratio=0.5)
    outputs = Outputs(
        {"p00": output(10.0), "p01": output(10.1), "p02": output(11.0), "elsewhere": output(99.0)}
    )
    assert overtime(outputs, PROMPTS[:3], rules) == {"p02"}
    assert overtime(Outputs({}), PROMPTS, rules) == frozenset()


@pytest.mark.parametrize(
    ("left", "right", "margin"),
    [(True, True, None), (False, False, 0.0), (False, True, 100.0), (True, False, -100.0)],
)
def test_a_side_without_any_output_loses_by_a_hundred(
    left: bool, right: bool, margin: float | None
) -> None:
    assert margin_without_report(left, right) == margin


def duel(name: str, winner: str) -> Duel:
    prompt = f"https://pool.example/{name}.jpg"
    return Duel.model_validate(
        duel_entry(prompt, output().urls, NO_URLS, Decision(Outcome(winner), "text"), "glb")
    )


def test_a_report_orders_its_duels_by_name_and_reckons_the_margin_over_all_prompts() -> None:
    duels = [
        duel("c", "right"),
        duel("a", "left"),
        duel("d", "draw"),
        duel("b", "right"),
        duel("e", "skipped"),
    ]
    report = report_of("leader", "5challenger", [make_play(duels, 5)])
    assert [entry.name for entry in report.duels] == ["a", "b", "c", "d", "e"]
    assert (report.left, report.right, report.score, report.margin) == (
        "leader",
        "5challenger",
        1,
        0.2,
    )
    assert make_play(duels[1:2], 8).margin == -0.125
    assert report_name("5Defender9xyz") == "duels_5Defender9.json"


@pytest.mark.parametrize("output_format", ["glb", "ply"])
def test_a_duel_names_both_sides_files_under_the_format_of_the_competition(
    output_format: str,
) -> None:
    made = Output(
        **{output_format: "url"}, png=None, generation_time=0, size=1, attempts=1, distance=0
    )
    entry = duel_entry(
        "https://pool.example/chair.jpg",
        NO_URLS,
        made.urls,
        Decision(Outcome.DRAW, "text"),
        output_format,
    )
    assert list(entry.items()) == [
        ("name", "chair"),
        ("prompt", "https://pool.example/chair.jpg"),
        (f"left_{output_format}", None),
        ("left_png", None),
        (f"right_{output_format}", "url"),
        ("right_png", None),
        ("winner", "draw"),
        ("issues", "text"),
    ]
