"""Baselines and audits: what a person changes meanwhile stands, a hiccup costs no pods, no image
holds up a round.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.live.auditing import audit_candidates, make_baseline
from gen404_assets.live.judging import judge_matches
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, generating, now, work

PATH = f"rounds/0/{LEADER}/generated.json"


def instead(
    outside: SimulatedOutside, regenerate: Callable[..., Any], patch: pytest.MonkeyPatch
) -> None:
    patch.setattr(outside, "regenerate", regenerate)


def test_g11_a_leader_without_an_image_is_closed_by_rule() -> None:
    outside = generating(MINERS[:1])
    leaders = json.loads(outside.repository.head.read("leader.json") or b"")
    leaders[0]["docker"] = None
    outside.repository.commit({"leader.json": json.dumps(leaders).encode()}, "By hand")
    make_baseline(work(outside))
    baseline = now(outside).baseline
    assert baseline is not None
    assert baseline.names == now(outside).stems
    assert all(output.attempts == 3 and output.png is None for _, output in baseline.items())


def test_g16_what_a_person_changes_in_the_results_while_they_are_made_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = generating(MINERS[:1])
    regenerate, typed = outside.regenerate, b"{}"

    def meanwhile(*arguments: Any) -> Any:
        found = regenerate(*arguments)
        outside.repository.commit({PATH: typed}, "By hand")
        return found

    instead(outside, meanwhile, monkeypatch)
    make_baseline(work(outside))
    assert outside.repository.head.read(PATH) == typed


def test_g01_a_chain_that_is_away_for_a_moment_neither_cancels_nor_fails_what_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = generating(MINERS[:1])
    regenerate, said, cancelled = outside.regenerate, list[str](), list[bool]()

    def broken() -> None:
        raise InfrastructureFault("no answer")

    def asked(subject: Any, say: Any, progress: Any, unwanted: Callable[[], bool]) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(outside.chain, "finalized", broken)
            cancelled.append(unwanted())
        return regenerate(subject, say, progress, unwanted)

    instead(outside, asked, monkeypatch)
    make_baseline(work(outside, messages=said))
    assert cancelled == [False]
    assert any("isn't known: no answer" in line for line in said)
    assert now(outside).baseline is not None


def test_pods_of_a_run_before_are_kept_in_the_statistics() -> None:
    outside = dueling(MINERS[:1])
    outside.judging.penalty = lambda url: 9 if LEADER in url else 1
    judge_matches(work(outside))
    path = f"rounds/0/{MINERS[0]}/pod_stats.json"
    pod: dict[str, Any] = {
        "pod_id": "miner-00-x-0",
        "processed": 1,
        "successful": 1,
        "hard_failed": 0,
    }
    pod |= {
        "hard_overtime": 0,
        "time_min": 1.0,
        "time_max": 1.0,
        "time_avg": 1.0,
        "time_median": 1.0,
    }
    pod |= {
        "marked_bad": False,
        "retry_cumulative_delta": 0.0,
        "retry_delta_count": 0,
        "termination_reason": None,
    }
    outside.repository.commit({path: json.dumps({"miner-00-x-0": pod}).encode()}, "Update")
    audit_candidates(work(outside))
    assert now(outside).audits.names == [MINERS[0]]
    assert "miner-00-x-0" in json.loads(outside.repository.head.read(path) or b"{}")
