"""Commitments: whatever miners write on the chain is read, and only what the rules call a
submission counts.
"""

import json
import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gen404_assets.competition.commitments import parse_commitment
from gen404_assets.competition.submissions import Submissions
from simulators.examples import COMMIT, MINER, MINERS
from simulators.hotkeys import to_hotkey
from tests.competition.commitments import VALID, commitment, read

any_text = st.text(st.characters(exclude_categories=[]))  # lone surrogates too


def test_a_commitment_becomes_a_submission() -> None:
    reading = read({MINER: [(150, commitment())]})
    expected = {MINER: VALID | {"revealed_at_block": 150, "round": "mesh-1"}}
    assert json.loads(reading.submissions.to_bytes()) == expected
    assert reading.refused == {}


@pytest.mark.parametrize(
    "text",
    [
        str(VALID),
        repr(VALID | {"size": 5, "public": True, "note": None}),
        f"{{'repo': 'owner/model', \"commit\": '{COMMIT}', 'cdn_url': 'https://cdn.example/mine',}}",
        f"  {{'note':'it\\'s \"mine\", {{x}}','repo':'owner/model','commit':'{COMMIT}',\n"
        "'cdn_url':'https://cdn.example/mine'}  ",
        json.dumps({"other": {"deep": [1]}, **VALID}, indent=2),
    ],
)
def test_python_style_quotes_and_keys_of_others_are_accepted(text: str) -> None:
    assert parse_commitment(text) == VALID


@pytest.mark.parametrize("size", [3000, 5000, 20_000, 60_000])
def test_a_long_note_does_no_harm(size: int) -> None:
    assert parse_commitment(commitment(note="x" * size)) == VALID
    assert parse_commitment(str(VALID | {"note": "x" * size})) == VALID


def test_a_text_longer_than_any_commitment_is_not_even_parsed() -> None:
    assert parse_commitment(commitment(note="x" * (1 << 16))) == {}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 65_000,
        "{'a': " + " " * 65_000 + "}",
        "{'a': 'b'" + " " * 65_000 + "x}",
        "{'repo': '" + "\\" * 65_001 + "'}",
        "{" + "'a':'b'," * 8000 + "}",
        "{'a': " + "b" * 65_000 + "'}",
        '{"repo": ' + "9" * 65_000 + "}",
    ],
)
def test_g10_no_text_keeps_the_reader_for_long(text: str) -> None:
    started = time.process_time()  # of this process alone: the machine may be busy
    parse_commitment(text)
    assert time.process_time() - started < 1


def test_fields_may_be_spread_over_several_commitments() -> None:
    texts = [
        json.dumps({"cdn_url": VALID["cdn_url"]}),
        str({"commit": COMMIT}),
        json.dumps({"repo": VALID["repo"]}),
    ]
    reading = read({MINER: list(zip([110, 120, 130], texts, strict=True))})
    assert reading.submissions[MINER].revealed_at_block == 120
    assert reading.submissions[MINER].repo == "owner/model"


def test_the_value_revealed_last_counts_in_whatever_order_the_chain_lists_them() -> None:
    other = COMMIT[::-1]
    entries = [
        (150, commitment()),
        (120, commitment(repo="owner/first", commit=other)),
        (170, '{"repo": "owner/last"}'),
        (160, "nonsense"),
    ]
    for _ in range(4):
        entries = entries[1:] + entries[:1]
        submission = read({MINER: entries}).submissions[MINER]
        assert (submission.repo, submission.commit, submission.revealed_at_block) == (
            "owner/last",
            COMMIT,
            150,
        )


def test_revealed_at_block_is_that_of_the_commit_that_counts() -> None:
    reading = read(
        {MINER: [(110, commitment()), (120, json.dumps({"commit": COMMIT})), (130, "{}")]}
    )
    assert reading.submissions[MINER].revealed_at_block == 120


def test_an_invalid_value_revealed_last_counts_too() -> None:
    reading = read({MINER: [(110, commitment()), (120, '{"repo": 5}')]})
    assert reading.submissions.names == []
    assert "repo" in reading.refused[MINER]


@pytest.mark.parametrize(("block", "counts"), [(99, False), (100, True), (200, True), (201, False)])
def test_the_window_of_blocks_is_inclusive(block: int, counts: bool) -> None:
    reading = read({MINER: [(block, commitment())]})
    assert (MINER in reading.submissions) is counts


def test_what_is_revealed_outside_the_window_changes_nothing() -> None:
    reading = read(
        {
            MINER: [
                (99, commitment(repo="owner/early")),
                (150, commitment()),
                (201, commitment(repo="owner/late")),
            ]
        }
    )
    assert reading.submissions[MINER].repo == "owner/model"
    assert (
        read({MINER: [(99, commitment()), (150, '{"repo": "owner/model"}')]}).submissions.names
        == []
    )


@pytest.mark.parametrize(
    "text", ["not json", "[]", "null", "5", "{}", '{"a": 1}', "{'repo'", "\ud800", "x" * 5000]
)
def test_what_is_no_submission_at_all_is_listed_with_its_reason(text: str) -> None:
    reading = read({MINER: [(150, text)]})
    assert reading.submissions.names == []
    assert reading.refused[MINER]


@pytest.mark.parametrize(
    "hotkey", ["leader", "", MINER[:-1], MINER[:-1] + "1", MINER.lower(), "../" + MINER, "\ud800"]
)
def test_nobody_submits_under_a_name_that_is_no_address(hotkey: str) -> None:
    reading = read({hotkey: [(150, commitment())], MINER: [(151, commitment())]})
    assert reading.submissions.names == [MINER]
    assert "ss58" in reading.refused[hotkey]


def test_g08_submissions_are_ordered_by_reveal_block_then_hotkey() -> None:
    blocks = {hotkey: random.Random(hotkey).choice([120, 150, 180]) for hotkey in MINERS}
    commitments = {hotkey: [(block, commitment())] for hotkey, block in blocks.items()}
    by_block = [
        sorted(hotkey for hotkey in MINERS if blocks[hotkey] == block) for block in (120, 150, 180)
    ]
    for turn in range(5):
        hotkeys = random.Random(turn).sample(MINERS, len(MINERS))
        reading = read({hotkey: commitments[hotkey] for hotkey in hotkeys})
        assert reading.submissions.names == [*by_block[0], *by_block[1], *by_block[2]]


def test_g24_of_two_hotkeys_with_the_same_first_ten_characters_the_later_is_refused() -> None:
    alike = [to_hotkey(bytes(31) + bytes([last])) for last in range(3)]
    assert len({hotkey[:10] for hotkey in alike}) == 1
    commitments = {hotkey: [(150 - number, commitment())] for number, hotkey in enumerate(alike)}
    reading = read(commitments | {MINER: [(160, commitment())]})
    assert reading.submissions.names == [alike[2], MINER]
    assert {
        hotkey: alike[2] in reason for hotkey, reason in reading.refused.items()
    } == dict.fromkeys(alike[:2], True)


def test_g24_a_hotkey_without_a_submission_takes_nobodys_name() -> None:
    first, second = (to_hotkey(bytes(31) + bytes([last])) for last in range(2))
    reading = read({first: [(110, commitment(repo="bad"))], second: [(150, commitment())]})
    assert reading.submissions.names == [second]


@settings(max_examples=200)
@given(any_text)
@example("[" * 4000)
@example('{"repo":' * 500)
@example("{'repo': '" + "\\" * 3001 + "'}")
@example("{" + "'a':'b'" * 500 + "}")
@example('{"repo": ' + "9" * 4000 + "9" * 90 + "}")
@example("{'a': '\\ud800\\u'}")
def test_g10_parsing_a_commitment_never_raises(text: str) -> None:
    assert set(parse_commitment(text)) <= set(VALID)


@settings(max_examples=200)
@given(st.sampled_from([commitment(), str(VALID), '{"repo": null}']), st.data())
def test_g10_parsing_a_spoilt_commitment_never_raises(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        piece = data.draw(
            st.sampled_from(["'", '"', "\\", "{", "}", ":", ",", "NaN", "\ud800", "\\u12", " "])
            | any_text
        )
        text = text[:at] + piece + text[at + data.draw(st.integers(0, 3)) :]
    assert set(parse_commitment(text)) <= set(VALID)


texts = any_text | st.builds(
    lambda extra: json.dumps(VALID | extra), st.dictionaries(st.sampled_from([*VALID]), any_text)
)
entries = st.lists(st.tuples(st.integers(90, 210), texts | st.just(commitment())), max_size=4)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(MINERS) | any_text, entries, max_size=4))
def test_g10_reading_submissions_never_raises(
    commitments: dict[str, list[tuple[int, str]]],
) -> None:
    reading = read(commitments)
    assert not set(reading.submissions.names) & set(reading.refused)
    assert set(reading.submissions.names) <= set(MINERS)
    assert (
        Submissions.parse(reading.submissions.to_bytes(), "submissions.json") == reading.submissions
    )


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(MINERS[1:]) | any_text, entries, max_size=3))
def test_g10_no_miner_changes_anothers_submission(others: dict[str, list[tuple[int, str]]]) -> None:
    alone = read({MINER: [(150, commitment())]}).submissions[MINER]
    assert read(others | {MINER: [(150, commitment())]}).submissions[MINER] == alone
