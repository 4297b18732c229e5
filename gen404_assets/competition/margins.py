"""Clinched and close matches (`rules.md`): when a match may stop, when the judge asked again could
turn it, and which play counts then.

Scores are the challenger's (right): its duels won minus the defender's. margin = score / prompts.
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
"""Probability from which on a match is close (`rules.md`, Close matches)."""
BEST_OF_3 = "best_of_3"

T = TypeVar("T")


def score_needed(prompts: int, win_margin: float) -> int:
    """The least score whose margin reaches `win_margin`."""
    # Only a beginning: the product may be off by rounding, and the rule compares the quotient.
    score = int(win_margin * prompts)
    while score / prompts >= win_margin:
        score -= 1
    while score / prompts < win_margin:
        score += 1
    return score


@lru_cache(maxsize=4096)
def is_close(score: int, judged: int, prompts: int, win_margin: float) -> bool:
    """Whether the judge, asked again, could turn the match with a probability of 1 % or more
    (`rules.md`, Close matches).

    Each judged duel has two answers, which change independently of each other at the measured rate.
    Each change is taken to move the score by one towards the other verdict. That is the worst case,
    so a match that is not close is at least as safe as this says.
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

    `rules.md`, Clinched matches: it may stop once it is lost whatever the open duels are, or won by
    so much that no prompt is critical (`win_margin` + `MAX_MISMATCHED_MARGIN`), and not
    close in either case. The exact margin is unknown then. The recorded one is the possible margin
    nearest to the other verdict: the highest of a lost match, the lowest of a won one. Every
    question that the rules ask of a margin (`>= win_margin`, `>= win_margin +
    MAX_MISMATCHED_MARGIN`, close or not) has the same answer for it as for all possible ones.
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
    """The number of the play that counts: the one with the middle score, equal ones in the order
    played (`rules.md`, Close matches).
    """
    return sorted(range(len(scores)), key=lambda number: (scores[number], number))[len(scores) // 2]
