"""Which weights a validator gives, and when (`interfaces.md`, Weights)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.competition.leader import Leader, Transition
from gen404_assets.competition.weights import (
    HELD_BACK,
    SET_EVERY,
    Acted,
    StaleLeaders,
    shares,
    why_not,
)

OWNER = 199


def entry(block: int, hotkey: str = "first", weight: float = 1.0) -> Transition:
    return Transition(
        hotkey=hotkey,
        repo="a/b",
        commit="0" * 40,
        docker=None,
        weight=weight,
        effective_block=block,
    )


def leaders(*entries: Transition) -> Leader:
    return Leader(list(entries))


def test_the_leader_has_its_weight_and_the_owner_the_rest() -> None:
    assert shares(entry(1, weight=0.75), {"first": 3}, OWNER) == {3: 0.75, OWNER: 0.25}
    assert shares(entry(1), {"first": 3}, OWNER) == {3: 1.0}


@pytest.mark.parametrize(
    ("leader", "uids"),
    [
        (None, {"first": 3}),
        (entry(1), {"second": 3}),
        (entry(1), {"first": OWNER}),
        (entry(1, weight=0.0), {"first": 3}),
    ],
    ids=["nobody leads", "not registered", "the owner leads", "no weight"],
)
def test_the_owner_has_all_where_the_leader_can_have_nothing(
    leader: Transition | None, uids: dict[str, int]
) -> None:
    assert shares(leader, uids, OWNER) == {OWNER: 1.0}


@given(st.floats(0, 1), st.integers(0, 300))
def test_shares_always_sum_to_one_and_none_is_negative(weight: float, uid: int) -> None:
    given_weights = shares(entry(1, weight=weight), {"first": uid}, OWNER)
    assert sum(given_weights.values()) == pytest.approx(1)
    assert all(each > 0 for each in given_weights.values())


def test_half_an_hour_is_150_blocks_and_25_minutes_are_125() -> None:
    assert (SET_EVERY, HELD_BACK) == (150, 125)


def test_the_same_weights_are_set_again_after_half_an_hour() -> None:
    known, acted = leaders(entry(10)), Acted("sha", entry(10), 1000)
    assert why_not(known, 1149, acted).text == "set at block 1000, again at 1150, and it is 1149"
    assert why_not(known, 1150, acted).text == ""
    assert why_not(known, 1000, None).text == ""


def test_a_change_is_set_at_once_when_it_takes_effect() -> None:
    for changed in (entry(1010, "second"), entry(1010, weight=0.9)):
        known, acted = leaders(entry(10), changed), Acted("sha", entry(10), 1000)
        assert why_not(known, 1010, acted).text == ""
        assert not why_not(known, 1010, acted).held_back


@pytest.mark.parametrize("changed", [entry(2000, "second"), entry(2000, weight=0.9)])
def test_nothing_is_set_in_the_25_minutes_before_a_change(changed: Transition) -> None:
    known = leaders(entry(10), changed)
    assert why_not(known, 1874, None).text == ""
    for block in (1875, 1999):
        reason = why_not(known, block, None)
        assert reason.held_back
        assert reason.text == f"the leader's entry changes at block 2000, and it is {block}"


def test_an_entry_that_changes_nothing_holds_nothing_back() -> None:
    known = leaders(entry(10), entry(1100), entry(1110, "second"))
    assert why_not(known, 1099, None).text.startswith("the leader's entry changes at block 1110")
    assert why_not(leaders(entry(10), entry(1100)), 1099, None).text == ""


def test_a_first_leader_that_comes_is_a_change() -> None:
    assert why_not(leaders(entry(100)), 50, None).held_back


@pytest.mark.parametrize("now", [leaders(entry(10)), leaders(entry(2000))])
def test_a_file_that_has_lost_the_entry_that_was_acted_on_is_stale(now: Leader) -> None:
    with pytest.raises(StaleLeaders, match="has lost the entry of block 900"):
        why_not(now, 1000, Acted("sha", entry(900, "second"), 950))


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000))
def test_weights_are_never_put_off_for_more_than_half_an_hour_and_the_hold(
    set_at: int, change: int, passed: int
) -> None:
    """Whatever comes, some block of the next 150 + 125 is one at which they are set."""
    known = leaders(entry(0), entry(max(1, change), "second"))
    block = set_at + passed
    acted = Acted("sha", known.at(set_at), set_at)
    asked = range(block, block + SET_EVERY + HELD_BACK + 1)
    assert any(not why_not(known, each, acted).text for each in asked)
