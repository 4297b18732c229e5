"""Questions without a usable answer: five attempts each, all kept, and a draw that a replay
derives.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from gen404_assets.assets.views import VIEWS
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.duels import NO_USABLE_ANSWER
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.judgement import Answer, Question
from gen404_assets.competition.margins import seed_again
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.round import report_path
from gen404_assets.competition.settings import Rules
from gen404_assets.live.collecting import collect
from gen404_assets.live.judging import judge_matches
from gen404_assets.live.work import Work
from gen404_assets.replay.result import FileReplay
from gen404_assets.replay.rounds import replay_round
from resources.judge import ServedJudge
from resources.kept_answers import KeptAnswers
from simulators.examples import MINERS
from simulators.judge_server import MODEL, judge_server, loops, says, verdict
from simulators.outside import SimulatedOutside, digest
from simulators.rounds import baseline, dueling, generating, now, work

FINE, POOR = MINERS[:2]
PATH = report_path(0, (LEADER, FINE))


def loops_at(
    prompt: str, *, attempts: int = 5, swapped: bool | None = None
) -> Callable[[Question], bool]:
    """The judge loops at the first attempts on a prompt of FINE's, in both orders or in one."""

    def unusable(question: Question) -> bool:
        order = f"/{FINE}/" in question.first
        of_match = f"/{FINE}/" in question.first + question.second
        return (
            stem(question.prompt) == prompt
            and of_match
            and question.attempt < attempts
            and swapped in {None, order}
        )

    return unusable


def dueled(unusable: Callable[[Question], bool], **config: object) -> SimulatedOutside:
    """The match of FINE, who wins every duel that is judged, has been played."""
    outside = dueling([FINE], **config)
    outside.judging.penalty = lambda url: 7 if f"/{LEADER}/" in url else 2
    outside.judging.unusable = unusable
    judge_matches(work(outside))
    return outside


def prompts(outside: SimulatedOutside) -> list[str]:
    return sorted(now(outside).stems)


def duel_on(outside: SimulatedOutside, prompt: str) -> dict[str, Any]:
    report = json.loads(outside.repository.head.files[PATH])
    return next(duel for duel in report["duels"] if duel["name"] == prompt)


def replayed(outside: SimulatedOutside) -> FileReplay:
    replay = replay_round(outside.repository.history(), 0, Rules(), assets=[Asset.DUELS])
    return next(file for file in replay.files if file.path == PATH)


def changed(
    outside: SimulatedOutside, prompt: str, change: Callable[[dict[str, Any]], object]
) -> dict[str, str]:
    """What the rules give, by entry, where a replay differs after somebody changed a duel."""
    report = json.loads(outside.repository.head.files[PATH])
    change(next(duel for duel in report["duels"] if duel["name"] == prompt))
    outside.repository.commit({PATH: json.dumps(report, indent=2).encode()}, "By hand")
    return {difference.entry: difference.derived for difference in replayed(outside).differences}


PROMPT = prompts(dueling([FINE]))[1]
SEED = (now(dueling([FINE])).seed or pytest.fail()).seed


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


# --- a judge out of order


def test_g01_what_a_judge_says_that_fails_its_canaries_is_no_attempt_and_is_asked_anew_after_the_repair() -> (
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


# --- forgeries


def answer_of(first: int, second: int) -> dict[str, str]:
    return {"text": json.dumps({"penalty_1": first, "penalty_2": second, "issues": ""})}


@pytest.fixture
def drawn() -> Iterator[SimulatedOutside]:
    yield dueled(loops_at(PROMPT))


@pytest.mark.parametrize(
    ("change", "entry", "derived"),
    [
        (lambda duel: duel.update(winner="right"), "winner", "draw"),
        (lambda duel: duel.update(issues="fine"), "issues", NO_USABLE_ANSWER),
        (lambda duel: duel["evidence"]["unusable"][0].pop(), "winner", "none: "),
        (lambda duel: duel["evidence"].pop("unusable"), "winner", "none: "),
        (
            lambda duel: _be_usable(duel["evidence"]["unusable"][1][2]),
            "winner",
            "none: the judge was asked again",
        ),
        (
            lambda duel: _be_usable(duel["evidence"]["answers"][0], duel["evidence"]["answers"][1]),
            "winner",
            "left",
        ),
        (
            lambda duel: duel["evidence"]["unusable"][0].reverse(),
            "evidence.unusable[0][0].key",
            "answers/",
        ),
        (
            lambda duel: _exchange_first(*duel["evidence"]["unusable"]),
            "evidence.unusable[0][0].key",
            "answers/",
        ),
        (lambda duel: duel["evidence"].update(seed=SEED + 1), "evidence.seed", f"{SEED}"),
    ],
)
def test_a_draw_that_its_attempts_do_not_give_is_found(
    drawn: SimulatedOutside, change: Callable[[dict[str, Any]], object], entry: str, derived: str
) -> None:
    differences = changed(drawn, PROMPT, change)
    assert differences[f"duels[1].{entry}"].startswith(derived)


def _exchange_first(first: list[object], swapped: list[object]) -> None:
    """Each order's first attempt is said to be the other's. Were all exchanged, the report would
    be closer to one by the outputs that were published while they were still collected.
    """
    first[0], swapped[0] = swapped[0], first[0]


def _be_usable(*attempts: dict[str, Any]) -> None:
    for attempt, penalties in zip(attempts, ((0, 9), (9, 0)), strict=False):
        attempt.update(answer_of(*penalties))
        del attempt["finish_reason"]


def test_a_usable_answer_that_was_asked_again_is_found() -> None:
    outside = dueled(lambda _: False)

    def ask_again(duel: dict[str, Any]) -> None:
        answers = duel["evidence"]["answers"]
        duel["evidence"]["unusable"] = [[dict(answers[0])], []]

    differences = changed(outside, PROMPT, ask_again)
    assert differences["duels[1].winner"].startswith(
        "none: the judge was asked again although it had answered"
    )


def test_an_empty_list_of_attempts_is_not_how_a_report_is_written() -> None:
    outside = dueled(lambda _: False)
    differences = changed(outside, PROMPT, lambda duel: duel["evidence"].update(unusable=[[], []]))
    assert "duels[1].evidence.unusable" in differences
