"""A run of any lane that fails for the outside leaves word of what the lane waits for, until one
goes well.
"""

import pytest

from gen404_assets.commands.operating import pause
from gen404_assets.commands.status import status, status_text
from gen404_assets.competition.builds import BuildRun
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live.building import track_builds
from gen404_assets.live.collecting import collect
from gen404_assets.live.lane_run import run_lane
from gen404_assets.live.work import Overtaken, Work
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import generating, work


@pytest.fixture
def outside() -> SimulatedOutside:
    return generating(MINERS[:2])


def shown(outside: SimulatedOutside) -> str:
    """What an operator sees."""
    return status_text(status(outside))  # type: ignore[arg-type]


def store_down(outside: SimulatedOutside) -> None:
    def put(*_: object) -> str:
        raise InfrastructureFault("object store: put x: 503")

    outside.store.put = put  # type: ignore[method-assign,assignment]


def test_g01_what_a_collection_fails_for_is_shown_until_it_goes_well(
    outside: SimulatedOutside,
) -> None:
    put = outside.store.put
    store_down(outside)
    with pytest.raises(InfrastructureFault):
        run_lane(work(outside), Lane.COLLECTION, collect)
    assert f"object store: put x: 503, since {outside.now():%Y-%m-%dT}" in shown(outside)
    outside.store.put = put  # type: ignore[method-assign]
    run_lane(work(outside), Lane.COLLECTION, collect)
    assert outside.waiting.for_lane(Lane.COLLECTION) is None
    assert "object store" not in shown(outside)


def test_an_outage_that_several_runs_meet_began_with_the_first(outside: SimulatedOutside) -> None:
    store_down(outside)
    seen = []
    for _ in range(2):
        with pytest.raises(InfrastructureFault):
            run_lane(work(outside), Lane.COLLECTION, collect)
        seen.append(outside.waiting.for_lane(Lane.COLLECTION))
        outside.chain.number += 100
    assert seen[0] == seen[1]


def test_lanes_wait_apart(outside: SimulatedOutside) -> None:
    store_down(outside)
    with pytest.raises(InfrastructureFault):
        run_lane(work(outside), Lane.COLLECTION, collect)
    run_lane(work(outside), Lane.BUILDS, lambda _: None)
    assert outside.waiting.for_lane(Lane.BUILDS) is None
    assert outside.waiting.for_lane(Lane.COLLECTION) is not None


def test_a_round_that_went_on_is_no_fault_and_nothing_is_waited_for(
    outside: SimulatedOutside,
) -> None:
    def overtaken(_: Work) -> None:
        pause(outside, "")  # type: ignore[arg-type]
        raise Overtaken("round 0 is paused now")

    messages: list[str] = []
    outside.waiting.begin(Lane.COLLECTION, "what was before", outside.now())
    run_lane(work(outside, messages=messages), Lane.COLLECTION, overtaken)
    assert messages == ["nothing to do: round 0 is paused now"]
    assert outside.waiting.for_lane(Lane.COLLECTION) is None


def test_a_bug_is_no_wait(outside: SimulatedOutside) -> None:
    def broken(_: Work) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_lane(work(outside), Lane.COLLECTION, broken)
    assert outside.waiting.for_lane(Lane.COLLECTION) is None


def test_a_github_that_does_not_answer_is_shown_while_builds_are_followed(
    outside: SimulatedOutside,
) -> None:
    """The run goes on, and asks again."""
    shown_meanwhile: list[str] = []
    ask = outside.builds.workflow_run

    def out_of_order(number: int) -> BuildRun | None:
        if not shown_meanwhile:
            shown_meanwhile.append("")
            raise InfrastructureFault("GitHub answers 503 to commits")
        shown_meanwhile.append(shown(outside))
        outside.builds.workflow_run = ask  # type: ignore[method-assign]
        return ask(number)

    outside.builds.run = BuildRun(ended=True, jobs=dict.fromkeys(MINERS[:2], "success"))
    outside.builds.workflow_run = out_of_order  # type: ignore[method-assign]
    run_lane(work(outside), Lane.BUILDS, track_builds)
    assert "waits for GitHub answers 503 to commits" in shown_meanwhile[-1]
    assert outside.waiting.for_lane(Lane.BUILDS) is None
