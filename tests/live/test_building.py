"""The builds: what GitHub says is recorded, what it doesn't say changes nothing, until the
deadline.
"""

import pytest

from gen404_assets.commands.operating import resume_round
from gen404_assets.competition.audits import NO_IMAGE, GenerationAudits, reject_unmeasured
from gen404_assets.competition.builds import BuildRun
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.submissions import Submission, Submissions
from gen404_assets.live.auditing import audit_candidates
from gen404_assets.live.building import track_builds
from gen404_assets.live.judging import judge_matches
from gen404_assets.live.opening import open_round
from simulators.examples import MINERS
from simulators.outside import SimulatedBuilds, SimulatedOutside
from simulators.rounds import dueling_with, generating, now, opened, reveal, work

HOUR = 3600 // 12
"""In blocks."""


def statuses(outside: SimulatedOutside) -> list[str]:
    builds = now(outside).builds
    return [build.status.value for _, build in builds.items()] if builds is not None else []


class SuccessiveRuns(SimulatedBuilds):
    """GitHub tells one thing after another; the last again and again. A minute passes each time."""

    def __init__(self, outside: SimulatedOutside, *answers: BuildRun | str | None) -> None:
        super().__init__()
        self.outside, self.answers = outside, list(answers)

    def workflow_run(self, number: int) -> BuildRun | None:  # noqa: ARG002
        self.outside.chain.number += 5
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            raise InfrastructureFault(answer)
        return answer


def test_builds_are_followed_until_all_have_ended() -> None:
    outside = generating(MINERS[:2])
    begun = BuildRun(ended=False, jobs={MINERS[0]: "in_progress"})
    ended = BuildRun(ended=True, jobs={MINERS[0]: "success", MINERS[1]: "failure"})
    outside.builds = SuccessiveRuns(outside, begun, "status 502", ended)
    lines: list[str] = []
    track_builds(work(outside, messages=lines))
    assert statuses(outside) == ["success", "failure"]
    builds = now(outside).builds
    assert builds is not None
    assert (builds[MINERS[0]].docker_image or "").endswith(
        f"/{MINERS[0][:10].lower()}:0123456-mesh-0"
    )
    assert outside.repository.messages.count("Update build statuses for round 0") == 2
    assert any("502" in line for line in lines)


def test_g06_a_run_that_nobody_has_listed_yet_ends_no_build_before_the_deadline() -> None:
    outside = generating(MINERS[:1])
    outside.builds = SuccessiveRuns(outside, None)
    track_builds(work(outside))
    assert statuses(outside) == ["timed_out"]
    assert outside.chain.number >= 600 + 3 * 3600 / 12


def test_g01_a_github_that_is_out_of_order_past_the_deadline_ends_no_build() -> None:
    outside = generating(MINERS[:1])
    outside.chain.number = 600 + 5 * 3600 // 12
    outside.builds = SuccessiveRuns(
        outside, "status 502", "status 403", BuildRun(ended=True, jobs={MINERS[0]: "success"})
    )
    track_builds(work(outside))
    assert statuses(outside) == ["success"]


def test_the_deadline_counts_from_the_openings_commit_not_from_its_block() -> None:
    """Opened five hours late, every build had timed out at the first look."""
    outside = opened()
    reveal(outside, MINERS[:2])
    outside.chain.number = 600 + 5 * HOUR
    open_round(work(outside))
    pending = BuildRun(ended=False, jobs=dict.fromkeys(MINERS[:2], "in_progress"))
    ended = BuildRun(ended=True, jobs=dict.fromkeys(MINERS[:2], "success"))
    outside.builds = SuccessiveRuns(outside, pending, None, pending, ended)
    track_builds(work(outside))
    assert statuses(outside) == ["success", "success"]


@pytest.mark.parametrize("paused", [False, True])
def test_a_round_opened_late_has_its_whole_three_hours_and_no_more(paused: bool) -> None:
    outside = opened()
    outside.rules = Rules(pause_on_stage_end=paused)
    reveal(outside, MINERS[:1])
    outside.chain.number = late = 600 + 5 * HOUR
    open_round(work(outside))
    if paused:
        resume_round(outside, "go on")  # type: ignore[arg-type]
    outside.builds = SuccessiveRuns(outside, None)
    track_builds(work(outside))
    assert statuses(outside) == ["timed_out"]
    assert late + 3 * HOUR <= outside.chain.number < late + 3 * HOUR + 10


def test_a_round_that_a_person_opens_again_has_its_three_hours_again() -> None:
    outside = generating(MINERS[:1])
    outside.chain.number = again = 600 + 10 * HOUR
    state = outside.repository.head.files["state.json"]
    gone: dict[str, bytes | None] = {"rounds/0/submissions.json": None}
    reopened = state.replace(b"miner_generation", b"open")
    outside.repository.commit({**gone, "state.json": reopened}, "open it again", outside.now())
    open_round(work(outside))
    outside.builds = SuccessiveRuns(outside, None)
    track_builds(work(outside))
    assert statuses(outside) == ["timed_out"]
    assert outside.chain.number >= again + 3 * HOUR


def test_a_later_commit_to_the_submissions_does_not_move_the_deadline_before_the_opening() -> None:
    """A person may enter submissions days before the window closes."""
    outside = opened()
    entry = Submission(
        repo="owner/model",
        commit="a" * 40,
        cdn_url="https://a.example",
        revealed_at_block=5,
        round="mesh-0",
    )
    content = Submissions({MINERS[0]: entry}).to_bytes()
    outside.repository.commit({"rounds/0/submissions.json": content}, "By hand")
    outside.chain.number = 600 + 5 * HOUR
    open_round(work(outside))
    outside.builds = SuccessiveRuns(
        outside, None, BuildRun(ended=True, jobs={MINERS[0]: "success"})
    )
    track_builds(work(outside))
    assert statuses(outside) == ["success"]


def test_a_rerun_that_succeeds_mends_a_failure_though_all_had_ended() -> None:
    outside = generating(MINERS[:2])
    failed = BuildRun(ended=True, jobs={MINERS[0]: "success", MINERS[1]: "failure"})
    again = BuildRun(ended=False, jobs={MINERS[1]: "in_progress"})
    mended = BuildRun(ended=True, jobs={MINERS[1]: "success"})
    outside.builds = SuccessiveRuns(outside, failed, again, mended)
    track_builds(work(outside))
    assert statuses(outside) == ["success", "success"]
    assert outside.chain.number < 900 + 100, "nothing is asked once all have an image"


def test_a_failure_is_followed_until_the_deadline_and_looked_at_once_more_when_asked_to() -> None:
    outside = generating(MINERS[:1])
    outside.builds = SuccessiveRuns(outside, BuildRun(ended=True, jobs={MINERS[0]: "failure"}))
    track_builds(work(outside))
    assert statuses(outside) == ["failure"]
    assert outside.chain.number >= 600 + 3 * HOUR
    outside.builds = SuccessiveRuns(outside, BuildRun(ended=True, jobs={MINERS[0]: "success"}))
    track_builds(work(outside))
    assert statuses(outside) == ["success"]


def test_what_a_verdict_rests_on_is_not_mended() -> None:
    outside = dueling_with({MINERS[0]: "failure", MINERS[1]: "success"})
    reject(outside, MINERS[0])
    outside.builds = SuccessiveRuns(
        outside, BuildRun(ended=True, jobs=dict.fromkeys(MINERS[:2], "success"))
    )
    before = outside.repository.head
    track_builds(work(outside))
    assert statuses(outside) == ["failure", "success"]
    assert outside.repository.head is before


@pytest.mark.parametrize(
    "word", ["cancelled", "startup_failure", "stale", "action_required", "neutral", "skipped"]
)
def test_what_is_not_the_miners_fault_waits_and_is_told_until_the_deadline(word: str) -> None:
    outside = generating(MINERS[:2])
    note = f"the build of {MINERS[0]} ended as {word}"
    run = BuildRun(ended=True, jobs={MINERS[0]: word, MINERS[1]: "success"}, notes=(note,))
    outside.builds = SuccessiveRuns(outside, run)
    lines: list[str] = []
    track_builds(work(outside, messages=lines))
    assert statuses(outside) == ["timed_out", "success"]
    assert outside.chain.number >= 600 + 3 * HOUR
    assert lines.count(note) == 1


def test_the_candidate_is_not_rejected_for_a_build_that_has_been_mended_meanwhile() -> None:
    outside = dueling_with({MINERS[0]: "failure"})
    request_audit(outside, MINERS[0])
    outside.builds = SuccessiveRuns(outside, BuildRun(ended=True, jobs={MINERS[0]: "success"}))
    audit_candidates(work(outside))
    assert statuses(outside) == ["success"]
    assert now(outside).audits[MINERS[0]].outcome.value == "passed"


def test_the_candidate_waits_while_its_build_is_run_again() -> None:
    outside = dueling_with({MINERS[0]: "failure"})
    request_audit(outside, MINERS[0])
    again = BuildRun(ended=False, jobs={MINERS[0]: "in_progress"})
    outside.chain.number = 700
    outside.builds = SuccessiveRuns(
        outside, again, again, BuildRun(ended=True, jobs={MINERS[0]: "success"})
    )
    audit_candidates(work(outside))
    assert now(outside).audits[MINERS[0]].outcome.value == "passed"


@pytest.mark.parametrize("answer", ["failure", "in_progress", "status 502", None])
def test_g11_a_build_that_stays_without_an_image_is_rejected_at_last(answer: str | None) -> None:
    outside = dueling_with({MINERS[0]: "failure"})
    request_audit(outside, MINERS[0])
    run = (
        answer
        if answer is None or answer.startswith("status")
        else BuildRun(False, {MINERS[0]: answer})
    )
    outside.builds = SuccessiveRuns(outside, run)
    audit_candidates(work(outside))
    audit = now(outside).audits[MINERS[0]]
    assert (audit.outcome.value, audit.reason) == ("rejected", "Failed to build a docker image")


def reject(outside: SimulatedOutside, hotkey: str) -> None:
    audits = GenerationAudits({hotkey: reject_unmeasured(hotkey, NO_IMAGE)})
    outside.repository.commit(
        {"rounds/0/generation_audits.json": audits.to_bytes()},
        "Update generation audits for round 0",
    )


def request_audit(outside: SimulatedOutside, hotkey: str) -> None:
    """The hotkey has won against the leader, and is to be audited."""
    outside.judging.penalty = lambda url: 9 if LEADER in url else 1
    judge_matches(work(outside))
    assert now(outside).requests.for_hotkey(hotkey) is not None


@pytest.mark.parametrize("conclusion", ["cancelled", "failure", "success", "in_progress"])
@pytest.mark.parametrize("status", ["success", "failure", "timed_out", "not_found"])
def test_a_build_that_a_person_entered_stands(status: str, conclusion: str) -> None:
    outside = generating(MINERS[:2])
    outside.builds = SuccessiveRuns(outside, BuildRun(ended=False, jobs={MINERS[0]: "in_progress"}))
    outside.chain.number = 700
    path = "rounds/0/builds.json"
    image = '"image:by-hand"' if status == "success" else "null"
    entry = (
        f'{{"{MINERS[0]}": {{"repo": "owner/model", "commit": "{"0" * 40}",'
        f' "revealed_at_block": 10, "tag": "t", "status": "{status}", "docker_image": {image}}}}}'
    )
    outside.repository.commit({path: entry.encode()}, "docker image name fixed")
    outside.builds = SuccessiveRuns(
        outside, BuildRun(ended=True, jobs={MINERS[0]: conclusion, MINERS[1]: "success"})
    )
    track_builds(work(outside))
    assert statuses(outside) == [status, "success"]
    builds = now(outside).builds
    assert builds is not None
    assert builds[MINERS[0]].tag == "t"
