"""Answers that the judge has given: nothing is asked twice, whatever happens in between."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import PROMPT_VERSION, NotJudged, Question, Reply
from resources.answer_records import LONGEST_INTERVAL
from resources.judge import Judge, ServedJudge
from resources.kept_answers import KeptAnswers
from resources.object_store import ObjectConflict
from simulators.judge_server import MODEL, JudgeServer, fails, judge_server, loops, says, verdict

PICTURES = {"p.png": b"the prompt", "a.png": b"one", "b.png": b"other", "copy-of-a.png": b"one"}


class FolderStore:
    """Objects as files of a folder, pictures by name; conditional puts, as the object store has
    them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.full = False
        self.reads: list[str] = []

    def get(self, key: str) -> bytes | None:
        path = self.folder / key
        return path.read_bytes() if path.exists() else None

    def put(self, key: str, data: bytes, content_type: str) -> str:
        assert content_type == "application/json"
        if self.full:
            raise InfrastructureFault("the store is full")
        if self.get(key) not in {None, data}:
            raise ObjectConflict(key)
        path = self.folder / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return f"https://store.example/{key}"

    def read(self, url: str) -> bytes:
        self.reads.append(url)
        return PICTURES[url.rpartition("/")[2]]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server(*(says(verdict(number, 10)) for number in range(10))) as server:
        yield server


@pytest.fixture
def judge(server: JudgeServer) -> Iterator[ServedJudge]:
    with closing(ServedJudge(server.url, "key", MODEL, retries=0)) as judge:
        yield judge


def watched(judge: Judge, store: FolderStore) -> KeptAnswers:
    """A judge that canary duels have just found in order, and its answers."""
    answers = KeptAnswers(judge, store)
    answers.vouch(time.monotonic())
    return answers


def question(first: str = "a.png", second: str = "b.png", seed: int = 7) -> Question:
    return Question(
        "https://pool.example/p.png",
        f"https://cdn.example/{first}",
        f"https://cdn.example/{second}",
        seed,
    )


def test_g03_no_answer_is_paid_for_twice_also_by_who_comes_after_a_crash(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    answer = watched(judge, store).ask(question())
    assert watched(judge, store).ask(question()) == answer
    assert watched(judge, FolderStore(store.folder)).ask(question()) == answer
    assert len(server.requests) == 1


def test_g03_another_file_with_the_same_bytes_is_the_same_question(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    answers = watched(judge, store)
    assert answers.ask(question("a.png")) == answers.ask(question("copy-of-a.png"))
    assert len(server.requests) == 1


def test_another_order_seed_or_model_is_another_question(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    answers = watched(judge, store)
    asked = [answers.ask(each) for each in (question(), question().swapped(), question(seed=8))]
    with closing(ServedJudge(server.url, "key", "its successor")) as successor:
        asked.append(watched(successor, store).ask(question()))
    assert [answer.penalty_1 for answer in asked] == [0, 1, 2, 3]


def test_g03_questions_that_come_at_the_same_time_are_asked_once(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    def slow(*arguments: Any) -> None:
        time.sleep(0.2)
        says(verdict(4, 5))(*arguments)

    server.replies = [slow, fails(500)]
    answers = watched(judge, store)
    together = threading.Barrier(8)

    def ask(number: int) -> int:
        together.wait()
        return answers.ask(question("copy-of-a.png" if number % 2 else "a.png")).penalty_1

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [4] * 8
    assert len(server.requests) == 1


def test_g01_no_judgement_is_kept_and_the_question_stays_open(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [says("who knows"), says(verdict(1, 2))]
    answers = watched(judge, store)
    with pytest.raises(NotJudged):
        answers.ask(question())
    assert not kept(store, "*")
    assert answers.ask(question()).penalty_2 == 2


def test_g03_an_answer_that_the_store_does_not_take_is_no_answer_yet_but_is_not_paid_for_again(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    answers = watched(judge, store)
    store.full = True
    for _ in range(2):
        with pytest.raises(InfrastructureFault, match="full"):
            answers.ask(question())
    store.full = False
    answer = answers.ask(question())
    assert watched(judge, store).ask(question()) == answer
    assert len(server.requests) == 1


def test_g04_of_two_processes_that_asked_at_the_same_time_both_take_the_answer_that_was_kept_first(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    def overtaken(*arguments: Any) -> None:
        watched(judge, store).ask(question())
        says(verdict(9, 9))(*arguments)

    server.replies = [overtaken, says(verdict(1, 2))]
    assert watched(judge, store).ask(question()).penalty_1 == 1
    assert watched(judge, store).ask(question()).penalty_1 == 1
    assert len(server.requests) == 2


def test_g02_the_evidence_is_kept_under_what_was_asked_and_gives_the_answer_again(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    text = f"<think>hm</think>{verdict(3, 6, 'the base is missing')}"
    server.replies = [says(text)]
    answers = watched(judge, store)
    answer = answers.ask(question())
    answers.vouch(time.monotonic())
    kept = json.loads((store.folder / answers.key(question())).read_bytes())
    digests = [hashlib.sha256(PICTURES[name]).hexdigest() for name in ("p.png", "a.png", "b.png")]
    assert kept == {
        "model": MODEL,
        "prompt_version": PROMPT_VERSION,
        "seed": 7,
        "pictures": dict(zip(("prompt", "first", "second"), digests, strict=True)),
        "answered_by": MODEL,
        "answer": text,
    }
    assert answers.digests(question()) == tuple(digests)
    assert Reply(kept["answered_by"], kept["answer"]).answer() == answer
    asked = {name: kept[name] for name in ("model", "prompt_version", "seed", "pictures")}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    assert answers.key(question()) == f"answers/{digest}.json"


def in_order() -> None:
    """The judge is in order."""


def out_of_order() -> None:
    raise InfrastructureFault("the judge has gone wrong")


def found_out(answers: KeptAnswers) -> Callable[[], None]:
    """Canary duels that find the judge out of order."""

    def confirm() -> None:
        answers.distrust("the judge has gone wrong")
        out_of_order()

    return confirm


def kept(store: FolderStore, folder: str = "answers") -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in store.folder.glob(f"{folder}/*")]


def test_the_first_of_five_attempts_that_can_be_used_ends_them_and_all_are_kept(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops(), says("who knows"), says(verdict(1, 2)), says(verdict(9, 9))]
    answers = watched(judge, store)
    replies = answers.attempts(question(), in_order)
    assert [reply.finish_reason for reply in replies] == ["length", None, None]
    assert replies[2].answer().penalty_2 == 2
    assert [(request["seed"], request["temperature"]) for request in server.requests] == [
        (7, 0),
        (8, 0.1),
        (9, 0.2),
    ]
    answers.vouch(time.monotonic())
    assert {
        (each["seed"], each.get("temperature"), "unusable" in each) for each in kept(store)
    } == {
        (7, None, True),
        (8, 0.1, True),
        (9, 0.2, False),
    }
    assert watched(judge, FolderStore(store.folder)).attempts(question(), out_of_order) == replies
    assert len(server.requests) == 3


def test_five_unusable_answers_are_all_that_a_question_has(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops()]
    replies = watched(judge, store).attempts(question(), in_order)
    assert [reply.finish_reason for reply in replies] == ["length"] * 5
    assert watched(judge, store).attempts(question(), in_order) == replies
    assert len(server.requests) == len({request["seed"] for request in server.requests}) == 5


def test_an_attempt_is_named_by_its_seed_and_temperature_and_the_first_as_ever(
    judge: ServedJudge, store: FolderStore
) -> None:
    answers = watched(judge, store)
    keys = {
        answers.key(replace(question(seed=seed), attempt=number))
        for seed in (7, 8)
        for number in range(5)
    }
    assert len(keys) == 10, "the second attempt with seed 7 is not the first with seed 8"
    assert answers.key(replace(question(), attempt=0)) == answers.key(question())


def test_g01_what_a_judge_out_of_order_says_is_not_kept_and_its_attempt_is_made_anew(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops(), loops(), says(verdict(1, 2))]
    answers = watched(judge, store)
    for _ in range(2):
        with pytest.raises(InfrastructureFault, match="gone wrong"):
            answers.attempts(question(), found_out(answers))
        answers.vouch(time.monotonic())
    assert not kept(store)
    assert [reply.answer().penalty_2 for reply in answers.attempts(question(), in_order)] == [2]
    assert {request["seed"] for request in server.requests} == {7}


def test_g01_an_answer_that_did_not_come_is_no_attempt(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [
        loops(),
        fails(500),
        says(verdict(1, 2), "abort"),
        fails(400),
        says(verdict(1, 2)),
    ]
    answers = watched(judge, store)
    for _ in range(3):
        with pytest.raises(NotJudged):
            answers.attempts(question(), in_order)
    assert len(answers.attempts(question(), in_order)) == 2
    assert [request["seed"] for request in server.requests] == [7, 8, 8, 8, 8]


def test_g03_an_attempt_that_the_store_does_not_take_is_not_paid_for_again(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops(), says(verdict(1, 2))]
    answers = watched(judge, store)
    store.full = True
    for _ in range(2):
        with pytest.raises(InfrastructureFault, match="full"):
            answers.attempts(question(), in_order)
    store.full = False
    assert len(answers.attempts(question(), in_order)) == 2
    assert len(server.requests) == 2


def test_g03_questions_that_come_at_the_same_time_share_their_attempts(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    def slow(*arguments: Any) -> None:
        time.sleep(0.1)
        loops()(*arguments)

    server.replies = [slow, slow, says(verdict(4, 5))]
    answers = watched(judge, store)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: answers.attempts(question(), in_order), range(8)))
    assert together == [together[0]] * 8
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"answered_by": "m", "answer": "nonsense"}', b"\xff"]
)
def test_g01_what_is_no_kept_answer_is_a_fault_of_the_store_and_nothing_is_asked(
    server: JudgeServer, judge: ServedJudge, store: FolderStore, content: bytes
) -> None:
    answers = watched(judge, store)
    store.put(answers.key(question()), content, "application/json")
    with pytest.raises(InfrastructureFault, match="is no kept answer"):
        answers.ask(question())
    assert not server.requests


def test_each_picture_is_read_once(judge: ServedJudge, store: FolderStore) -> None:
    answers = watched(judge, store)
    for each in (question(), question().swapped(), question(seed=8)):
        answers.ask(each)
    assert sorted(store.reads) == sorted(question().pictures)


# --- provisional answers


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
