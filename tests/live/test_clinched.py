"""Matches that stop once nothing can change them, and close ones that are played three times, as
reports tell it.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.judgement import Answer, Question, Reply
from gen404_assets.competition.margins import seed_again
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.round import report_path
from gen404_assets.competition.settings import Rules
from gen404_assets.live.judging import judge_matches
from gen404_assets.replay.result import FileReplay
from gen404_assets.replay.rounds import replay_round
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, now, work

FINE = MINERS[0]
PATH = report_path(0, (LEADER, FINE))
PROMPTS = 12


def judged(scores: Callable[[int, int], int], **config: object) -> SimulatedOutside:
    """A match; `scores` gives what the challenger gets of a prompt (-1, 0, 1) by its place and the
    question's seed.
    """
    outside = dueling([FINE], prompts_per_round=PROMPTS, **config)
    stems, canary = now(outside).stems, outside.judging.ask

    def ask(question: Question) -> Answer:
        if "/canaries/" in question.first:
            return canary(question)
        outside.judging.asked.append(question)
        score = scores(stems.index(stem(question.prompt)), question.seed)
        sides = [
            5 - 2 * score if f"/{FINE}/" in url else 5 for url in (question.first, question.second)
        ]
        text = json.dumps({"penalty_1": sides[0], "penalty_2": sides[1], "issues": ""})
        return Reply("simulated", text).answer()

    outside.judging.ask = ask  # type: ignore[method-assign]
    return outside


def play(outside: SimulatedOutside, *, clinch: bool = False, at_once: int = 1) -> dict[str, Any]:
    """The report of the match."""
    outside.rules = Rules(clinch_matches=clinch)
    outside.environment = {**outside.environment, "MAX_CONCURRENT_DUELS": f"{at_once}"}
    judge_matches(work(outside))
    return dict(json.loads(outside.repository.head.files[PATH]))


def replayed(outside: SimulatedOutside) -> FileReplay:
    replay = replay_round(outside.repository.history(), 0, Rules(), assets=[Asset.DUELS])
    return next(file for file in replay.files if file.path == PATH)


def tampered(outside: SimulatedOutside, change: Callable[[dict[str, Any]], object]) -> set[str]:
    """What the replay finds after somebody changed the report."""
    report = json.loads(outside.repository.head.files[PATH])
    change(report)
    outside.repository.commit({PATH: json.dumps(report, indent=2).encode()}, "By hand")
    return {difference.entry for difference in replayed(outside).differences}


# --- clinched


def test_a_lost_match_stops_when_nothing_can_save_it_and_says_what_was_still_possible() -> None:
    def loses(_place: int, _seed: int) -> int:
        time.sleep(0.4)  # long enough to be told to stop before the one after next
        return -1

    outside = judged(loses)
    report = play(outside, clinch=True)
    # 12 prompts at a margin of 0.05 are won by a score of 1; flips turn one answer of 24 now and
    # then, not two.
    assert report["clinched"] == {"played": 7, "prompts": PROMPTS, "least": -12, "most": -2}
    assert (report["score"], report["margin"]) == (-2, -2 / 12)
    assert [duel["name"] for duel in report["duels"]] == sorted(now(outside).stems[:7])
    assert len(outside.judging.asked) <= 2 * 8
    assert [match.margin for match in now(outside).matrix.matches] == [-2 / 12]
    assert replayed(outside).finding == "identical"


def test_a_match_that_is_won_beyond_critical_prompts_stops_and_asks_for_its_audit_with_none() -> (
    None
):
    outside = judged(lambda _place, _seed: 1)
    report = play(outside, clinch=True)
    assert report["clinched"] == {"played": 7, "prompts": PROMPTS, "least": 2, "most": 12}
    assert report["margin"] == 2 / 12
    assert [
        (request.hotkey, request.critical_prompts) for request in now(outside).requests.root
    ] == [(FINE, [])]
    assert replayed(outside).finding == "identical"


def test_a_match_is_played_whole_where_it_stays_open_or_nobody_set_it_to_stop() -> None:
    open_to_the_end = judged(lambda place, _seed: (1, -1)[place % 2])
    assert "clinched" not in play(open_to_the_end, clinch=True)
    assert "clinched" not in play(judged(lambda _place, _seed: -1))


@pytest.mark.parametrize("at_once", [2, 7, 16])
def test_g15_what_a_clinched_report_holds_depends_on_the_answers_alone(at_once: int) -> None:
    def scores(place: int, _seed: int) -> int:
        return (-1, -1, 0, 1)[place % 4]

    one = play(judged(scores), clinch=True)
    assert play(judged(scores), clinch=True, at_once=at_once) == one


@pytest.mark.parametrize(
    ("change", "entry"),
    [
        (lambda report: report["duels"].pop(), "clinched"),
        (lambda report: report["duels"].pop(), "no duel"),
        (lambda report: report["clinched"].update(most=-3), "clinched.most"),
        (lambda report: report.update(score=-12), "score"),
        (lambda report: report.update(score=-12, margin=-1.0), "margin"),
        (lambda report: report.pop("clinched"), "score"),
    ],
)
def test_a_proof_that_does_not_hold_is_found(
    change: Callable[[dict[str, Any]], object], entry: str
) -> None:
    outside = judged(lambda _place, _seed: -1)
    play(outside, clinch=True)
    entries = tampered(outside, change)
    assert entry in entries or (entry == "no duel" and entries & set(now(outside).stems))


# --- close


def by_play(outside_seed: int, *scores: int) -> Callable[[int, int], int]:
    """The challenger wins that many prompts, by play: negative are the leader's."""
    seeds = [outside_seed, seed_again(outside_seed, 1), seed_again(outside_seed, 2)]

    def score(place: int, seed: int) -> int:
        wanted = scores[seeds.index(seed)]
        return 0 if place >= abs(wanted) else 1 if wanted > 0 else -1

    return score


SEED = (now(dueling([FINE], prompts_per_round=PROMPTS)).seed or pytest.fail()).seed


@pytest.mark.parametrize(
    ("scores", "counts"), [((1, 0, 0), 0), ((1, 3, 2), 2), ((0, 2, 5), 2), ((1, -2, 4), 1)]
)
def test_a_close_match_is_played_three_times_and_the_middle_margin_counts(
    scores: tuple[int, ...], counts: int
) -> None:
    outside = judged(by_play(SEED, *scores), close_matches="best_of_3")
    report = play(outside)
    assert report["score"] == counts
    assert sorted([report["score"], *(other["score"] for other in report["others"])]) == sorted(
        scores
    )
    assert [match.margin for match in now(outside).matrix.matches] == [counts / PROMPTS]
    assert bool(now(outside).requests.root) == (counts >= 1)
    assert replayed(outside).finding == "identical"


def test_a_match_that_is_not_close_or_whose_competition_has_no_such_rule_is_played_once() -> None:
    assert "others" not in play(judged(by_play(SEED, 2, 9, 9), close_matches="best_of_3"))
    assert "others" not in play(judged(by_play(SEED, 1, 9, 9)))


def swap(report: dict[str, Any]) -> None:
    """Pass another play off as the one that counts."""
    keys = ("score", "margin", "duels")
    other = report["others"][0]
    for key in keys:
        report[key], other[key] = other[key], report[key]


@pytest.mark.parametrize(
    ("change", "entry"),
    [
        (swap, "score"),
        (lambda report: report["others"].pop(), "others"),
        (lambda report: report["others"][1].update(margin=0.5), "others[1].margin"),
        (
            lambda report: report["others"][0]["duels"][0].update(winner="left"),
            "others[0].duels[0].winner",
        ),
    ],
)
def test_g04_no_play_can_be_left_out_or_passed_off_as_the_one_that_counts(
    change: Callable[[dict[str, Any]], object], entry: str
) -> None:
    outside = judged(by_play(SEED, 1, 2, 3), close_matches="best_of_3")
    play(outside)
    assert entry in tampered(outside, change)


def test_g04_the_plays_before_the_one_that_is_shown_are_missed() -> None:
    outside = judged(by_play(SEED, 1, 2, 3), close_matches="best_of_3")
    play(outside)
    assert tampered(outside, lambda report: report.pop("others"))


def test_g04_a_match_played_again_without_cause_is_found() -> None:
    outside = judged(by_play(SEED, 1, 2, 3), close_matches="best_of_3")
    play(outside)
    config = json.loads(outside.repository.head.files["config.json"])
    del config["close_matches"]
    outside.repository.commit({"config.json": json.dumps(config).encode()}, "By hand")
    assert "others" in tampered(outside, lambda report: report.update(seen_by="me"))
