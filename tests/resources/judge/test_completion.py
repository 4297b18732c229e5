"""What a chat completion says: the words in it wherever a server puts them, and how they ended."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.judgement import REFUSED, NotJudged, Reply, Unusable
from resources.completion import reply_of
from simulators.judge_server import MODEL, completion, verdict

SHARED = Path(__file__).parents[4] / "shared"
PLAIN = verdict(3, 5, "x")


def body(content: Any, finish: str | None = "stop", **message: Any) -> str:
    return json.dumps(completion(content, finish, **message))


def test_the_words_are_kept_to_the_letter() -> None:
    text = f"<think>\u202ehm\0\n</think>{PLAIN}  "
    assert reply_of(body(text)) == Reply(MODEL, text)


def test_half_a_surrogate_pair_which_no_file_can_hold_is_replaced() -> None:
    assert reply_of(body("a \ud800 b \U0001f600")).text == "a \ufffd b \U0001f600"


ENDS = [
    "stop",
    "eos_token",
    "stop_sequence",
    "eos",
    "EOS",
    "end_turn",
    "end",
    "STOP",
    "COMPLETE",
    "completed",
    None,
    "",
]


@pytest.mark.parametrize("finish", ENDS)
def test_an_ordinary_end_has_many_names(finish: str | None) -> None:
    assert reply_of(body(PLAIN, finish)).answer().penalty_2 == 5


def test_a_completion_without_the_reason_of_its_end_is_whole() -> None:
    document = completion(PLAIN)
    del document["choices"][0]["finish_reason"]
    assert reply_of(json.dumps(document)).answer().penalty_2 == 5


CUT = [
    "length",
    "max_tokens",
    "MAX_TOKENS",
    "model_length",
    "content_filter",
    "tool_calls",
    "SAFETY",
    "repetition",
    "hm",
]


@pytest.mark.parametrize("finish", CUT)
def test_any_other_end_makes_an_answer_unusable_however_whole_it_looks(finish: str) -> None:
    reply = reply_of(body(PLAIN, finish))
    assert reply == Reply(MODEL, PLAIN, finish)
    with pytest.raises(Unusable, match=f"finish_reason {finish}"):
        reply.answer()


@pytest.mark.parametrize(
    "finish", ["abort", "aborted", "error", "cancelled", "insufficient_system_resource"]
)
def test_a_server_that_gave_up_said_nothing_of_the_question(finish: str) -> None:
    with pytest.raises(NotJudged, match=f"finish_reason {finish}") as raised:
        reply_of(body(PLAIN, finish))
    assert not isinstance(raised.value, Unusable)


def test_a_refusal_is_an_answer_that_cannot_be_used() -> None:
    reply = reply_of(body(PLAIN, refusal="I can't compare these"))
    assert reply == Reply(MODEL, "I can't compare these", REFUSED)
    with pytest.raises(Unusable, match="refused"):
        reply.answer()


HALVES = [{"type": "text", "text": PLAIN[:20]}, {"type": "text", "text": PLAIN[20:]}]


@pytest.mark.parametrize(
    "message",
    [
        {"content": [{"type": "text", "text": PLAIN}]},
        {"content": HALVES},
        {"content": [PLAIN]},
        {"content": {"type": "text", "text": PLAIN}},
        {"content": [{"type": "output_text", "text": PLAIN, "annotations": []}]},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": verdict(9, 9)}]},
                *HALVES,
            ]
        },
        {"content": [{"type": "reasoning", "text": verdict(9, 9)}, *HALVES]},
        {"content": None, "reasoning_content": PLAIN},
        {"content": "", "reasoning": PLAIN},
        {"content": "\n\n", "reasoning": PLAIN, "reasoning_content": None},
        {"content": [], "reasoning": "", "reasoning_content": PLAIN},
        {"content": None, "reasoning": PLAIN, "reasoning_content": PLAIN},
        {"content": PLAIN, "reasoning_content": verdict(9, 9), "reasoning": verdict(9, 9)},
        {"content": PLAIN, "refusal": "", "tool_calls": [], "reasoning_details": [{"text": "hm"}]},
    ],
)
def test_the_answer_is_found_wherever_a_server_puts_it(message: dict[str, Any]) -> None:
    answer = reply_of(body(**message)).answer()
    assert (answer.penalty_1, answer.penalty_2, answer.issues) == (3, 5, "x")


@pytest.mark.parametrize("content", [None, "", " \n", [], [{"type": "image_url"}], [None, 7]])
def test_no_words_at_all_are_an_answer_that_cannot_be_used(content: Any) -> None:
    with pytest.raises(Unusable, match="empty"):
        reply_of(body(content)).answer()


@pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="the shared cases are not there")
def test_the_answers_among_the_shared_cases(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SHARED / "cases" / "make_cases.py", tmp_path], check=True)
    penalties: dict[str, tuple[int, int] | None] = {}
    for path in sorted((tmp_path / "answers").iterdir()):
        try:
            answer = reply_of(path.read_text()).answer()
            penalties[path.stem] = (answer.penalty_1, answer.penalty_2)
        except Unusable:
            penalties[path.stem] = None
    unusable = {"two-objects", "length"}
    assert unusable < set(penalties)
    assert penalties == {name: None if name in unusable else (3, 5) for name in penalties}
