"""What the platform may make of outputs that it has published, and what it may not."""

import pytest

from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.replay.following import does_not_follow
from simulators.examples import MINER, output

PATH = f"rounds/0/{MINER}/generated.json"
EVIDENCE = {"submitted_sha256": "0" * 64, "generated_sha256": "1" * 64, "embedder": "a model"}


def becomes(before: Output, after: Output | None) -> str:
    """Why one prompt's output may not become another, or be gone; empty where it may."""
    sides = ({"a": each} if each is not None else {} for each in (before, after))
    old, new = (Outputs(side).to_bytes() for side in sides)
    return does_not_follow(PATH, old, new)


@pytest.mark.parametrize("evidence", [{}, {"evidence": EVIDENCE}])
def test_an_output_that_waited_for_its_distance_is_measured(evidence: dict[str, object]) -> None:
    waiting = output(distance=None)
    assert becomes(waiting, waiting.model_copy(update={"distance": 0.2} | evidence)) == ""


def test_a_measured_output_gets_no_other_distance_and_no_other_evidence() -> None:
    measured = output(distance=0.2).model_copy(update={"evidence": EVIDENCE})
    other = {"evidence": EVIDENCE | {"embedder": "another"}}
    for change in ({"distance": 0.1}, other):
        assert "was changed" in becomes(measured, measured.model_copy(update=change))


def test_a_failed_attempt_may_be_followed_by_a_success_but_is_not_taken_back() -> None:
    failed = output(png=False, glb=False)
    assert becomes(failed, output()) == ""
    assert becomes(failed, None) == "a is gone"
