"""Answers that the judge has given: nothing is asked twice, whatever happens in between."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import Reply
from resources.judge import PROMPT_VERSION, KeptAnswers, NotJudged, Question, ServedJudge
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
    answer = KeptAnswers(judge, store).ask(question())
    assert KeptAnswers(judge, store).ask(question()) == answer
    assert KeptAnswers(judge, FolderStore(store.folder)).ask(question()) == answer
    assert len(server.requests) == 1


def test_g03_another_file_with_the_same_bytes_is_the_same_question(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    answers = KeptAnswers(judge, store)
    assert answers.ask(question("a.png")) == answers.ask(question("copy-of-a.png"))
    assert len(server.requests) == 1


def test_another_order_seed_or_model_is_another_question(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    answers = KeptAnswers(judge, store)
    asked = [answers.ask(each) for each in (question(), question().swapped(), question(seed=8))]
    with closing(ServedJudge(server.url, "key", "its successor")) as successor:
        asked.append(KeptAnswers(successor, store).ask(question()))
    assert [answer.penalty_1 for answer in asked] == [0, 1, 2, 3]


def test_g03_questions_that_come_at_the_same_time_are_asked_once(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    def slow(*arguments: Any) -> None:
        time.sleep(0.2)
        says(verdict(4, 5))(*arguments)

    server.replies = [slow, fails(500)]
    answers = KeptAnswers(judge, store)
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
    answers = KeptAnswers(judge, store)
    with pytest.raises(NotJudged):
        answers.ask(question())
    assert not list(store.folder.iterdir())
    assert answers.ask(question()).penalty_2 == 2


def test_g03_an_answer_that_the_store_does_not_take_is_no_answer_yet_but_is_not_paid_for_again(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    answers = KeptAnswers(judge, store)
    store.full = True
    for _ in range(2):
        with pytest.raises(InfrastructureFault, match="full"):
            answers.ask(question())
    store.full = False
    answer = answers.ask(question())
    assert KeptAnswers(judge, store).ask(question()) == answer
    assert len(server.requests) == 1


def test_g04_of_two_processes_that_asked_at_the_same_time_both_take_the_answer_that_was_kept_first(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    def overtaken(*arguments: Any) -> None:
        KeptAnswers(judge, store).ask(question())
        says(verdict(9, 9))(*arguments)

    server.replies = [overtaken, says(verdict(1, 2))]
    assert KeptAnswers(judge, store).ask(question()).penalty_1 == 1
    assert KeptAnswers(judge, store).ask(question()).penalty_1 == 1
    assert len(server.requests) == 2


def test_g02_the_evidence_is_kept_under_what_was_asked_and_gives_the_answer_again(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    text = f"<think>hm</think>{verdict(3, 6, 'the base is missing')}"
    server.replies = [says(text)]
    answers = KeptAnswers(judge, store)
    answer = answers.ask(question())
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


def kept(store: FolderStore) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in store.folder.glob("answers/*")]


def test_the_first_of_five_attempts_that_can_be_used_ends_them_and_all_are_kept(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops(), says("who knows"), says(verdict(1, 2)), says(verdict(9, 9))]
    answers = KeptAnswers(judge, store)
    replies = answers.attempts(question(), in_order)
    assert [reply.finish_reason for reply in replies] == ["length", None, None]
    assert replies[2].answer().penalty_2 == 2
    assert [(request["seed"], request["temperature"]) for request in server.requests] == [
        (7, 0),
        (8, 0.1),
        (9, 0.2),
    ]
    assert {
        (each["seed"], each.get("temperature"), "unusable" in each) for each in kept(store)
    } == {
        (7, None, True),
        (8, 0.1, True),
        (9, 0.2, False),
    }
    assert (
        KeptAnswers(judge, FolderStore(store.folder)).attempts(question(), out_of_order) == replies
    )
    assert len(server.requests) == 3


def test_five_unusable_answers_are_all_that_a_question_has(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops()]
    replies = KeptAnswers(judge, store).attempts(question(), in_order)
    assert [reply.finish_reason for reply in replies] == ["length"] * 5
    assert KeptAnswers(judge, store).attempts(question(), in_order) == replies
    assert len(server.requests) == len({request["seed"] for request in server.requests}) == 5


def test_an_attempt_is_named_by_its_seed_and_temperature_and_the_first_as_ever(
    judge: ServedJudge, store: FolderStore
) -> None:
    answers = KeptAnswers(judge, store)
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
    answers = KeptAnswers(judge, store)
    for _ in range(2):
        with pytest.raises(InfrastructureFault, match="gone wrong"):
            answers.attempts(question(), out_of_order)
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
    answers = KeptAnswers(judge, store)
    for _ in range(3):
        with pytest.raises(NotJudged):
            answers.attempts(question(), in_order)
    assert len(answers.attempts(question(), in_order)) == 2
    assert [request["seed"] for request in server.requests] == [7, 8, 8, 8, 8]


def test_g03_an_attempt_that_the_store_does_not_take_is_not_paid_for_again(
    server: JudgeServer, judge: ServedJudge, store: FolderStore
) -> None:
    server.replies = [loops(), says(verdict(1, 2))]
    answers = KeptAnswers(judge, store)
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
    answers = KeptAnswers(judge, store)
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
    answers = KeptAnswers(judge, store)
    store.put(answers.key(question()), content, "application/json")
    with pytest.raises(InfrastructureFault, match="is no kept answer"):
        answers.ask(question())
    assert not server.requests


def test_each_picture_is_read_once(judge: ServedJudge, store: FolderStore) -> None:
    answers = KeptAnswers(judge, store)
    for each in (question(), question().swapped(), question(seed=8)):
        answers.ask(each)
    assert sorted(store.reads) == sorted(question().pictures)
