"""OPEN: when the window has closed, submissions, seed and prompts are published together, once."""

import json

import pytest

from gen404_assets.competition.seed import draw_seed
from gen404_assets.competition.state import Stage
from gen404_assets.live.finalizing import finalize
from gen404_assets.live.opening import open_round
from gen404_assets.live.work import Overtaken
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import now, opened, reveal, stage, work


def test_nothing_is_read_before_the_window_has_closed() -> None:
    outside = opened()
    reveal(outside, MINERS[:2])
    outside.chain.number = 599
    open_round(work(outside))
    assert stage(outside) is Stage.OPEN
    assert len(outside.repository.messages) == 1


def test_submissions_seed_and_prompts_come_in_one_commit_with_the_next_stage() -> None:
    outside = opened()
    reveal(outside, MINERS[:3])
    outside.chain.number = 700
    open_round(work(outside))
    current = now(outside)
    assert stage(outside) is Stage.MINER_GENERATION
    assert outside.repository.messages[1:] == ["Seed, prompts and submissions for round 0"]
    assert current.submissions is not None
    assert current.submissions.names == MINERS[:3]
    assert current.seed == draw_seed(600, outside.chain.block(600).hash, "mesh-0")
    assert len(set(current.stems)) == 4
    assert current.state is not None
    assert (
        current.state.next_stage_eta == "2026-01-05T03:00:00Z"
    )  # 60 minutes after the start at 02:00


def test_a_commitment_revealed_after_the_window_does_not_count_however_late_it_is_read() -> None:
    outside = opened()
    reveal(outside, MINERS[:1])
    outside.chain.revealed[MINERS[1]] = [(601, outside.chain.revealed[MINERS[0]][0][1])]
    outside.chain.number = 9000
    open_round(work(outside))
    submissions = now(outside).submissions
    assert submissions is not None
    assert submissions.names == MINERS[:1]


def test_g10_what_one_miner_commits_never_stops_the_round_and_is_told_with_its_reason() -> None:
    outside = opened()
    reveal(outside, MINERS[:1])
    garbage = {MINERS[1]: "\ufffd{{{", MINERS[2]: '{"repo": "../x"}', "leader": "{}"}
    outside.chain.revealed |= {hotkey: [(20, text)] for hotkey, text in garbage.items()}
    outside.chain.number = 600
    said: list[str] = []
    refused = open_round(work(outside, messages=said))
    assert stage(outside) is Stage.MINER_GENERATION
    assert set(refused) == set(garbage)
    assert all(any(line.startswith(hotkey) for line in said) for hotkey in garbage)


def test_g11_without_any_submission_the_leader_has_won_and_the_next_round_opens() -> None:
    outside = opened()
    outside.chain.number = 600
    open_round(work(outside))
    current = now(outside)
    assert stage(outside) is Stage.FINALIZING
    assert current.winner is not None
    assert (current.winner.winner_hotkey, current.winner.docker_image) == ("leader", "image:first")
    finalize(work(outside))
    assert (now(outside).number, stage(outside)) == (1, Stage.OPEN)


def test_opening_again_changes_nothing() -> None:
    outside = opened()
    reveal(outside, MINERS[:2])
    outside.chain.number = 600
    open_round(work(outside))
    head = outside.repository.head
    outside.chain.revealed.clear()
    open_round(work(outside))
    assert outside.repository.head is head


def test_what_a_person_entered_before_the_window_closed_stands() -> None:
    outside = opened()
    reveal(outside, MINERS[:2])
    typed = b'{"seed": 7}'
    outside.repository.commit({"rounds/0/seed.json": typed}, "By hand")
    outside.chain.number = 600
    open_round(work(outside))
    assert stage(outside) is Stage.MINER_GENERATION
    assert outside.repository.head.read("rounds/0/seed.json") == typed


def hold(outside: SimulatedOutside, paused: bytes) -> None:
    outside.repository.commit({"state.json": paused}, "Hold on")


def test_g16_a_pause_that_comes_just_before_the_publication_is_not_overwritten() -> None:
    outside = opened()
    reveal(outside, MINERS[:2])
    outside.chain.number = 600
    paused = json.dumps({"current_round": 0, "stage": "paused", "next_stage_eta": None}).encode()
    outside.repository.before_push = lambda: hold(outside, paused)
    with pytest.raises(Overtaken):
        open_round(work(outside))
    assert outside.repository.messages[-1] == "Hold on"
    assert outside.repository.head.read("state.json") == paused
