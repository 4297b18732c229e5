"""Hotkeys: which texts are ss58 addresses, and which of them the ten-character names confuse."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.hotkeys import confusable, is_hotkey, short, shortened
from simulators.examples import MINER, MINERS
from simulators.hotkeys import to_hotkey

# Substrate's well-known development accounts, as `subkey inspect //Alice` shows them.
KNOWN = {
    "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY": (
        "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
    ),
    "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty": (
        "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48"
    ),
}


@pytest.mark.parametrize(("address", "key"), KNOWN.items())
def test_well_known_accounts_have_their_address(address: str, key: str) -> None:
    assert to_hotkey(bytes.fromhex(key)) == address
    assert is_hotkey(address)


@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32))
def test_every_public_key_has_a_valid_address(key: bytes) -> None:
    assert is_hotkey(to_hotkey(key))


@settings(max_examples=200)
@given(st.integers(0, 47), st.characters())
def test_an_address_with_one_character_changed_is_none(at: int, character: str) -> None:
    changed = MINER[:at] + character + MINER[at + 1 :]
    assert is_hotkey(changed) is (changed == MINER)


@settings(max_examples=100)
@given(st.text(st.characters(exclude_categories=[])))
def test_no_other_text_is_an_address(text: str) -> None:
    assert not is_hotkey(text)


def test_spaces_leading_digits_and_other_networks_addresses_are_none() -> None:
    polkadot = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"  # Alice in Polkadot's format, 0
    assert not any(
        map(is_hotkey, [MINER + " ", " " + MINER, "1" + MINER, MINER[1:], polkadot, "leader", ""])
    )


def test_g24_names_that_differ_in_case_alone_are_confused() -> None:
    hotkeys = ["5AbCdEfGhJxx", "5AbCdEfGhKxx", "5aBcDeFgHjyy", "5AbCdEfGhJzz"]
    assert confusable(hotkeys) == {"5aBcDeFgHjyy": "5AbCdEfGhJxx", "5AbCdEfGhJzz": "5AbCdEfGhJxx"}


def test_g24_hotkeys_are_told_apart_by_ten_characters() -> None:
    assert short(MINER) == MINER[:10]
    assert confusable(MINERS) == {}
    assert confusable([MINER, MINER]) == {}


def test_a_text_is_shortened_by_its_hotkeys_alone() -> None:
    lookalike = f"{MINER[:-1]}{'2' if MINER[-1] != '2' else '3'}"
    text = f"the build of {MINER} (pending), {MINER}, and https://cdn.example/{lookalike}"
    assert shortened(text) == (
        f"the build of {short(MINER)} (pending), {short(MINER)}, and https://cdn.example/{lookalike}"
    )
