"""State files: byte for byte there and back, unknown keys kept in place, errors with path, line and
reason.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.audits import AuditRequest, AuditRequests
from gen404_assets.competition.builds import Builds, BuildStatus
from gen404_assets.competition.duels import MatchReport
from gen404_assets.competition.files import MalformedFile, StateFile
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.matches import Match, Matrix
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.seed import Seed
from gen404_assets.competition.state import Stage, State
from gen404_assets.competition.submissions import Submissions
from simulators.examples import DOCUMENTS, FILES, MINER, MINERS, json_values, text_of

every_file = pytest.mark.parametrize(
    ("kind", "raw"), FILES, ids=[kind.__name__ for kind, _ in FILES]
)


def refused(kind: type[StateFile], raw: bytes | str) -> MalformedFile:
    with pytest.raises(MalformedFile) as caught:
        kind.parse(raw if isinstance(raw, bytes) else raw.encode(), "rounds/3/a.json")
    assert caught.value.path == "rounds/3/a.json"
    assert str(caught.value) == f"rounds/3/a.json:{caught.value.line}: {caught.value.reason}"
    assert caught.value.reason
    return caught.value


@every_file
def test_a_file_is_written_as_it_was_read(kind: type[StateFile], raw: bytes) -> None:
    read = kind.parse(raw, "a file")
    assert read.to_bytes() == raw
    assert read.to_bytes(replacing=raw) == raw


def backwards(value: Any) -> Any:
    """A document whose records have their keys backwards; the order of hotkeys and stems means
    something.
    """
    if isinstance(value, list):
        return [backwards(inner) for inner in value]
    if isinstance(value, dict):
        keys = (
            list(value)
            if all(isinstance(inner, dict) for inner in value.values())
            else reversed(value)
        )
        return {key: backwards(value[key]) for key in keys}
    return value


@every_file
@pytest.mark.parametrize("layout", [{"indent": 4}, {"indent": 1}, {"separators": (",", ":")}, {}])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_file_laid_out_by_hand_stands_while_it_says_the_same(
    kind: type[StateFile], raw: bytes, layout: dict[str, Any], end: str
) -> None:
    by_hand = (json.dumps(backwards(json.loads(raw)), **layout) + end).encode()
    assert kind.parse(raw, "a file").to_bytes(replacing=by_hand) == by_hand


def test_a_file_is_indented_by_two_and_has_no_final_newline() -> None:
    written = State(current_round=1, stage=Stage.OPEN, next_stage_eta=None).to_bytes()
    assert written == b'{\n  "current_round": 1,\n  "stage": "open",\n  "next_stage_eta": null\n}'


def test_text_beyond_ascii_is_written_as_utf8() -> None:
    assert "schräg".encode() in MatchReport.parse(text_of(MatchReport), "duels").to_bytes()


def test_g17_a_rewrite_changes_the_changed_value_alone() -> None:
    by_hand = (
        '{\n    "note": {"b": 1.50, "a": [1e2, true]},\n    "stage": "open",\n'
        '    "why": "größer",\n    "current_round": 1\n}\n'
    )
    state = State.parse(by_hand.encode(), "state.json").model_copy(update={"stage": Stage.DUELS})
    written = state.to_bytes(replacing=by_hand.encode()).decode()
    assert json.loads(written) == json.loads(by_hand) | {"stage": "duels"}
    assert list(json.loads(written)) == ["note", "stage", "why", "current_round"]
    assert list(json.loads(written)["note"]) == ["b", "a"]
    assert written.startswith('{\n    "note": {\n        "b": 1.5')
    assert '    "why": "größer",\n    "current_round": 1\n}\n' in written


def test_g17_unknown_keys_of_an_entry_survive_a_change_of_another() -> None:
    document = json.loads(text_of(Builds))
    build = document[MINER]
    document[MINER] = {
        "first": [1, {"x": None}],
        "repo": build.pop("repo"),
        "middle": "é",
        **build,
        "last": 0.1,
    }
    document["5other"] = {**DOCUMENTS[Builds][MINER], "seen_by": "a person"}
    raw = text_of(Builds, document)
    builds = Builds.parse(raw, "builds.json")
    ended = Builds(
        builds.root | {MINER: builds[MINER].model_copy(update={"status": BuildStatus.FAILURE})}
    )
    assert ended.to_bytes(replacing=raw) == raw.replace(
        b'"status": "pending"', b'"status": "failure"', 1
    )


def exactly(value: Any) -> Any:
    """A JSON value in a form in which 1, 1.0 and true differ, and the order of keys counts."""
    if isinstance(value, dict):
        return [(key, exactly(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [exactly(inner) for inner in value]
    return type(value), value


@settings(max_examples=100)
@given(
    st.dictionaries(st.text("xyz_", min_size=1), json_values, max_size=3),
    st.randoms(use_true_random=False),
)
def test_g17_any_unknown_keys_anywhere_survive_and_keep_their_place(
    unknown: dict[str, Any], rng: Any
) -> None:
    duel = DOCUMENTS[MatchReport]["duels"][0]
    entries = [*duel.items(), *unknown.items()]
    rng.shuffle(entries)
    top = [
        ("left", "leader"),
        ("right", MINER),
        ("score", 0),
        ("margin", 0.0),
        ("duels", [dict(entries)]),
    ]
    top += list(unknown.items())
    rng.shuffle(top)
    before = dict(top)
    raw = text_of(MatchReport, before)
    changed = MatchReport.parse(raw, "duels").model_copy(update={"score": 1})
    assert exactly(json.loads(changed.to_bytes(replacing=raw))) == exactly(before | {"score": 1})


def test_g17_an_entry_taken_out_leaves_nothing_in_the_next() -> None:
    raw = (
        b'[{"hotkey": "a", "critical_prompts": [], "n": true}, '
        b'{"hotkey": "b", "critical_prompts": [], "n": 1}]'
    )
    later = AuditRequests(AuditRequests.parse(raw, "require_audit.json").root[1:])
    assert later.to_bytes(replacing=raw) == b'[{"hotkey": "b", "critical_prompts": [], "n": 1}]'


def test_g17_an_audit_request_is_appended_behind_what_stands() -> None:
    raw = text_of(AuditRequests) + b"\n"
    before = AuditRequests.parse(raw, "require_audit.json")
    more = AuditRequests([*before.root, AuditRequest(hotkey=MINERS[1], critical_prompts=[])])
    entry = f',\n  {{\n    "hotkey": "{MINERS[1]}",\n    "critical_prompts": []\n  }}\n]\n'
    assert more.to_bytes(replacing=raw) == raw.removesuffix(b"\n]\n") + entry.encode()


def test_g08_the_order_of_submissions_is_written_even_when_it_alone_changed() -> None:
    raw = text_of(Submissions)
    turned = Submissions(dict(reversed(Submissions.parse(raw, "submissions.json").items())))
    written = turned.to_bytes(replacing=raw)
    assert Submissions.parse(written, "submissions.json").names == turned.names == MINERS[:2]


def test_leader_transitions_may_be_wrapped_in_an_object() -> None:
    wrapped = json.dumps({"transitions": DOCUMENTS[Leader]}, indent=2).encode()
    assert Leader.parse(wrapped, "leader.json") == Leader.parse(text_of(Leader), "leader.json")
    assert Leader.parse(wrapped, "leader.json").to_bytes(replacing=wrapped) == wrapped


def test_a_seed_stands_on_one_line() -> None:
    assert Seed(seed=5).to_bytes() == b'{"seed": 5}'


BROKEN = {
    "a syntax error": (4, '{\n  "current_round": 1,\n  "note": 1\n  "stage": "open"\n}'),
    "a wrong type": (2, '{\n  "current_round": "1",\n  "stage": "open"\n}'),
    "a missing key": (2, '\n{\n  "stage": "open"\n}'),
    "an unknown stage": (3, '{\n  "current_round": 1,\n  "stage": "closed"\n}'),
    "a negative round": (2, '{\n  "current_round": -1,\n  "stage": "open"\n}'),
    "a duplicate key": (4, '{\n  "stage": "open",\n  "current_round": 1,\n  "stage": "open"\n}'),
    "a duplicate key before its value": (
        4,
        '{\n  "stage": "open",\n  "current_round": 1,\n  "stage":\n  "open"\n}',
    ),
    "a duplicate key deep inside": (
        5,
        '{\n  "stage": "open",\n  "n": [{},\n  {"a": 1,\n  "a": 1}]\n}',
    ),
    "no number": (4, '{\n  "current_round": 1,\n  "stage": "open",\n  "note": NaN\n}'),
    "an infinity": (4, '{\n  "current_round": 1,\n  "stage": "open",\n  "note": -Infinity\n}'),
    "a number too large for a float": (
        4,
        '{\n  "current_round": 1,\n  "stage": "open",\n  "note": 1e999\n}',
    ),
    "an endless integer": (
        4,
        '{\n  "current_round": 1,\n  "stage": "open",\n  "note": ' + "9" * 5000 + "\n}",
    ),
    "a lone surrogate": (4, '{\n  "current_round": 1,\n  "stage": "open",\n  "note": "\\ud800"\n}'),
    "nothing": (1, ""),
    "something else": (1, "[]"),
    "text behind the end": (4, '{\n  "current_round": 1, "stage": "open"\n}\n!'),
}


@pytest.mark.parametrize(("line", "text"), BROKEN.values(), ids=BROKEN)
def test_g17_a_malformed_file_is_refused_with_its_line(line: int, text: str) -> None:
    assert refused(State, text).line == line


def test_g17_a_reason_names_the_place_of_a_wrong_value_deep_inside() -> None:
    raw = text_of(MatchReport).decode().split("\n")
    wrong = max(index for index, line in enumerate(raw) if '"winner"' in line)
    raw[wrong] = raw[wrong].replace("left", "both")
    error = refused(MatchReport, "\n".join(raw))
    assert error.line == wrong + 1
    assert error.reason.startswith("duels.1.winner: ")


def test_g17_a_key_missing_in_an_entry_is_told_with_the_entrys_line() -> None:
    error = refused(
        Outputs, '{\n  "a": {"png": null, "generation_time": 0, "size": 0,\n  "attempts": 1}\n}'
    )
    assert (error.line, error.reason.split(":")[0]) == (2, "a.distance")


def test_g17_bytes_that_are_not_utf8_are_told_with_their_line() -> None:
    error = refused(State, b'{\n"stage":\n"\xff"}')
    assert (error.line, error.reason) == (3, "not UTF-8")


def test_g17_the_repeated_key_named_stands_on_the_line_named() -> None:
    text = '{\n "x": 1,\n "x": 2,\n "y": {"z": 1,\n  "z": 2}\n}'
    error = refused(State, text)
    named = error.reason.split("'")[1]
    assert f'"{named}"' in text.split("\n")[error.line - 1]


def test_g17_a_wrong_value_inside_wrapped_transitions_is_told_with_its_line() -> None:
    lines = (
        json.dumps({"transitions": DOCUMENTS[Leader]}, indent=2).replace("0.9", '"0.9"').split("\n")
    )
    assert refused(Leader, "\n".join(lines)).line == next(
        n for n, line in enumerate(lines, 1) if '"0.9"' in line
    )


@pytest.mark.parametrize("depth", [150, 250, 900, 990, 10_000])
@every_file
def test_g17_endless_nesting_is_refused(kind: type[StateFile], raw: bytes, depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"), (b'{"transitions":[', b"]}")):
        refused(kind, opening * depth + closing * depth)
        refused(kind, opening * depth + b'{"a": 1, "a": 1}' + closing * depth)
    assert kind.parse(raw, "the valid file")


def test_g17_a_megabyte_of_nesting_is_refused() -> None:
    refused(Leader, b'{"transitions":[' * 100_000 + b"]}" * 100_000)


def test_a_switch_is_no_number_and_a_text_no_number() -> None:
    for wrong in ("true", '"7"', "7.0", "null"):
        refused(State, f'{{"current_round": {wrong}, "stage": "open"}}')


def test_effective_blocks_strictly_increase() -> None:
    refused(Leader, text_of(Leader).replace(b'"effective_block": 200', b'"effective_block": 100'))


@pytest.mark.parametrize("kind", DOCUMENTS)
@settings(max_examples=30)
@given(raw=st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_g17_any_bytes_are_read_or_refused(kind: type[StateFile], raw: bytes) -> None:
    read_or_refused(kind, raw)


FRAGMENTS = [
    b'"',
    b"{",
    b"]",
    b"NaN",
    b"-1",
    b"1e400",
    b"\xff",
    b"\n",
    b'"a":1,"a":1',
    b"null",
    b"\\ud800",
    b",",
    b"true",
]


@pytest.mark.parametrize("kind", DOCUMENTS)
@settings(max_examples=60)
@given(data=st.data())
def test_g17_a_valid_file_spoilt_anywhere_is_read_or_refused(
    kind: type[StateFile], data: st.DataObject
) -> None:
    raw = text_of(kind)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 20)))
        raw = (
            raw[:start] + data.draw(st.sampled_from(FRAGMENTS) | st.binary(max_size=3)) + raw[end:]
        )
    read_or_refused(kind, raw)


def read_or_refused(kind: type[StateFile], raw: bytes) -> None:
    """Read, and written so that it can be read again; or refused with a line that the file has."""
    try:
        read = kind.parse(raw, "a file")
    except MalformedFile as error:
        assert 1 <= error.line <= raw.count(b"\n") + 1
    else:
        assert kind.parse(read.to_bytes(), "what was written") == read
        assert read.to_bytes(replacing=raw) == raw


MATRIX = b"left,right,margin\nleader,5a,0.05\n5a,5b,-0.1\nleader,5c,100.0"


def test_a_matrix_is_written_as_it_was_read() -> None:
    matrix = Matrix.parse(MATRIX, "matches_matrix.csv")
    assert matrix.matches == (
        Match("leader", "5a", 0.05),
        Match("5a", "5b", -0.1),
        Match("leader", "5c", 100.0),
    )
    assert matrix.to_bytes() == MATRIX
    by_hand = MATRIX.replace(b"0.05", b"0.050").replace(b"\n", b"\r\n") + b"\r\n"
    assert Matrix.parse(by_hand, "matches_matrix.csv").to_bytes(replacing=by_hand) == by_hand


def test_a_match_is_appended_to_the_matrix() -> None:
    matrix = Matrix.parse(MATRIX, "matches_matrix.csv").plus(Match("5b", "5c", 1 / 3))
    assert matrix.to_bytes(replacing=MATRIX) == MATRIX + b"\n5b,5c,0.3333333333333333"
    assert matrix.margins[("5b", "5c")] == 1 / 3


BROKEN_MATRICES = {
    "nothing": (1, b""),
    "no header": (1, b"leader,5a,0.05"),
    "a field short": (3, b"left,right,margin\nleader,5a,0.05\nleader,5b"),
    "a field more": (2, b"left,right,margin\nleader,5a,0.05,1"),
    "an empty name": (2, b"left,right,margin\n,5a,0.05"),
    "no number": (4, b"left,right,margin\nleader,5a,0.05\n\nleader,5b,big"),
    "NaN": (2, b"left,right,margin\nleader,5a,nan"),
    "infinity": (2, b"left,right,margin\nleader,5a,1e999"),
    "a pair twice": (3, b"left,right,margin\nleader,5a,0.05\nleader,5a,0.06"),
    "not UTF-8": (3, b"left,right,margin\nleader,5a,0.05\nleader,\xff,0.06"),
}


@pytest.mark.parametrize(("line", "raw"), BROKEN_MATRICES.values(), ids=BROKEN_MATRICES)
def test_g17_a_malformed_matrix_is_refused_with_its_line(line: int, raw: bytes) -> None:
    with pytest.raises(MalformedFile) as caught:
        Matrix.parse(raw, "matches_matrix.csv")
    assert (caught.value.path, caught.value.line) == ("matches_matrix.csv", line)


@settings(max_examples=100)
@given(
    st.binary()
    | st.text("lr,;0.5\n-e\"'é").map(lambda text: b"left,right,margin\n" + text.encode())
)
def test_g17_any_bytes_are_a_matrix_or_refused(raw: bytes) -> None:
    try:
        matrix = Matrix.parse(raw, "matches_matrix.csv")
    except MalformedFile:
        return
    assert Matrix.parse(matrix.to_bytes(), "what was written") == matrix
