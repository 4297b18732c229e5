"""Texts from outside, shown and logged: every character shows, none is a command to a terminal,
none is a key of ours, and a long one is cut.
"""

import base64
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.competition.faults import InfrastructureFault, MinerFault, TryLater
from gen404_assets.competition.plain_text import LONGEST, keep_secret, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a reason", "a reason"),
        ("Straße, 中文, ✓", "Straße, 中文, ✓"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("over\rwritten", "over\\rwritten"),
        ("gnp.\u202eexe", "gnp.\\u202eexe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028break\u0085", "line\\u2028break\\x85"),
        ("half\ud800", "half\\ud800"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_every_character_shows(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text())
def test_nothing_hidden_is_left_and_plain_text_stays(text: str) -> None:
    shown = plain(text)
    left = {unicodedata.category(letter) for letter in shown} - {"Cc"}
    assert not left & {"Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not [letter for letter in shown if letter < " " and letter not in "\n\t"]
    assert plain(shown) == shown
    shown.encode()


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    assert plain("x" * 10_000_000) == f"{'x' * LONGEST}… (10,000,000 characters)"


@pytest.mark.parametrize("fault", [MinerFault, TryLater, InfrastructureFault])
def test_a_fault_quotes_the_outside_in_plain_text(fault: type[Exception]) -> None:
    assert str(fault(f"status 500: \x1b[31m{'x' * 9000}")).startswith("status 500: \\x1b[31mxxx")
    assert len(str(fault("x" * 1_000_000))) < LONGEST + 50


def test_a_key_that_a_server_says_again_is_hidden_however_it_was_sent() -> None:
    key = "canary/key+4711"
    keep_secret(key)
    basic = base64.b64encode(f"x-access-token:{key}".encode()).decode()
    echoed = f"Bearer {key}, Basic {basic}, ?key=canary%2Fkey%2B4711"
    assert str(InfrastructureFault(echoed)) == "Bearer ***, Basic ***, ?key=***"
    assert "canary" not in plain("y" * (LONGEST - 5) + key), "hidden before it is cut"


def test_a_short_word_is_no_key_that_texts_are_searched_for() -> None:
    keep_secret("any")
    assert plain("any word") == "any word"
