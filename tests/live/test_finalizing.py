"""FINALIZING: one entry of the leader's a round, also where people set a stage back, extend the
competition, or disqualify a winner after it was crowned.
"""

import json

import pytest

from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.round import LEADERS, STATE
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.competition.winner import Winner
from gen404_assets.live.finalizing import finalize
from gen404_assets.live.judging import crown_winner, judge_matches
from gen404_assets.replay.result import Finding
from gen404_assets.replay.rounds import replay_round
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, generating, now, stage, work
from tests.live.test_judging import audited, skilled

FINE, GOOD = MINERS[:2]
FOUNDER = MINERS[-1]


def crowned(**config: object) -> SimulatedOutside:
    """Round 0 is won by FINE; GOOD would be next, then the leader."""
    outside = dueling([FINE, GOOD], **config)
    skilled(outside, {LEADER: 9, FINE: 1, GOOD: 4})
    judge_matches(work(outside))
    audited(outside, FINE, "passed")
    crown_winner(work(outside))
    assert winner(outside) == FINE
    return outside


def defended(**config: object) -> SimulatedOutside:
    """Round 0, in which nobody beats the leader, waits to be finalised."""
    outside = dueling([FINE], **config)
    skilled(outside, {LEADER: 1, FINE: 9})
    judge_matches(work(outside))
    crown_winner(work(outside))
    assert winner(outside) == LEADER
    return outside


def winner(outside: SimulatedOutside) -> str:
    raw = outside.repository.head.read("rounds/0/winner.json")
    assert raw is not None
    return Winner.parse(raw, "winner.json").winner_hotkey


def leaders(outside: SimulatedOutside) -> list[tuple[str, float, int]]:
    raw = outside.repository.head.read(LEADERS)
    assert raw is not None
    entries = Leader.parse(raw, LEADERS).root
    return [(entry.hotkey, round(entry.weight, 3), entry.effective_block) for entry in entries]


def disqualify(outside: SimulatedOutside, hotkey: str) -> None:
    """A person's late verdict on a candidate."""
    verdicts = [{"hotkey": hotkey, "verdict": "failed", "reason": "copied"}]
    by_hand(outside, {"rounds/0/source_audit.json": verdicts})


def set_stage(outside: SimulatedOutside, to: Stage) -> None:
    by_hand(outside, {STATE: {"current_round": 0, "stage": to, "next_stage_eta": None}})


def by_hand(outside: SimulatedOutside, files: dict[str, object]) -> None:
    content = {path: json.dumps(value, indent=2).encode() for path, value in files.items()}
    outside.repository.commit(dict(content), "By hand")


def replays_clean(outside: SimulatedOutside) -> None:
    replayed = replay_round(outside.repository.history(), 0, Rules())
    wrong = [
        (file.path, *map(str, file.differences))
        for file in replayed.files
        if file.finding not in {Finding.IDENTICAL, Finding.NOT_DERIVABLE}
    ]
    assert not wrong


def judged_again(outside: SimulatedOutside) -> None:
    """Judging goes on until there is a winner, whose audits pass."""
    judge_matches(work(outside))
    audited(outside, GOOD, "passed")
    crown_winner(work(outside))


def test_a_winner_who_was_disqualified_since_is_no_winner_when_a_person_sets_the_stage_back() -> (
    None
):
    outside = crowned()
    disqualify(outside, FINE)
    set_stage(outside, Stage.DUELS)
    judged_again(outside)
    assert winner(outside) == GOOD
    finalize(work(outside))
    assert [hotkey for hotkey, *_ in leaders(outside)] == [FOUNDER, GOOD]
    replays_clean(outside)


def test_a_winner_who_was_disqualified_before_the_round_is_finalised_does_not_lead() -> None:
    outside = crowned()
    disqualify(outside, FINE)
    head = outside.repository.head
    with pytest.raises(MalformedFile, match=r"winner\.json:1: .*set the stage back to duels"):
        finalize(work(outside))
    assert outside.repository.head is head

    typed = json.loads(head.read("rounds/0/winner.json") or b"")
    by_hand(outside, {"rounds/0/winner.json": typed | {"note": "decided by the owners"}})
    finalize(work(outside))
    assert leaders(outside)[-1][0] == FINE


def test_what_a_round_lacks_that_a_person_ended_early_is_explained_by_the_person() -> None:
    outside = generating([FINE], last_competition_date="2026-02-01")
    typed = {"winner_hotkey": LEADER, "repo": "founder/model", "commit": "f" * 40}
    by_hand(
        outside,
        {
            "rounds/0/winner.json": typed | {"docker_image": "image:first"},
            STATE: {"current_round": 0, "stage": "finalizing", "next_stage_eta": None},
        },
    )
    finalize(work(outside))
    replayed = replay_round(outside.repository.history(), 0, Rules())
    lacking = {file.path for file in replayed.files if file.explained}
    assert {f"rounds/0/{name}" for name in ("builds.json", "matches_matrix.csv")} <= lacking
    assert (replayed.wrong, replayed.changed_by_people) == (False, True)


def test_a_winner_who_still_follows_keeps_its_file_to_the_byte() -> None:
    outside = crowned()
    path = "rounds/0/winner.json"
    before = (outside.repository.head.read(path) or b"").replace(b"{\n", b'{\n  "extra": 1,\n')
    outside.repository.commit({path: before}, f"Round 0 winner: {FINE}")
    set_stage(outside, Stage.DUELS)
    crown_winner(work(outside))
    assert stage(outside) is Stage.FINALIZING
    assert outside.repository.head.read(path) == before


def test_a_competition_that_is_extended_and_finalised_again_decays_no_weight_twice() -> None:
    outside = defended(last_competition_date="2026-01-05")
    finalize(work(outside))
    assert stage(outside) is Stage.FINISHED
    once = leaders(outside)
    assert [weight for _, weight, _ in once] == [0.5, 0.4]

    outside.chain.number += 3 * 7200  # three days later
    config = json.loads(outside.repository.head.read("config.json") or b"")
    by_hand(outside, {"config.json": config | {"last_competition_date": "2026-02-01"}})
    set_stage(outside, Stage.FINALIZING)
    finalize(work(outside))
    assert (stage(outside), now(outside).number) == (Stage.OPEN, 1)
    assert leaders(outside) == once
    replays_clean(outside)


def test_a_leader_that_a_person_rolled_back_is_entered_anew() -> None:
    outside = defended(last_competition_date="2026-01-05")
    before = json.loads(outside.repository.head.read(LEADERS) or b"")
    finalize(work(outside))
    config = json.loads(outside.repository.head.read("config.json") or b"")
    state = {"current_round": 0, "stage": "finalizing", "next_stage_eta": None}
    longer = config | {"last_competition_date": "2026-02-01"}
    by_hand(outside, {LEADERS: before, STATE: state, "config.json": longer})
    outside.chain.number += 3 * 7200
    finalize(work(outside))
    schedule = now(outside).schedule
    assert schedule is not None
    assert leaders(outside)[1:] == [(FOUNDER, 0.4, schedule.latest_reveal_block)]
    replays_clean(outside)


@pytest.mark.parametrize("days", [0, 3])
def test_another_winner_after_the_next_round_was_opened_replaces_the_leader(days: int) -> None:
    outside = crowned(last_competition_date="2026-02-01")
    finalize(work(outside))
    first = now(outside).schedule
    assert first is not None
    assert leaders(outside)[-1] == (FINE, 1.0, first.latest_reveal_block)

    outside.chain.number += days * 7200
    disqualify(outside, FINE)
    set_stage(outside, Stage.DUELS)
    judged_again(outside)
    finalize(work(outside))
    second = now(outside).schedule
    assert second is not None
    buffer = 3600 * now(outside).config.finalization_buffer_hours // 12
    assert second.latest_reveal_block - outside.chain.number >= buffer
    if days:  # what was in effect stays on record
        assert [hotkey for hotkey, *_ in leaders(outside)] == [FOUNDER, FINE, GOOD]
    else:
        assert second == first
        assert [hotkey for hotkey, *_ in leaders(outside)] == [FOUNDER, GOOD]
    assert leaders(outside)[-1] == (GOOD, 1.0, second.latest_reveal_block)
    replays_clean(outside)


def test_a_leader_at_the_floor_leads_again_when_the_winner_in_effect_is_disqualified() -> None:
    outside = crowned(last_competition_date="2026-02-01", weight_floor=0.5)
    finalize(work(outside))
    outside.chain.number += 3 * 7200
    disqualify(outside, FINE)
    set_stage(outside, Stage.DUELS)
    skilled(outside, {LEADER: 1, FINE: 1, GOOD: 9})
    audited(outside, GOOD, "rejected")
    judge_matches(work(outside))
    crown_winner(work(outside))
    assert winner(outside) == LEADER
    finalize(work(outside))
    assert [(hotkey, weight) for hotkey, weight, _ in leaders(outside)] == [
        (FOUNDER, 0.5),
        (FINE, 1.0),
        (FOUNDER, 0.5),
    ]
    replays_clean(outside)
