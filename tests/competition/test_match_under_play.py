"""A match as the rules see it: what needs no judge, and plays that end the same way whatever order
the judge's answers come in.
"""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.competition.duels import Outcome, Play
from gen404_assets.competition.evidence import DuelQuestion, Evidence
from gen404_assets.competition.judgement import ATTEMPTS, NotJudged, Reply
from gen404_assets.competition.margins import seed_again
from gen404_assets.competition.match_under_play import MatchUnderPlay, PlayUnderWay, Sides
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import prompts_bytes, stem
from gen404_assets.competition.round import CONFIG, Round
from gen404_assets.competition.seed import Seed
from gen404_assets.competition.settings import Rules
from resources.git_history import NO_COMMIT
from simulators.memory_repository import MemorySnapshot

PAIR = ("5Defender", "5Challenger")
SEED = 404
RULES = Rules()
CONFIGURATION = {
    "name": "test",
    "description": "",
    "first_evaluation_date": "2026-01-05",
    "last_competition_date": "2026-12-31",
    "generation_stage_minutes": 120,
    "win_margin": 0.05,
    "weight_decay": 0.1,
    "weight_floor": 0.1,
    "prompts_per_round": 8,
    "carryover_prompts": 0,
    "round_duration_days": 7,
    "output_format": "glb",
}


def prompts_named(count: int) -> list[str]:
    return [f"https://prompts.example/p{number:02}.png" for number in range(count)]


def outputs(prompts: Sequence[str], side: str, without: Sequence[int] = ()) -> Outputs:
    """A side's output for each prompt; those whose numbers are in `without` have no file."""
    entries = {}
    for number, prompt in enumerate(prompts):
        url = None if number in without else f"https://objects.example/{side}/{stem(prompt)}"
        entries[stem(prompt)] = {
            "glb": url and f"{url}.glb",
            "png": url and f"{url}.png",
            "generation_time": 20.0,
            "size": 10,
            "attempts": 1,
            "distance": 0.0,
        }
    return Outputs.parse(json.dumps(entries).encode(), "outputs.json")


def round_of(
    prompts: Sequence[str], *, seed: int | None = SEED, missing: Sequence[str] = (), **config: Any
) -> Round:
    files = {
        CONFIG: json.dumps(CONFIGURATION | config).encode(),
        "rounds/0/prompts.txt": prompts_bytes(list(prompts)),
    }
    if seed is not None:
        named = Seed(seed=seed).naming(list(missing))
        files["rounds/0/seed.json"] = named.to_bytes()
    return Round(MemorySnapshot(NO_COMMIT, files), 0)


def match_over(
    count: int,
    rules: Rules = RULES,
    *,
    defender_lacks: Sequence[int] = (),
    challenger_lacks: Sequence[int] = (),
    **changes: Any,
) -> MatchUnderPlay:
    """A match over so many prompts; each side lacks the outputs of the prompts named by number."""
    prompts = prompts_named(count)
    sides = Sides(
        outputs(prompts, "defender", defender_lacks),
        outputs(prompts, "challenger", challenger_lacks),
    )
    return MatchUnderPlay(PAIR, round_of(prompts, **changes), sides, rules)


def reply(penalty_1: int, penalty_2: int) -> Reply:
    text = json.dumps({"penalty_1": penalty_1, "penalty_2": penalty_2, "issues": "colours"})
    return Reply("as served", text)


def question(prompt: str = "") -> DuelQuestion:
    return DuelQuestion("0" * 64, "1" * 64, "2" * 64, f"judge {prompt}".strip(), "1", SEED)


def evidence(prompt: str, winner: Outcome) -> Evidence:
    """What a judge says that finds this side better, whichever it is shown first."""
    left, right = {Outcome.LEFT: (1, 8), Outcome.RIGHT: (8, 1), Outcome.DRAW: (3, 3)}[winner]
    return question(stem(prompt)).evidence([reply(left, right)], [reply(right, left)])


def played(match: MatchUnderPlay, winners: Sequence[Outcome], order: Sequence[int]) -> Play:
    """The play after evidence of each prompt's winner came in this order; what comes after its end
    is thrown away, as in live work.
    """
    play = PlayUnderWay(match, SEED)
    for number in order:
        if play.over:
            break
        prompt = match.prompts[number]
        if prompt in play.open:
            play.take(prompt, evidence(prompt, winners[number]))
    assert play.over
    return play.result()


# --- the match


def test_sides_whose_files_are_missing_have_no_outputs() -> None:
    sides = Sides.of_round(round_of(prompts_named(1)), PAIR)
    assert sides.outputs("p00") == (None, None)


def test_where_one_side_has_an_output_the_rules_decide_and_else_the_judge() -> None:
    match = match_over(4, defender_lacks=[0], challenger_lacks=[1])
    assert {name: decided and decided[0] for name, decided in match.forced.items()} == {
        "p00": Outcome.RIGHT,
        "p01": Outcome.LEFT,
        "p02": None,
        "p03": None,
    }
    assert match.judged == 2


def test_a_prompt_whose_picture_is_missing_is_skipped() -> None:
    match = match_over(3, missing=["p01"])
    decided = match.forced["p01"]
    assert decided is not None
    assert decided[0] is Outcome.SKIPPED
    assert match.judged == 2


@pytest.mark.parametrize(
    ("defender_lacks", "challenger_lacks", "margin"),
    [([0, 1], [], 100.0), ([], [0, 1], -100.0), ([], [], None), ([0], [1], None)],
)
def test_a_side_without_any_output_loses_without_a_report(
    defender_lacks: list[int], challenger_lacks: list[int], margin: float | None
) -> None:
    match = match_over(2, defender_lacks=defender_lacks, challenger_lacks=challenger_lacks)
    assert match.margin_without_report == margin


def test_the_seeds_of_further_plays_follow_from_the_rounds() -> None:
    assert match_over(1).seeds == (SEED, seed_again(SEED, 1), seed_again(SEED, 2))
    assert match_over(1, seed=None).seeds == ()


def test_only_a_close_match_is_played_again_and_only_where_the_competition_says_so() -> None:
    # 0.05 of 100 prompts is a score of 5; one answer that flips could turn 5 into 4.
    best_of_3 = match_over(100, close_matches="best_of_3")
    assert best_of_3.is_played_again(5)
    assert not best_of_3.is_played_again(60)
    assert not match_over(100).is_played_again(5)


def test_a_duel_holds_both_sides_in_the_competitions_format_or_another() -> None:
    match = match_over(1)
    duel = match.duel(match.prompts[0], (Outcome.LEFT, "colours"))
    assert duel == {
        "name": "p00",
        "prompt": "https://prompts.example/p00.png",
        "left_glb": "https://objects.example/defender/p00.glb",
        "left_png": "https://objects.example/defender/p00.png",
        "right_glb": "https://objects.example/challenger/p00.glb",
        "right_png": "https://objects.example/challenger/p00.png",
        "winner": "left",
        "issues": "colours",
    }
    other = match.duel(match.prompts[0], (Outcome.LEFT, ""), output_format="ply")
    assert set(duel) ^ set(other) == {"left_glb", "right_glb", "left_ply", "right_ply"}


# --- a play


def test_a_play_that_the_rules_decide_alone_is_over_at_once() -> None:
    match = match_over(3, defender_lacks=[0, 1], challenger_lacks=[2])
    play = PlayUnderWay(match, SEED)
    assert play.over
    assert (play.result().score, play.result().clinched) == (1, None)


def test_the_judge_is_shown_both_sides_previews() -> None:
    match = match_over(1)
    assert PlayUnderWay(match, SEED).pictures(match.prompts[0]) == (
        "https://objects.example/defender/p00.png",
        "https://objects.example/challenger/p00.png",
    )


def test_evidence_that_comes_early_counts_when_its_turn_comes() -> None:
    match = match_over(3)
    play = PlayUnderWay(match, SEED)
    play.take(match.prompts[1], evidence(match.prompts[1], Outcome.RIGHT))
    assert play.open == match.prompts, "the first prompt's evidence hasn't come"
    play.take(match.prompts[0], evidence(match.prompts[0], Outcome.RIGHT))
    assert play.open == match.prompts[2:]


def test_a_play_ends_with_the_duel_that_clinches_it() -> None:
    match = match_over(40, Rules(clinch_matches=True))
    wins = [Outcome.LEFT] * 40
    play = played(match, wins, range(40))
    assert play.clinched is not None
    assert len(play.duels) < 40
    assert play.clinched.most == play.score, "at best for the challenger of a lost match"
    whole = played(match_over(40, Rules(clinch_matches=False)), wins, range(40))
    assert (whole.clinched, whole.score, len(whole.duels)) == (None, -40, 40)


def test_evidence_that_the_rules_do_not_allow_is_refused() -> None:
    match = match_over(1)
    play = PlayUnderWay(match, SEED)
    unusable = question().evidence([Reply("as served", "{ ")], [reply(1, 2)])
    with pytest.raises(NotJudged, match=f"not {ATTEMPTS}"):
        play.take(match.prompts[0], unusable)


lacking = st.lists(st.integers(0, 23), max_size=8)


@given(
    winners=st.lists(
        st.sampled_from([Outcome.LEFT, Outcome.RIGHT, Outcome.DRAW]), min_size=24, max_size=24
    ),
    order=st.permutations(range(24)),
    defender_lacks=lacking,
    challenger_lacks=lacking,
    clinch=st.booleans(),
)
def test_g08_what_is_recorded_does_not_depend_on_the_order_in_which_evidence_comes(
    winners: list[Outcome],
    order: list[int],
    defender_lacks: list[int],
    challenger_lacks: list[int],
    clinch: bool,
) -> None:
    match = match_over(
        24,
        Rules(clinch_matches=clinch),
        defender_lacks=defender_lacks,
        challenger_lacks=challenger_lacks,
    )
    assert played(match, winners, order) == played(match, winners, range(24))


@given(
    winners=st.lists(
        st.sampled_from([Outcome.LEFT, Outcome.RIGHT, Outcome.DRAW]), min_size=24, max_size=24
    )
)
def test_a_clinched_play_decides_what_the_whole_one_would(winners: list[Outcome]) -> None:
    short = played(match_over(24, Rules(clinch_matches=True)), winners, range(24))
    whole = played(match_over(24, Rules(clinch_matches=False)), winners, range(24))
    assert (short.margin >= 0.05) == (whole.margin >= 0.05)
    if short.clinched is not None:
        assert short.clinched.least <= whole.score <= short.clinched.most


# --- a question


def test_a_duels_evidence_holds_the_question_and_the_answers_to_both_orders() -> None:
    asked = question()
    held = asked.evidence([reply(7, 2)], [reply(2, 7)])
    assert (held.prompt, held.left, held.right) == (asked.prompt, asked.left, asked.right)
    assert (held.model, held.prompt_version, held.seed) == ("judge", "1", SEED)
    assert [answer.reply for answer in held.answers] == [reply(7, 2), reply(2, 7)]
    assert held.unusable is None
    first, swapped = held.keys()
    assert [answer.key for answer in held.answers] == [*first, *swapped]


@given(unusable=st.integers(1, ATTEMPTS - 1))
def test_the_last_attempt_is_the_answer_and_those_before_are_held_as_unusable(
    unusable: int,
) -> None:
    cut_off = Reply("as served", "{ ", "length")
    held = question().evidence([*[cut_off] * unusable, reply(7, 2)], [reply(2, 7)])
    assert held.unusable is not None
    assert [len(attempts) for attempts in held.unusable] == [unusable, 0]
    first, swapped = held.attempts()
    assert [answer.reply for answer in first] == [*[cut_off] * unusable, reply(7, 2)]
    assert [answer.key for answer in first] == held.keys()[0]
    assert [answer.key for answer in swapped] == held.keys()[1]
    assert len({answer.key for answer in first}) == unusable + 1, "each attempt has its own key"
