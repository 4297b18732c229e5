"""Baselines and audits: what a person changes meanwhile stands, a hiccup costs no pods, no image
holds up a round.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.outputs import Output, Outputs, PodStatsFile
from gen404_assets.competition.state import WITH_IMAGES
from gen404_assets.live.auditing import audit_candidates, make_baseline
from gen404_assets.live.judging import judge_matches
from gen404_assets.live.publishing import PublishedOutputs
from gen404_assets.live.regenerating import Cancelled
from gen404_assets.live.work import Derive
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
        measured = regenerate(*arguments)
        outside.repository.commit({PATH: typed}, "By hand")
        return measured

    instead(outside, meanwhile, monkeypatch)
    make_baseline(work(outside))
    assert outside.repository.head.read(PATH) == typed


def test_g01_a_chain_that_is_away_for_a_moment_neither_cancels_nor_fails_what_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = generating(MINERS[:1])
    regenerate, lines, cancelled = outside.regenerate, list[str](), list[bool]()

    def broken() -> None:
        raise InfrastructureFault("no answer")

    def asked(subject: Any, say: Any, progress: Any, unwanted: Callable[[], bool]) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(outside.chain, "finalized", broken)
            cancelled.append(unwanted())
        return regenerate(subject, say, progress, unwanted)

    instead(outside, asked, monkeypatch)
    make_baseline(work(outside, messages=lines))
    assert cancelled == [False]
    assert any("isn't known: no answer" in line for line in lines)
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


def made(*names: str) -> Outputs:
    output = Output(glb="m.glb", png="m.png", generation_time=9.0, size=1, attempts=1, distance=0.0)
    return Outputs(dict.fromkeys(names, output))


def publish(outside: SimulatedOutside, derive: Derive) -> None:
    work(outside).publish(["Update generated"], WITH_IMAGES, derive)


@pytest.mark.parametrize("landed", [0, 1])
def test_outputs_whose_push_hung_do_not_take_back_later_ones(landed: int) -> None:
    """A regeneration ends while its progress is being published; the push gets through later."""
    outside = generating(MINERS[:1])
    published = PublishedOutputs(LEADER, now(outside).baseline)
    hung = published.publication(made("a"), PodStatsFile({}))
    later = [published.publication(made("a", *"bc"[:count]), PodStatsFile({})) for count in (1, 2)]
    publish(outside, later[landed])
    publish(outside, hung)
    assert now(outside).baseline == made("a", *"bc"[: landed + 1])
    publish(outside, later[1])
    assert now(outside).baseline == made("a", "b", "c")


def test_g16_what_a_person_changes_stands_against_a_push_that_hung() -> None:
    outside = generating(MINERS[:1])
    published = PublishedOutputs(LEADER, now(outside).baseline)
    hung = published.publication(made("a"), PodStatsFile({}))
    outside.repository.commit({PATH: b"{}"}, "By hand")
    with pytest.raises(Cancelled, match="somebody has changed"):
        publish(outside, hung)
    assert outside.repository.head.read(PATH) == b"{}"
