"""What a margin decides: verdicts that can't change any more, verdicts that the judge's mood could
change.
"""

from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.audits import critical_prompts
from gen404_assets.competition.duels import (
    Duel,
    MatchReport,
    Outcome,
    match_score,
    report_of,
)
from gen404_assets.competition.evidence import Evidence, StoredReply, orders
from gen404_assets.competition.margins import (
    clinched_score,
    is_close,
    middle,
    score_needed,
    seed_again,
)
from simulators.examples import RULES
from simulators.plays import make_play

MISMATCHED = RULES.max_mismatched_margin

OUTCOMES = st.sampled_from([Outcome.LEFT, Outcome.DRAW, Outcome.RIGHT])


def duel(number: int, winner: Outcome) -> Duel:
    name = f"p{number:03}"
    return Duel(
        name=name, prompt=f"{name}.png", left_png="l", right_png="r", winner=winner, issues=""
    )


@given(st.integers(1, 300), st.floats(0, 1))
def test_the_score_needed_is_the_least_whose_margin_is_enough(
    prompts: int, win_margin: float
) -> None:
    score = score_needed(prompts, win_margin)
    assert score / prompts >= win_margin > (score - 1) / prompts


def test_a_verdict_is_close_when_flips_of_one_answer_in_two_hundred_turn_it_in_one_of_a_hundred_matches() -> (  # noqa: E501
    None
):
    # 128 judged duels are 256 answers; 5 flips or more happen with a probability of 1.0 %, 6 with
    # 0.2 %.
    chance = {
        flips: 1 - sum(comb(256, n) * 0.005**n * 0.995 ** (256 - n) for n in range(flips))
        for flips in range(4, 7)
    }
    assert chance[4] > 0.01 > chance[6]
    needed = score_needed(128, 0.05)
    assert needed == 7
    reach = max(flips for flips, risk in chance.items() if risk >= 0.01)
    close = [score for score in range(-128, 129) if is_close(score, 128, 128, 0.05)]
    assert close == list(range(needed - reach, needed + reach))


def test_a_match_in_which_the_judge_had_nothing_to_say_is_never_close() -> None:
    assert not any(is_close(score, 0, 128, 0.05) for score in range(-128, 129))


@settings(max_examples=300)
@given(
    st.lists(OUTCOMES, min_size=1, max_size=128), st.sampled_from([0.0, 0.03, 0.05, 0.1]), st.data()
)
def test_a_clinched_match_has_the_verdict_critical_prompts_and_certainty_that_it_would_have_had_in_the_end(  # noqa: E501
    outcomes: list[Outcome], win_margin: float, data: st.DataObject
) -> None:
    prompts = len(outcomes)
    judged = data.draw(st.integers(0, prompts))
    full = report_of(
        "l", "r", [make_play([duel(n, won) for n, won in enumerate(outcomes)], prompts)]
    )
    for played in range(prompts):
        score = match_score(outcomes[:played])
        stopped = clinched_score(score, prompts - played, judged, prompts, win_margin, MISMATCHED)
        if stopped is not None:
            duels = [duel(n, won) for n, won in enumerate(outcomes[:played])]
            report = report_of("l", "r", [make_play(duels, prompts, stopped)])
            assert (report.margin >= win_margin) == (full.margin >= win_margin)
            if full.margin >= win_margin:
                assert _critical(report, win_margin) == _critical(full, win_margin) == []
            assert not is_close(full.score, judged, prompts, win_margin)
            assert report.clinched is not None
            assert report.clinched.least <= full.score <= report.clinched.most


def _critical(report: MatchReport, win_margin: float) -> list[str]:
    return critical_prompts(report, 1, win_margin, RULES)


def test_a_match_stops_once_it_is_lost_or_won_beyond_doubt_and_not_before() -> None:
    lost = [
        clinched_score(-played, 128 - played, 128, 128, 0.05, MISMATCHED) for played in range(128)
    ]
    first = next(played for played, score in enumerate(lost) if score is not None)
    assert all(score is not None for score in lost[first:])
    assert lost[first] == 128 - 2 * first
    assert is_close(128 - 2 * (first - 1), 128, 128, 0.05)
    won = [
        clinched_score(played, 128 - played, 128, 128, 0.05, MISMATCHED) for played in range(128)
    ]
    first = next(played for played, score in enumerate(won) if score is not None)
    assert (2 * first - 128) / 128 >= 0.1
    assert (2 * (first - 1) - 128) / 128 < 0.1


@pytest.mark.parametrize(
    ("scores", "counts"),
    [([1, 2, 3], 1), ([3, 1, 2], 2), ([2, 2, 5], 1), ([5, 2, 2], 2), ([4, 4, 4], 1), ([7], 0)],
)
def test_of_three_plays_the_middle_score_counts(scores: list[int], counts: int) -> None:
    assert middle(scores) == counts


def test_a_match_played_again_has_seeds_that_anyone_can_derive() -> None:
    seeds = {seed_again(seed, number) for seed in (0, 1, 2**32 - 1) for number in (1, 2)}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**32 for seed in seeds)


def evidence(first: tuple[int, int], swapped: tuple[int, int]) -> Evidence:
    texts = [
        f'{{"penalty_1": {one}, "penalty_2": {two}, "issues": ""}}' for one, two in (first, swapped)
    ]
    replies = [StoredReply(key="k", model="m", text=text) for text in texts]
    return Evidence(
        prompt="0" * 64,
        left="1" * 64,
        right="2" * 64,
        model="m",
        prompt_version="1",
        seed=1,
        answers=replies,
    )


def test_position_bias_and_the_agreement_of_both_orders_tell_whether_the_judge_minds_what_it_sees_first() -> (  # noqa: E501
    None
):
    fair = orders([evidence((2, 7), (7, 2)), evidence((4, 4), (4, 4))])
    assert fair is not None
    assert (fair.duels, fair.bias, fair.agreement) == (2, 0.0, 1.0)
    partial = orders([evidence((2, 7), (2, 7)), evidence((3, 3), (2, 4))])
    assert partial is not None
    assert (partial.bias, partial.agreement) == (-3.0, 0.0)
    assert orders([]) is None
