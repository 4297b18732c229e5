"""What the margin of a match decides: when it can't change any more, when the judge's mood could,
and what counts then.

Scores are those of the challenger (right): its wins minus the defender's, in duels; margin = score
/ prompts.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from math import comb
from typing import TypeVar

FLIPS = 0.005
"""The share of answers that differ when the judge is asked again, as measured (`guarantees.md`,
4).
"""
RISK = 0.01
BEST_OF_3 = "best_of_3"

T = TypeVar("T")


def score_needed(prompts: int, win_margin: float) -> int:
    """The least score whose margin reaches `win_margin`."""
    score = int(win_margin * prompts)
    while score / prompts >= win_margin:
        score -= 1
    while score / prompts < win_margin:
        score += 1
    return score


@lru_cache(maxsize=4096)
def is_close(score: int, judged: int, prompts: int, win_margin: float) -> bool:
    """Whether the judge, asked again, could turn the verdict with a probability of 1 % or more.

    Two answers a judged duel flip independently of each other at the measured rate. A flip is taken
    to move the score by one, and towards the other verdict: so a match not called close is safe by
    more than is said.
    """
    needed = score_needed(prompts, win_margin)
    flips = score - needed + 1 if score >= needed else needed - score
    answers = 2 * judged
    fewer = sum(
        comb(answers, count) * FLIPS**count * (1 - FLIPS) ** (answers - count)
        for count in range(min(flips, answers + 1))
    )
    return 1 - fewer >= RISK


def clinched_score(
    score: int,
    open_duels: int,
    judged: int,
    prompts: int,
    win_margin: float,
    mismatched_margin: float,
) -> int | None:
    """The score that a match is recorded with which may stop before its `open_duels` are played;
    None if it may not.

    `judged`: the duels that are the judge's to decide, played or not; `win_margin`: the margin to
    win by; `mismatched_margin`: the rules' `max_mismatched_margin`.

    It may stop once whatever comes leaves it lost, or won by so much that no prompt is critical
    (`win_margin` + `MAX_MISMATCHED_MARGIN`), and not close either way. Its exact margin stays open,
    so the bound is recorded that is nearest to the other verdict: at best for the challenger of a
    lost match, at worst for that of a won one. All that a margin is asked for (`>= win_margin`, `>=
    win_margin + MAX_MISMATCHED_MARGIN`, close or not) has the same answer for the bound as for
    every margin that could have come out.
    """
    least, most = score - open_duels, score + open_duels
    if most / prompts < win_margin and not is_close(most, judged, prompts, win_margin):
        return most
    safely_won = least / prompts >= win_margin + mismatched_margin
    if safely_won and not is_close(least, judged, prompts, win_margin):
        return least
    return None


def seed_again(seed: int, number: int) -> int:
    """The seed with which a close match is played again, for the first or second time: 32 bits,
    like the round's.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:again:{number}".encode()).digest()[:4], "big")


def middle(scores: Sequence[int]) -> int:
    """Which of three plays of a match counts: that with the middle score; equal ones in the order
    played.
    """
    return sorted(range(len(scores)), key=lambda number: (scores[number], number))[len(scores) // 2]
