"""What miners seal is read whichever SDK they seal it with: as plain text, or behind a SCALE length
in any mode.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.competition.commitments import read_submissions
from gen404_assets.competition.schedule import Schedule
from resources.chain.opening import open_chain
from resources.chain.subtensor import Chain, read_reveals, revealed_text
from resources.chain.timelock import scale_bytes, seal, unseal
from simulators.chain_node import Node, listening
from simulators.examples import COMMIT, MINER, MINERS

SHARED = Path(__file__).resolve().parents[4] / "shared"
WINDOW = Schedule(earliest_reveal_block=0, latest_reveal_block=90, generation_deadline_block=800)
FIELDS = {"repo": "somebody/model", "commit": COMMIT, "cdn_url": "https://cdn.example.org/round"}
TEXT = json.dumps(FIELDS)


def compact(number: int, mode: int) -> bytes:
    """A compact number in the mode of that many bytes; 5 or more for the big-integer mode."""
    if mode < 5:
        return (number << 2 | {1: 0, 2: 1, 4: 2}[mode]).to_bytes(mode, "little")
    return bytes([(mode - 5) << 2 | 3]) + number.to_bytes(mode - 1, "little")


def shown(data: bytes) -> str:
    """Bytes as the SDK hands them over."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"0x{data.hex()}"


@pytest.fixture
def node_and_chain() -> Iterator[tuple[Node, Chain]]:
    from tests.resources.chain.conftest import GENESIS  # noqa: PLC0415

    node = Node(GENESIS)
    with listening(node) as (_, port):
        opened = open_chain({"SUBTENSOR_NETWORK": f"ws://127.0.0.1:{port}"}, deadline=5)
        yield node, opened
        opened.close()


@given(
    st.binary(max_size=70) | st.text(max_size=70).map(str.encode),
    st.sampled_from([1, 2, 4, 5, 6, 8, 12, 68]),
)
def test_a_length_in_any_mode_is_dropped_if_it_is_that_of_what_follows(
    data: bytes, mode: int
) -> None:
    if mode == 1:
        data = data[:63]
    assert revealed_text(compact(len(data), mode) + data) == data.decode(errors="replace")


@pytest.mark.parametrize(
    "size", [1, 14, 31, 32, 63, 64, 70, 300, 1000, (1 << 14) - 1, 1 << 14, 20_000]
)
def test_the_length_as_the_sdk_writes_it_is_dropped_at_every_size(size: int) -> None:
    for letter in ("x", "é"):
        text = letter * (size // len(letter.encode()))
        assert revealed_text(scale_bytes(text.encode())) == text
        assert read_reveals([(shown(scale_bytes(text.encode())), 5)], at=9) == [(5, text)]


@given(st.binary(max_size=80))
def test_only_a_whole_compact_number_equal_to_what_follows_is_dropped(raw: bytes) -> None:
    modes = (1, 2, 4) if raw and raw[0] & 3 < 3 else (5 + (raw[0] >> 2),) if raw else ()
    framed = any(
        len(raw) >= mode and compact(len(raw) - mode, mode) == raw[:mode]
        for mode in modes
        if len(raw) - mode < 64 or mode > 1
    )
    if not framed:
        assert revealed_text(raw) == raw.decode(errors="replace")


@pytest.mark.parametrize(
    "raw",
    [
        scale_bytes(TEXT.encode()) + b" ",  # bytes after the text
        scale_bytes(TEXT.encode())[:-1],  # cut short
        compact(len(TEXT) + 2, 2) + TEXT.encode(),  # counts itself
        b"\x9d\x02" + TEXT.encode(),  # somebody else's length
        b"\x01",  # half a number
        b"\x03\x05",
        b"\xff" * 20,
        b" " + TEXT.encode(),
    ],
)
def test_what_only_looks_like_a_length_stays(raw: bytes) -> None:
    assert revealed_text(raw) == raw.decode(errors="replace")


def test_an_empty_text_is_empty_with_and_without_its_length() -> None:
    assert revealed_text(b"") == revealed_text(b"\x00") == revealed_text(compact(0, 4)) == ""


def test_a_length_is_dropped_once() -> None:
    once = scale_bytes(TEXT.encode())
    assert revealed_text(scale_bytes(once)) == once.decode(errors="replace")


@pytest.mark.parametrize(
    ("handed_over", "expected"),
    [
        ("0x7b7d", "0x7b7d"),  # the SDK shows {} as {}: this is what the miner wrote
        ("0x", "0x"),
        ("0xFF", "0xFF"),  # nor does it write capitals
        ("0xff7b7d", "\ufffd{}"),  # bytes, or a text that can't be told from them
        ("0xff7b7", "0xff7b7"),
        ("0x" + scale_bytes(TEXT.encode()).hex(), TEXT),
        (scale_bytes(b'{"repo": 1}').decode(), '{"repo": 1}'),  # a length that happens to be UTF-8
        ("\ud800", "\ufffd\ufffd\ufffd"),
    ],
)
def test_a_text_that_begins_as_hex_digits_is_told_from_bytes_where_it_can_be(
    handed_over: str, expected: str
) -> None:
    assert read_reveals([(handed_over, 5)], at=9) == [(5, expected)]


def test_through_a_real_client_both_sdks_and_spread_fields_make_the_same_submission(
    node_and_chain: tuple[Node, Chain],
) -> None:
    node, chain = node_and_chain
    parts = [json.dumps({field: value}).encode() for field, value in FIELDS.items()]
    node.reveals = {
        MINERS[0]: [(TEXT.encode(), 5)],
        MINERS[1]: [(scale_bytes(TEXT.encode()), 5)],
        MINERS[2]: [(scale_bytes(parts[0]), 3), (parts[1], 5), (scale_bytes(parts[2]), 7)],
        MINERS[3]: [(b"\x9d\x02" + TEXT.encode(), 5)],
        MINERS[4]: [(scale_bytes(str(FIELDS).encode()), 5)],
    }
    reading = read_submissions(chain.reveals(90), WINDOW, "mesh-1")
    assert sorted(reading.submissions.names) == sorted([*MINERS[:3], MINERS[4]])
    assert {entry.repo for _, entry in reading.submissions.items()} == {FIELDS["repo"]}
    assert {entry.revealed_at_block for _, entry in reading.submissions.items()} == {5}
    assert reading.refused[MINERS[3]] == "no repo, commit, cdn_url revealed"


@pytest.mark.parametrize(("sdk", "wanted"), [(10, scale_bytes(TEXT.encode())), (11, TEXT.encode())])
def test_what_either_sdk_seals_opens_with_the_recorded_signature_of_the_real_beacon(
    sdk: int, wanted: bytes
) -> None:
    sealed = seal(TEXT.encode(), sdk)
    assert TEXT.encode() not in sealed
    assert unseal(sealed) == wanted
    assert revealed_text(wanted) == TEXT
    assert unseal(sealed[:-1]) is None


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared cases are not beside the repository")
def test_the_shared_cases_of_commitments_are_read(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SHARED / "cases/make_cases.py"), str(tmp_path)], check=True)
    cases = {path.stem: path.read_bytes() for path in (tmp_path / "commitments").iterdir()}
    assert len(cases) >= 5
    for name, data in cases.items():
        for handed_over in (shown(data), data):
            (reveal,) = read_reveals([(handed_over, 5)], at=9)
            reading = read_submissions({MINER: [reveal]}, WINDOW, "mesh-1")
            if name == "scale-one-byte":
                assert reading.refused[MINER] == "no commit, cdn_url revealed"
            elif name == "plain-that-begins-like-a-prefix":
                assert reading.refused[MINER]
            else:
                assert reading.submissions.names == [MINER], name
