"""The builds: what GitHub says is recorded, what it doesn't say changes nothing, until the deadline."""

import pytest

from gen404_assets.competition.builds import BuildRun
from gen404_assets.live.building import track_builds
from resources.faults import InfrastructureFault
from tests.live.outside import SimulatedBuilds, SimulatedOutside
from tests.live.rounds import generating, now, work
from tests.rules.examples import MINERS


def statuses(outside: SimulatedOutside) -> list[str]:
    builds = now(outside).builds
    return [build.status.value for _, build in builds.items()] if builds is not None else []


class Told(SimulatedBuilds):
    """GitHub tells one thing after another; the last again and again. A minute passes each time."""

    def __init__(self, outside: SimulatedOutside, *told: BuildRun | str | None) -> None:
        super().__init__()
        self.outside, self.told = outside, list(told)

    def workflow_run(self, number: int) -> BuildRun | None:  # noqa: ARG002
        self.outside.chain.number += 5
        said = self.told.pop(0) if len(self.told) > 1 else self.told[0]
        if isinstance(said, str):
            raise InfrastructureFault(said)
        return said


def test_builds_are_followed_until_all_have_ended() -> None:
    outside = generating(MINERS[:2])
    begun = BuildRun(ended=False, jobs={MINERS[0]: "in_progress"})
    ended = BuildRun(ended=True, jobs={MINERS[0]: "success", MINERS[1]: "failure"})
    outside.builds = Told(outside, begun, "status 502", ended)
    said: list[str] = []
    track_builds(work(outside, said=said))
    assert statuses(outside) == ["success", "failure"]
    builds = now(outside).builds
    assert builds is not None
    assert (builds[MINERS[0]].docker_image or "").endswith(f"/{MINERS[0][:10].lower()}:0123456-mesh-0")
    assert outside.repository.messages.count("Update build statuses for round 0") == 2
    assert any("502" in line for line in said)


def test_g6_a_run_that_nobody_has_listed_yet_ends_no_build_before_the_deadline() -> None:
    outside = generating(MINERS[:1])
    outside.builds = Told(outside, None)
    track_builds(work(outside))
    assert statuses(outside) == ["timed_out"]
    assert outside.chain.number >= 600 + 3 * 3600 / 12


def test_g1_a_github_that_is_out_of_order_past_the_deadline_ends_no_build() -> None:
    outside = generating(MINERS[:1])
    outside.chain.number = 600 + 5 * 3600 // 12
    outside.builds = Told(outside, "status 502", "status 403", BuildRun(ended=True, jobs={MINERS[0]: "success"}))
    track_builds(work(outside))
    assert statuses(outside) == ["success"]


@pytest.mark.parametrize("status", ["success", "failure"])
def test_a_build_that_a_person_entered_stands(status: str) -> None:
    outside = generating(MINERS[:2])
    outside.builds = Told(outside, BuildRun(ended=False, jobs={MINERS[0]: "in_progress"}))
    outside.chain.number = 700
    path = "rounds/0/builds.json"
    image = '"image:by-hand"' if status == "success" else "null"
    entry = (
        f'{{"{MINERS[0]}": {{"repo": "owner/model", "commit": "{"0" * 40}", "revealed_at_block": 10, "tag": "t",'
        f' "status": "{status}", "docker_image": {image}}}}}'
    )
    outside.repository.commit({path: entry.encode()}, "docker image name fixed")
    outside.builds = Told(outside, BuildRun(ended=True, jobs={MINERS[0]: "cancelled", MINERS[1]: "success"}))
    track_builds(work(outside))
    assert statuses(outside) == [status, "success"]
    builds = now(outside).builds
    assert builds is not None
    assert builds[MINERS[0]].tag == "t"
