"""How matches are put to the judge: many questions at once, those that begin alike beside each
other.
"""

import random
import threading
import time
from itertools import pairwise

import pytest

from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.judgement import Answer, Question
from gen404_assets.competition.match_under_play import MatchUnderPlay, PlayUnderWay, Sides
from gen404_assets.competition.settings import Rules
from gen404_assets.live.judging import judge_matches
from gen404_assets.live.playing import JudgedPlay, in_order
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, now, work

CHALLENGERS = MINERS[:4]


@pytest.fixture
def outside() -> SimulatedOutside:
    return dueling(CHALLENGERS, prompts_per_round=12)


def slow(outside: SimulatedOutside, seed: int) -> list[int]:
    """The judge takes some time for an answer, now more, now less; how many questions it had before
    it, each time.
    """
    ask, asking, seen, rng = outside.judging.ask, [0], list[int](), random.Random(seed)
    lock = threading.Lock()

    def slowly(question: Question) -> Answer:
        with lock:
            asking[0] += 1
            seen.append(asking[0])
            delay = rng.uniform(0.001, 0.02)
        time.sleep(delay)
        answer = ask(question)
        with lock:
            asking[0] -= 1
        return answer

    outside.judging.ask = slowly  # type: ignore[method-assign]
    return seen


def test_of_questions_beside_each_other_most_share_the_prompt_and_the_first_picture(
    outside: SimulatedOutside,
) -> None:
    current = now(outside)
    matches = [
        MatchUnderPlay(pair, current, Sides.of_round(current, pair), Rules())
        for pair in [(LEADER, hotkey) for hotkey in CHALLENGERS]
    ]
    plays = [JudgedPlay(PlayUnderWay(match, 1), outside.judge, str) for match in matches]
    asked = [play.question(prompt, swapped=swapped) for play, prompt, swapped in in_order(plays)]
    assert len(asked) == len(set(asked)) == 2 * 12 * 4
    assert sum(one.prompt != other.prompt for one, other in pairwise(asked)) == 11
    alike = sum(
        (one.prompt, one.first) == (other.prompt, other.first) for one, other in pairwise(asked)
    )
    assert alike == 12 * 3, (
        "the leader's picture of a prompt is shown first to all challengers in a row"
    )


def test_the_judge_is_kept_busy_with_two_questions_for_each_duel_that_may_be_under_way(
    outside: SimulatedOutside,
) -> None:
    outside.environment = {**outside.environment, "MAX_CONCURRENT_DUELS": "3"}
    seen = slow(outside, 0)
    judge_matches(work(outside))
    assert max(seen) == 6
    assert sum(count >= 5 for count in seen) > 0.7 * len(seen)


@pytest.mark.parametrize("clinch", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_g08_no_file_depends_on_the_order_in_which_answers_come(seed: int, *, clinch: bool) -> None:
    ended = []
    for delays in (None, seed):
        outside = dueling(CHALLENGERS, prompts_per_round=12)
        outside.rules = Rules(clinch_matches=clinch)
        if delays is not None:
            slow(outside, delays)
        judge_matches(work(outside))
        ended.append(outside.repository.head.files)
    assert ended[0] == ended[1]
