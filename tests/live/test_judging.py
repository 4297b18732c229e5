"""DUELS: matches are played in the order of the rules, whole or not at all, and audits asked for as
they become due.
"""

import json

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.round import miner_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.live.collecting import collect
from gen404_assets.live.finalizing import finalize
from gen404_assets.live.judging import crown_winner, judge_matches
from gen404_assets.replay.rounds import replay_round
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import baseline, dueling, generating, now, stage, work


def skilled(outside: SimulatedOutside, penalties: dict[str, int]) -> None:
    """The judge finds each hotkey's pictures that bad."""
    outside.judging.penalty = lambda url: penalties[url.split("/")[5]]


def audited(outside: SimulatedOutside, hotkey: str, outcome: str, source: str = "passed") -> None:
    """Both audits of a candidate are in."""
    folder = f"rounds/{now(outside).number}"
    audits = json.loads(outside.repository.head.read(f"{folder}/generation_audits.json") or b"{}")
    counts = {
        "checked_prompts": 4,
        "failed_prompts": 0,
        "failed_critical": 0,
        "generation_time": 9.0,
        "reason": "",
    }
    audits[hotkey] = {"hotkey": hotkey, "outcome": outcome, **counts}
    sources = json.loads(outside.repository.head.read(f"{folder}/source_audit.json") or b"[]")
    sources.append({"hotkey": hotkey, "verdict": source, "reason": ""})
    files = {"generation_audits.json": audits, "source_audit.json": sources}
    outside.repository.commit(
        {
            f"{folder}/{name}": json.dumps(content, indent=2).encode()
            for name, content in files.items()
        },
        "Audits",
    )


def played(outside: SimulatedOutside) -> list[tuple[str, str]]:
    return [match.pair for match in now(outside).matrix.matches]


FINE, GOOD, POOR = MINERS[:3]


def test_g05_no_duel_before_the_baseline_is_complete() -> None:
    outside = generating([FINE])
    collect(work(outside))
    judge_matches(work(outside))
    assert played(outside) == [], "a leader without files would lose every duel unasked"
    baseline(outside)
    path = miner_path(0, LEADER, "generated.json")
    entries = json.loads(outside.repository.head.read(path) or b"")
    whole = {path: json.dumps(entries).encode()}
    entries[min(entries)] |= {"glb": None, "png": None, "attempts": 2}  # the third may yet make it
    outside.repository.commit({path: json.dumps(entries).encode()}, "Spoil one")
    judge_matches(work(outside))
    assert played(outside) == []
    assert not outside.judging.asked
    outside.repository.commit(whole, "Mend it")
    judge_matches(work(outside))
    assert played(outside) == [(LEADER, FINE)]


def test_a_round_is_played_to_its_winner_and_replays_clean() -> None:
    outside = dueling([POOR, GOOD, FINE])
    skilled(outside, {LEADER: 6, POOR: 8, GOOD: 3, FINE: 1})
    judge_matches(work(outside))
    assert played(outside) == [(LEADER, POOR), (LEADER, GOOD), (LEADER, FINE), (GOOD, FINE)]
    assert [request.hotkey for request in now(outside).requests.root] == [GOOD, FINE]
    crown_winner(work(outside))
    assert now(outside).winner is None, "nobody has been approved yet"
    audited(outside, GOOD, "passed")
    audited(outside, FINE, "passed")
    crown_winner(work(outside))
    winner = now(outside).winner
    assert winner is not None
    assert (winner.winner_hotkey, stage(outside)) == (FINE, Stage.FINALIZING)
    finalize(work(outside))
    assert now(outside).leaders.root[-1].hotkey == FINE
    replayed = replay_round(outside.repository.history(), 0, Rules())
    differing = {
        file.path: file.differences for file in replayed.files if file.finding == "differs"
    }
    assert set(differing) <= {"rounds/0/generation_audits.json"}, (
        "the audits were typed, not derived"
    )


def test_g01_a_judge_out_of_order_records_nothing_and_what_it_has_answered_is_played_on() -> None:
    outside = dueling([FINE, POOR])
    outside.judging.fault = "connection refused"
    with pytest.raises(InfrastructureFault):
        judge_matches(work(outside))
    assert not played(outside)
    assert stage(outside) is Stage.DUELS
    outside.judging.fault = ""
    judge_matches(work(outside))
    assert played(outside)[:2] == [(LEADER, FINE), (LEADER, POOR)]


def test_a_rejection_draws_the_line_again_and_replays_no_match() -> None:
    outside = dueling([GOOD, FINE])
    skilled(outside, {LEADER: 6, GOOD: 3, FINE: 1})
    judge_matches(work(outside))
    audited(outside, FINE, "rejected")
    before = played(outside)
    judge_matches(work(outside))
    assert played(outside) == before
    audited(outside, GOOD, "passed")
    crown_winner(work(outside))
    winner = now(outside).winner
    assert winner is not None
    assert winner.winner_hotkey == GOOD


def test_g11_a_leader_whose_image_is_gone_loses_to_whoever_has_anything() -> None:
    outside = generating([POOR])
    baseline(outside, complete=False)
    collect(work(outside))
    judge_matches(work(outside))
    assert [match.margin for match in now(outside).matrix.matches] == [100.0]
    assert not outside.judging.asked
    assert [request.hotkey for request in now(outside).requests.root] == [POOR]


def test_g04_a_match_that_was_played_meanwhile_is_not_played_again() -> None:
    outside = dueling([FINE])
    row = f"left,right,margin\nleader,{FINE},-0.25".encode()
    outside.repository.before_push = lambda: _typed(outside, row)
    judge_matches(work(outside))
    assert [match.margin for match in now(outside).matrix.matches] == [-0.25]
    assert outside.repository.messages[-1] == "By hand"


def test_g11_a_request_that_a_person_deleted_does_not_keep_the_winner_from_being_crowned() -> None:
    outside = dueling([FINE])
    skilled(outside, {LEADER: 9, FINE: 1})
    judge_matches(work(outside))
    audited(outside, FINE, "passed")
    outside.repository.commit({"rounds/0/require_audit.json": None}, "By hand")
    judge_matches(work(outside))
    crown_winner(work(outside))
    assert stage(outside) is Stage.FINALIZING


def test_a_winner_that_a_person_entered_stands() -> None:
    outside = dueling([FINE])
    skilled(outside, {LEADER: 1, FINE: 9})
    judge_matches(work(outside))
    typed = json.dumps(
        {"winner_hotkey": FINE, "repo": "owner/model", "commit": "0" * 40, "docker_image": "i"}
    ).encode()
    outside.repository.commit({"rounds/0/winner.json": typed}, "By hand")
    crown_winner(work(outside))
    assert stage(outside) is Stage.FINALIZING
    assert outside.repository.head.read("rounds/0/winner.json") == typed


def _typed(outside: SimulatedOutside, row: bytes) -> None:
    outside.repository.commit({"rounds/0/matches_matrix.csv": row}, "By hand")
