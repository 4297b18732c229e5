"""Leader: who leads from which block, and what a round's result makes of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.builds import Build, Builds, BuildStatus
from gen404_assets.competition.leader import Leader, Transition
from gen404_assets.competition.succession import continue_leader
from gen404_assets.competition.winner import Winner, crown
from simulators.examples import COMMIT, MINER, MINERS, RULES, config

OTHER = COMMIT[::-1]
FIRST = Transition(
    hotkey=MINERS[5],
    repo="owner/leader",
    commit=COMMIT,
    docker="leader-image",
    weight=1.0,
    effective_block=100,
)
DEFENDED = Winner(
    winner_hotkey="leader", repo="owner/leader", commit=COMMIT, docker_image="leader-image"
)


def leading(*entries: tuple[float, int]) -> Leader:
    """`FIRST` with these (weight, block) transitions."""
    return Leader(
        [
            FIRST.model_copy(update={"weight": weight, "effective_block": block})
            for weight, block in entries
        ]
    )


def test_the_leader_at_a_block_is_the_last_entry_in_effect() -> None:
    leader = leading((1.0, 100), (0.9, 200))
    weights = [entry and entry.weight for entry in map(leader.at, (99, 100, 199, 200, 10**9))]
    assert weights == [None, 1.0, 1.0, 0.9, 0.9]


def test_new_code_takes_over_with_full_weight() -> None:
    winner = Winner(winner_hotkey=MINER, repo="owner/new", commit=OTHER, docker_image="new-image")
    after = continue_leader(leading((0.5, 100)), winner, 300, config(), RULES)
    assert after.root[:-1] == leading((0.5, 100)).root
    assert after.root[-1] == Transition(
        hotkey=MINER,
        repo="owner/new",
        commit=OTHER,
        docker="new-image",
        weight=1.0,
        effective_block=300,
    )


@pytest.mark.parametrize("code", [("owner/leader", OTHER), ("owner/new", COMMIT)])
def test_code_is_new_if_repo_or_commit_differs(code: tuple[str, str]) -> None:
    winner = Winner(winner_hotkey=MINER, repo=code[0], commit=code[1], docker_image="image")
    assert (
        continue_leader(leading((0.5, 100)), winner, 300, config(), RULES).root[-1].hotkey == MINER
    )


def test_a_defence_decays_the_weight() -> None:
    after = continue_leader(leading((1.0, 100)), DEFENDED, 300, config(), RULES)
    assert after.root[-1] == FIRST.model_copy(update={"weight": 0.9, "effective_block": 300})


def test_the_leaders_own_code_under_another_hotkey_is_a_defence() -> None:
    winner = Winner(
        winner_hotkey=MINER, repo="owner/leader", commit=COMMIT, docker_image="other-image"
    )
    after = continue_leader(leading((1.0, 100)), winner, 300, config(), RULES)
    assert after.root[-1] == FIRST.model_copy(update={"weight": 0.9, "effective_block": 300})


def test_the_weight_decays_in_round_numbers_to_the_floor_and_stays() -> None:
    leader = leading((1.0, 100))
    for block in range(200, 1400, 100):
        leader = continue_leader(leader, DEFENDED, block, config(), RULES)
    assert [entry.weight for entry in leader.root] == [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]


def test_the_weight_never_falls_below_the_floor() -> None:
    after = continue_leader(leading((0.25, 100)), DEFENDED, 300, config(), RULES)
    assert after.root[-1].weight == 0.2


def test_at_the_floor_a_defence_adds_no_entry() -> None:
    assert continue_leader(leading((0.2, 100)), DEFENDED, 300, config(), RULES) == leading(
        (0.2, 100)
    )


@settings(max_examples=50)
@given(st.lists(st.booleans(), max_size=15), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_weights_stay_between_floor_and_one_and_entries_keep_their_order(
    wins: list[bool], floor: float, decay: float
) -> None:
    leader = leading((1.0, 100))
    for number, won in enumerate(wins):
        commit = f"{number:040x}"
        winner = (
            Winner(winner_hotkey=MINER, repo="o/n", commit=commit, docker_image="i")
            if won
            else DEFENDED
        )
        leader = continue_leader(
            leader, winner, 200 + number, config(weight_floor=floor, weight_decay=decay), RULES
        )
    assert all(floor <= entry.weight <= 1 for entry in leader.root)
    assert Leader.parse(leader.to_bytes(), "leader.json") == leader


def test_the_winner_takes_code_and_image_from_its_build() -> None:
    build = Build(
        repo="owner/new",
        commit=OTHER,
        revealed_at_block=7,
        tag="t",
        status=BuildStatus.SUCCESS,
        docker_image="image:t",
    )
    expected = Winner(winner_hotkey=MINER, repo="owner/new", commit=OTHER, docker_image="image:t")
    assert crown(MINER, Builds({MINER: build}), FIRST) == expected


def test_the_leader_that_defended_takes_them_from_its_entry() -> None:
    assert crown("leader", None, FIRST) == DEFENDED
