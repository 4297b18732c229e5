"""Answers that the judge has given: nothing is asked twice, whatever happens in between."""

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import PROMPT_VERSION, NotJudged, Reply
from resources.judge import ServedJudge
from simulators.judge_server import MODEL, JudgeServer, fails, says, verdict
from tests.resources.judge.answering import PICTURES, FolderStore, kept, question, watched


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
