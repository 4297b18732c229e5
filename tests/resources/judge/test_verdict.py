"""How a judge's words are read: what models put around their JSON, and what stays refused."""

import json
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.competition.verdict import MAX_ISSUES, NoVerdict, Verdict, read_verdict
from simulators.judge_server import verdict

PLAIN = verdict(3, 5, "x")
OTHER = verdict(9, 9, "no")
READ = {
    "plain": PLAIN,
    "text before": f"Here is the JSON:\n{PLAIN}",
    "text before and after": f"Model 1 {{the vase}} is finer.\n{PLAIN}\nThe handle decides.",
    "a fence": f"```json\n{PLAIN}\n```",
    "a fence in capitals": f"```JSON\n{PLAIN}\n```",
    "a fence of another name, with text": f"So:\n~~~Json5 \n{PLAIN}\n~~~\nDone.",
    "a fence on one line": f"```{PLAIN}```",
    "thoughts": f"<think>perhaps {OTHER}</think>{PLAIN}",
    "thoughts in capitals": f"<THINK>perhaps {OTHER}</THINK>\n\n{PLAIN}",
    "thoughts that began in the template": f"perhaps {OTHER}, or {OTHER}</think>\n{PLAIN}",
    "thoughts twice": f"<think>{OTHER}</think><think>{OTHER}</think>{PLAIN}",
    "thoughts after it": f"{PLAIN}<think>or {OTHER}?</think>",
    "thoughts after it without end": f"{PLAIN}\n<think>or {OTHER}?",
    "thoughts that break off an object": f'<think>{{"penalty_1": 9, "issues": "</think>{PLAIN}',
    "thoughts as others mark them": f"[THINK]{OTHER}[/THINK]{PLAIN}",
    "thoughts in a channel": (
        f"<|channel|>analysis<|message|>{OTHER}<|end|><|channel|>final<|message|>{PLAIN}"
    ),
    "a box": f"<|begin_of_box|>{PLAIN}<|end_of_box|>",
    "a box after thoughts": (
        f"<think>{OTHER}</think><answer><|begin_of_box|>{PLAIN}<|end_of_box|></answer>"
    ),
    "a token at the end": f"{PLAIN}<|im_end|>",
    "a token in other brackets": f"{PLAIN}<\uff5cend\u2581of\u2581sentence\uff5c>",
    "a byte order mark": f"\ufeff{PLAIN}",
    "white space": f"\n\n\t {PLAIN} \u00a0\n",
    "on many lines": json.dumps(json.loads(PLAIN), indent=4),
    "floats": '{"penalty_1": 3.0, "penalty_2": 5.000, "issues": "x"}',
    "an exponent": '{"penalty_1": 3e0, "penalty_2": 0.5e1, "issues": "x"}',
    "numbers in quotes": '{"penalty_1": "3", "penalty_2": " 5.0 ", "issues": "x"}',
    "further keys": (
        '{"why": {"a": [1, {"penalty_1": 9}]}, '
        '"penalty_1": 3, "penalty_2": 5, "issues": "x", "z": null}'
    ),
    "other order of keys": '{"issues": "x", "penalty_2": 5, "penalty_1": 3}',
    "a trailing comma": '{"penalty_1": 3, "penalty_2": 5, "issues": "x",\n}',
    "trailing commas inside": '{"list": [1, 2, ], "penalty_1": 3, "penalty_2": 5, "issues": "x", }',
    "a key twice, the same": '{"penalty_1": 3, "penalty_1": 3.0, "penalty_2": 5, "issues": "x"}',
    "in a list": f"[{PLAIN}]",
}


@pytest.mark.parametrize("case", READ)
def test_what_models_say_is_read(case: str) -> None:
    assert read_verdict(READ[case]) == Verdict(3, 5, "x")


REFUSED = {
    "nothing": "",
    "words": "The first one is better: 3 to 5.",
    "two objects": f"{PLAIN}\n{verdict(9, 5)}",
    "two objects that say the same": PLAIN + PLAIN,
    "two boxes": f"<|begin_of_box|>{PLAIN}<|end_of_box|> no: <|begin_of_box|>{OTHER}<|end_of_box|>",
    "two fences": f"```json\n{OTHER}\n```\nWait.\n```json\n{PLAIN}\n```",
    "two lines of JSON": f"{PLAIN}\n{OTHER}",
    "another object that breaks off": f'{{"penalty_1": 9, "penalty_2": 9, "issues": "no {PLAIN}',
    "an object within one that breaks off": f'{{"penalty_1": 9, "penalty_2": {PLAIN}',
    "thoughts alone": f"<think>perhaps {PLAIN}",
    "thoughts alone, to their end": f"<think>perhaps {PLAIN}</think>",
    "nothing after thoughts": f"perhaps {PLAIN}</think>",
    "cut off": '{"penalty_1": 3, "penalty_2": 5, "issues": "x',
    "white space to the end": '{"penalty_1": 3,' + " " * 3000,
    "a key twice, differing": '{"penalty_1": 3, "penalty_1": 4, "penalty_2": 5, "issues": "x"}',
    "a text twice, differing": '{"penalty_1": 3, "penalty_2": 5, "issues": "x", "issues": "y"}',
    "a penalty missing": '{"penalty_1": 3, "issues": "x"}',
    "a list": "[3, 5]",
    "an object of its own for each": '{"model_1": {"penalty": 3}, "model_2": {"penalty": 5}}',
    "braces without end": "{" * 100_000,
    "quotes without end": '{"a": "' + '\\"' * 50_000,
    "nested without end": '{"a":' * 20_000 + "1" + "}" * 20_000,
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_mean_two_things_or_none_is_refused(case: str) -> None:
    start = time.process_time()
    with pytest.raises(NoVerdict):
        read_verdict(REFUSED[case])
    assert time.process_time() - start < 2, "no text takes long to read"


NO_PENALTIES = [
    "-1",
    "11",
    "10.5",
    "3.5",
    '"3.5"',
    '"three"',
    '"3/10"',
    '"-3"',
    '"\uff13"',
    "true",
    "null",
    "[3]",
    '{"a": 3}',
]
NO_PENALTIES += [
    "NaN",
    "Infinity",
    "1e400",
    '"NaN"',
    "1e2",
    "9" * 400,
    '"' + "9" * 400 + '"',
    "3.0000001",
    '""',
    "9" * 9999,
]


@pytest.mark.parametrize("penalty", NO_PENALTIES)
@pytest.mark.parametrize("key", ["penalty_1", "penalty_2"])
def test_a_penalty_that_is_no_whole_number_from_0_to_10_is_refused(penalty: str, key: str) -> None:
    other = {"penalty_1": "penalty_2", "penalty_2": "penalty_1"}[key]
    with pytest.raises(NoVerdict):
        read_verdict(f'{{"{key}": {penalty}, "{other}": 1, "issues": ""}}')


@pytest.mark.parametrize("penalty", range(11))
def test_every_penalty_from_0_to_10_is_read(penalty: int) -> None:
    assert read_verdict(verdict(penalty, 10 - penalty)) == Verdict(penalty, 10 - penalty, "none")


NO_MARKS = st.text(
    st.characters(exclude_characters='{}[]<>"|◁', exclude_categories=["Cs"]), max_size=40
)
NUMBERS = st.sampled_from(["{}", "{}.0", '"{}"', '"{}.0"'])


@given(
    st.tuples(st.integers(0, 10), st.integers(0, 10)),
    NUMBERS,
    NO_MARKS,
    NO_MARKS,
    st.sampled_from(["", ","]),
)
def test_however_it_is_dressed_it_says_the_same(
    penalties: tuple[int, int], number: str, before: str, after: str, comma: str
) -> None:
    first, second = map(number.format, penalties)
    text = f'{before}{{"penalty_1": {first}, "penalty_2": {second}{comma} }}{after}'
    assert read_verdict(text) == Verdict(*penalties, "")
    assert read_verdict(f"<think>{before}{OTHER}</think>{text}") == Verdict(*penalties, "")


PIECES = st.sampled_from(
    [
        PLAIN,
        OTHER,
        "{",
        "}",
        '"',
        ",",
        "<think>",
        "</think>",
        '"penalty_1": 3',
        "```",
        "\\",
        "NaN",
        "x",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_text_is_a_verdict_or_none_and_a_verdict_is_one_that_stands_there(text: str) -> None:
    try:
        read = read_verdict(text)
    except NoVerdict:
        return
    assert read in {Verdict(3, 5, "x"), Verdict(9, 9, "no")}
    assert (PLAIN if read.penalty_1 == 3 else OTHER) in text


# --- the text


def issues(value: Any) -> str:
    return read_verdict(json.dumps({"penalty_1": 1, "penalty_2": 2, "issues": value})).issues


def test_the_text_is_cut_to_what_the_schema_allows() -> None:
    assert issues("ä" * 5000) == "ä" * MAX_ISSUES
    assert issues("ä" * MAX_ISSUES) == "ä" * MAX_ISSUES


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc\r\nd\0e\x1b[31m\x7f\x85\u2028", "a b c  d e [31m   "),
        ("left\u202egnp.exe\u202c \u2066x\u2069 \u200b\ufeff\u00ad", "leftgnp.exe x "),
        (
            "half a pair \ud83d, a whole one \U0001f600",
            "half a pair \ufffd, a whole one \U0001f600",
        ),
        ("\U000e0041hidden", "hidden"),
        ("größer, 花瓶, مزهرية", "größer, 花瓶, مزهرية"),
        (None, ""),
        (["no handle", "grey"], '["no handle", "grey"]'),
        ({"model_1": "grey", "model_2": 1.5}, '{"model_1": "grey", "model_2": 1.5}'),
        (7, "7"),
    ],
)
def test_the_text_is_fit_for_a_public_file(text: Any, shown: str) -> None:
    assert issues(text) == shown


def test_penalties_without_a_text_are_a_verdict() -> None:
    """They are what counts; the text explains."""
    assert read_verdict('{"penalty_1": 1, "penalty_2": 2}') == Verdict(1, 2, "")


def test_a_line_break_that_stands_raw_in_the_text_is_read() -> None:
    assert read_verdict('{"penalty_1": 1, "penalty_2": 2, "issues": "a\nb"}').issues == "a b"


@given(st.text(st.characters(), max_size=700))
def test_no_text_holds_anything_that_steers_a_terminal_or_breaks_a_file(text: str) -> None:
    shown = issues(text)
    assert len(shown) <= MAX_ISSUES
    shown.encode()
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
    )
