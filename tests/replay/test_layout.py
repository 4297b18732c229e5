"""How a file is laid out is no difference: line ends, order of keys, notation of numbers, keys that
nobody knows.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gen404_assets.competition.round import LEADERS, POOL, STATE
from gen404_assets.replay.compare import LAYOUT
from gen404_assets.replay.result import Finding
from tests.replay.tampering import (
    AUDITS,
    BUILDS,
    MATRIX,
    REQUESTS,
    SUBMISSIONS,
    WINNER,
    Tampered,
    found_on,
    noted,
    open_history,
    shown,
)


def crlf(raw: bytes) -> bytes:
    return raw.replace(b"\n", b"\r\n")


def reversed_keys(raw: bytes) -> bytes:
    def turn(value: Any) -> Any:
        if isinstance(value, list):
            return [turn(inner) for inner in value]
        if isinstance(value, dict):
            nested = value and all(isinstance(inner, dict) for inner in value.values())
            return {key: turn(value[key]) for key in (value if nested else reversed(value))}
        return value

    return json.dumps(turn(json.loads(raw)), indent=2).encode()


def other_numbers(raw: bytes) -> bytes:
    """Numbers in another notation: 0 for 0.0, 1.0 for 1 where the file's numbers are floats, more
    digits.
    """
    text = raw.decode()
    for name in ("margin", "generation_time", "distance", "weight"):
        text = text.replace(f'"{name}": 0.0,', f'"{name}": 0,').replace(
            f'"{name}": 1.0,', f'"{name}": 10e-1,'
        )
    return text.replace("e-0", "e-").encode()


def unknown_keys(raw: bytes) -> bytes:
    def add(value: Any, depth: int = 0) -> Any:
        if isinstance(value, list):
            return [add(inner, depth + 1) for inner in value]
        if isinstance(value, dict):
            record = any(not isinstance(inner, dict) for inner in value.values())
            return {key: add(inner, depth + 1) for key, inner in value.items()} | (
                {"seen_by": "me"} if record else {}
            )
        return value

    return json.dumps(add(json.loads(raw)), indent=2).encode()


EVERY = (
    SUBMISSIONS,
    BUILDS,
    REQUESTS,
    AUDITS,
    WINNER,
    "rounds/1/schedule.json",
    "rounds/0/seed.json",
    LEADERS,
    STATE,
)


@pytest.mark.parametrize(
    "change", [crlf, reversed_keys, other_numbers, unknown_keys, lambda raw: raw + b"\n\n"]
)
def test_the_layout_of_a_file_is_no_difference(
    tampered: Tampered, change: Callable[[bytes], bytes]
) -> None:
    reports = [path for path in open_history(tampered.path).of_round(0) if path.endswith(".json")]
    tampered.write({path: change(tampered.read(path)) for path in {*EVERY, *reports}})
    assert shown(tampered.differing()) == {}


def assert_only_laid_out_anew(tampered: Tampered, path: str) -> None:
    """The layout is a note; that a person changed a past round's file is told, too."""
    layout, act = noted(tampered, path).split("\n")
    assert layout == LAYOUT
    assert act.startswith(f"changed after the round's end by a person in {tampered.commit}")


@pytest.mark.parametrize(
    "change", [crlf, lambda raw: raw + b"\n", lambda raw: raw.replace(b",0", b" , 0")]
)
def test_the_layout_of_a_matrix_or_a_prompt_list_is_a_note(
    tampered: Tampered, change: Callable[[bytes], bytes]
) -> None:
    tampered.write({MATRIX: change(tampered.read(MATRIX)), POOL: crlf(tampered.read(POOL))})
    assert_only_laid_out_anew(tampered, MATRIX)
    prompts = "rounds/1/prompts.txt"
    tampered.write({prompts: crlf(tampered.read(prompts)) + b"\r\n"})
    assert_only_laid_out_anew(tampered, prompts)


def test_a_margin_written_otherwise_is_the_same(tampered: Tampered) -> None:
    rows = [row if row == "left,right,margin" else f"{row}0" for row in tampered.rows]
    tampered.write_matrix(rows)
    assert_only_laid_out_anew(tampered, MATRIX)


def test_leader_transitions_in_their_old_wrapper_are_read(tampered: Tampered) -> None:
    tampered.edit(LEADERS, lambda leaders: {"transitions": leaders})
    assert shown(tampered.differing()) == {}


@pytest.mark.parametrize("path", [SUBMISSIONS, MATRIX, AUDITS, STATE, "rounds/0/source_audit.json"])
def test_g17_a_byte_order_mark_is_named(tampered: Tampered, path: str) -> None:
    tampered.write({path: b"\xef\xbb\xbf" + tampered.read(path)})
    files = tampered.differing()
    assert {file.finding for file in files.values()} == {Finding.MALFORMED}
    assert set(files) == {path}


def test_g17_a_row_twice_in_the_matrix_is_named_with_its_line(tampered: Tampered) -> None:
    tampered.write_matrix([*tampered.rows, tampered.lost])
    files = tampered.differing()
    assert {path: file.finding for path, file in files.items()} == {MATRIX: Finding.MALFORMED}
    assert files[MATRIX].reason.startswith(f"{MATRIX}:{len(tampered.rows) + 1}: ")


def test_a_file_of_no_known_kind_is_listed(tampered: Tampered) -> None:
    tampered.write({"rounds/0/notes.md": b"what happened"})
    assert found_on(tampered, "rounds/0/notes.md").reason == "it is no file of the competition's"
