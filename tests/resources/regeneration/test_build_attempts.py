"""Builds whose run was run again, or ended through nobody's code: no job's conclusion is lost,
nobody is missing.
"""

import pytest

from gen404_assets.competition.builds import BuildRun, observe_builds, pending_builds
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.submissions import Submissions
from resources.builds import Builds
from simulators.examples import MINERS, RULES, submission
from simulators.github import GitHub

ALICE, BOB, CAROL = MINERS[:3]
NO_FAULT = ["startup_failure", "cancelled", "stale", "action_required", "neutral", "skipped"]


def test_after_a_rerun_of_failed_jobs_every_other_job_keeps_its_conclusion(
    github: GitHub, builds: Builds
) -> None:
    run = github.run({ALICE: "success", BOB: "failure", CAROL: "success"})
    assert builds.workflow_run(1) == BuildRun(
        True, {ALICE: "success", BOB: "failure", CAROL: "success"}
    )
    github.rerun(run, {BOB: None}, status="in_progress")
    assert builds.workflow_run(1) == BuildRun(
        False, {ALICE: "success", BOB: "in_progress", CAROL: "success"}
    )
    github.rerun(run, {BOB: "success"})
    assert builds.workflow_run(1) == BuildRun(True, dict.fromkeys((ALICE, BOB, CAROL), "success"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["failure", "success"], "success"),
        (["success", "failure"], "success"),
        (["success", None], "success"),
        (["failure", "cancelled"], "failure"),
        (["cancelled", "failure"], "failure"),
        (["failure", "timed_out"], "timed_out"),
        (["failure", None], "in_progress"),
        (["cancelled", "skipped"], "skipped"),
        (["failure", "stale", "success", "cancelled"], "success"),
    ],
)
@pytest.mark.parametrize("as_new_runs", [False, True])
def test_what_a_job_has_come_to_that_was_run_several_times(
    github: GitHub, builds: Builds, words: list[str | None], expected: str, as_new_runs: bool
) -> None:
    run = github.run({ALICE: words[0]})
    for word in words[1:]:
        if as_new_runs:
            github.run({ALICE: word})
        else:
            github.rerun(run, {ALICE: word})
    build_run = builds.workflow_run(1)
    assert build_run is not None
    assert build_run.jobs == {ALICE: expected}


def test_g06_a_github_that_lists_the_last_attempt_alone_makes_nobodys_build_missing(
    github: GitHub, builds: Builds
) -> None:
    github.only_latest = True
    run = github.run({ALICE: "success", BOB: "failure"})
    github.rerun(run, {BOB: "success"})
    build_run = builds.workflow_run(1)
    assert build_run == BuildRun(False, {BOB: "success"})
    pending = pending_builds(Submissions({ALICE: submission(), BOB: submission()}))
    observed = observe_builds(pending, build_run, 60, RULES)
    assert [build.status.value for _, build in observed.items()] == ["pending", "success"]


@pytest.mark.parametrize(
    "conclusion", ["startup_failure", "cancelled", "stale", "action_required", "neutral", "skipped"]
)
def test_g06_a_run_that_ended_through_nobodys_code_makes_no_build_missing_and_is_told(
    github: GitHub, builds: Builds, conclusion: str
) -> None:
    run = github.run({ALICE: "success"})
    github.runs[-1]["conclusion"] = conclusion
    build_run = builds.workflow_run(1)
    assert build_run is not None
    assert (build_run.ended, build_run.jobs) == (False, {ALICE: "success"})
    assert [
        f"GitHub's run {run} (Build) ended as {conclusion}" in note for note in build_run.notes
    ] == [True]
    github.run({ALICE: "success", BOB: "failure"})
    again = builds.workflow_run(1)
    assert again is not None
    assert again.ended


@pytest.mark.parametrize("conclusion", ["startup_failure", "cancelled"])
def test_a_run_that_ended_before_it_had_a_job_is_told_to_the_operator(
    github: GitHub, builds: Builds, conclusion: str
) -> None:
    github.run({})
    github.runs[-1]["conclusion"] = conclusion
    build_run = builds.workflow_run(1)
    assert build_run is not None
    assert (build_run.ended, dict(build_run.jobs)) == (False, {})
    assert conclusion in build_run.notes[0]


def test_a_job_that_ended_through_nobodys_code_is_told_with_its_hotkey(
    github: GitHub, builds: Builds
) -> None:
    github.run({ALICE: "cancelled", BOB: "success"})
    build_run = builds.workflow_run(1)
    assert build_run is not None
    assert build_run.jobs == {ALICE: "cancelled", BOB: "success"}
    assert any(ALICE in note and "cancelled" in note for note in build_run.notes)
    assert not any(BOB in note for note in build_run.notes)


def test_another_workflow_of_the_commit_neither_holds_the_builds_up_nor_is_told(
    github: GitHub, builds: Builds
) -> None:
    github.run({ALICE: "success"})
    for status, conclusion in (("in_progress", None), ("completed", "cancelled")):
        number = github.run({}, status=status)
        github.runs[-1] |= {"workflow_id": 8, "name": "Lint", "conclusion": conclusion}
        github.jobs[number] = [github.job(number, "lint", conclusion)]
    assert builds.workflow_run(1) == BuildRun(True, {ALICE: "success"})


def test_g06_a_new_run_of_the_workflow_that_has_no_job_yet_may_bring_the_missing_one(
    github: GitHub, builds: Builds
) -> None:
    github.run({ALICE: "success"})
    github.run({}, status="queued")
    assert builds.workflow_run(1) == BuildRun(False, {ALICE: "success"})


@pytest.mark.parametrize(
    "body",
    [
        b'{"total_count": "x", "workflow_runs": []}',
        b'{"total_count": 1, "workflow_runs": [{"id": "five"}]}',
        b'{"total_count": 1, "workflow_runs": [{"id": Infinity}]}',
        b'{"total_count": 1, "workflow_runs": 3}',
        b'{"total_count": null, "workflow_runs": null}',
        b'{"total_count": 1, "jobs": [{"id": 1, "status": "queued"}]}',
        b'{"total_count": 1, '
        b'"jobs": [{"id": 1, "name": "Bake and push images to Google Cloud (x)"}]}',
        b"[" * 100_000,
        b"null",
        b"\xff",
        b"",
    ],
)
@pytest.mark.parametrize("where", ["/runs", "/jobs"])
def test_g06_an_answer_that_is_not_as_documented_teaches_nothing(
    github: GitHub, builds: Builds, body: bytes, where: str
) -> None:
    github.run({ALICE: "success"})
    github.fault = lambda path, _page: (200, body) if path.endswith(where) else None
    with pytest.raises(InfrastructureFault):
        builds.workflow_run(1)
