"""Provisional answers: kept once canary duels before and after them have come out right."""

import json
import time
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import NotJudged
from resources.answer_records import LONGEST_INTERVAL
from resources.judge import ServedJudge
from simulators.judge_server import MODEL, JudgeServer, says, verdict
from tests.resources.judge.answering import FolderStore, in_order, kept, question, watched


def test_g01_an_answer_is_kept_only_once_canary_duels_after_it_have_come_out_right(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    answers = watched(judge, store)
    begun_before = time.monotonic()
    answers.ask(question())
    assert not kept(store)
    assert not answers.are_kept(question(), answers.attempts(question(), in_order))
    answers.vouch(begun_before)
    assert not kept(store), "duels that began before it say nothing of it"
    answers.vouch(time.monotonic())
    assert len(kept(store)) == 1
    assert answers.are_kept(question(), answers.attempts(question(), in_order))
    assert len(server.requests) == 1


def test_g01_an_answer_since_the_last_good_canary_duels_is_asked_again_and_stays_on_record(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    answers = watched(judge, store)
    early = answers.ask(question())
    answers.vouch(time.monotonic())
    wrong = answers.ask(question(seed=8))
    answers.distrust("noise won")
    answers.vouch(time.monotonic())
    assert answers.ask(question()) == early, "good canary duels before and after vouch for it"
    assert answers.ask(question(seed=8)) != wrong
    answers.vouch(time.monotonic())
    assert len(server.requests) == 3
    assert sorted(each["answer"] for each in kept(store)) == [verdict(0, 10), verdict(2, 10)]
    records = kept(store, "provisional")
    assert {each["answer"] for each in records if "answer" in each} == {
        verdict(number, 10) for number in range(3)
    }
    assert [each["reason"] for each in records if "reason" in each] == ["noise won"]


@pytest.mark.parametrize("found_wrong", [False, True])
def test_g03_a_provisional_answer_survives_a_crash_unless_canary_duels_found_the_judge_wrong(
    server: JudgeServer, judge: ServedJudge, store: FolderStore, *, found_wrong: bool
) -> None:
    crashed = watched(judge, store)
    answer = crashed.ask(question())
    if found_wrong:
        crashed.distrust("noise won")
    after = watched(judge, store)
    assert (after.ask(question()) == answer) is not found_wrong
    assert not kept(store), "the canary duels after it are yet to come"
    after.vouch(time.monotonic())
    assert len(kept(store)) == 1
    assert len(server.requests) == 1 + found_wrong


@pytest.mark.parametrize("clock", [LONGEST_INTERVAL + 1, -7200.0])
def test_g01_canary_duels_far_apart_vouch_for_nothing_between_them(
    server: JudgeServer,
    judge: ServedJudge,
    store: FolderStore,
    monkeypatch: pytest.MonkeyPatch,
    clock: float,
) -> None:
    """Also when the clock of this machine was set back."""
    answers = watched(judge, store)
    answers.ask(question())

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=clock)

    monkeypatch.setattr("resources.provisional_answers.datetime", Later)
    answers.vouch(time.monotonic())
    assert not kept(store)
    answers.ask(question())
    answers.vouch(time.monotonic())
    assert len(kept(store)) == 1
    assert len(server.requests) == 2


def test_g01_an_answer_that_comes_when_the_judge_was_found_wrong_meanwhile_is_none(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    answers = watched(judge, store)

    def overtaken(*arguments: Any) -> None:
        answers.distrust("noise won")
        answers.vouch(time.monotonic())
        says(verdict(9, 0))(*arguments)

    server.replies = [overtaken, says(verdict(1, 2))]
    with pytest.raises(NotJudged, match="doesn't count: noise won"):
        answers.ask(question())
    assert answers.ask(question()).penalty_1 == 1


def test_g03_an_answer_beside_good_canary_duels_is_vouched_for_by_the_next_however_long_they_took(
    judge: ServedJudge, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.answer_records.LONGEST_INTERVAL", 0.2)
    answers = watched(judge, store)
    begun = time.monotonic()
    answers.ask(question())
    time.sleep(0.3)  # slow canary duels
    answers.vouch(begun)
    answers.vouch(time.monotonic())
    assert len(kept(store)) == 1


def test_g03_what_the_store_did_not_take_of_canary_duels_is_made_up_for(
    judge: ServedJudge, store: FolderStore
) -> None:
    answers = watched(judge, store)
    right = answers.ask(question())
    store.full = True
    with pytest.raises(InfrastructureFault, match="full"):
        answers.vouch(time.monotonic())
    store.full = False
    wrong = answers.ask(question(seed=8))
    store.full = True
    with pytest.raises(InfrastructureFault, match="full"):
        answers.distrust("noise won")
    store.full = False
    answers.vouch(time.monotonic())
    assert [each["answer"] for each in kept(store)] == [right.raw], "it was vouched for before"
    assert watched(judge, store).ask(question(seed=8)) != wrong


def test_g04_where_another_process_has_kept_another_answer_nothing_rests_on_ours(
    judge: ServedJudge, store: FolderStore
) -> None:
    ours = watched(judge, store)
    replies = ours.attempts(question(), in_order)
    theirs = json.dumps({"answered_by": MODEL, "answer": verdict(9, 9)}).encode()
    store.put(ours.key(question()), theirs, "application/json")
    with pytest.raises(InfrastructureFault, match="two platforms judge this round"):
        ours.vouch(time.monotonic())
    assert not ours.are_kept(question(), replies)
    assert ours.ask(question()).penalty_1 == 9
