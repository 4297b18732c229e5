"""What is learnt of builds from GitHub: the local network's, and one that fails on demand."""

import json
import subprocess
import time
from pathlib import Path

import httpx2
import pytest

from gen404_assets.competition.builds import BuildRun, observe_builds, pending_builds
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.submissions import Submissions
from resources.builds import Builds, _Job, _Run, open_builds
from resources.local_network.forge import Forge, serve
from resources.settings import BadSetting
from simulators.examples import COMMIT, MINERS, RULES, submission
from simulators.github import REPOSITORY, GitHub
from simulators.serving import serving

ALICE, BOB, CAROL = MINERS[:3]


def test_a_run_is_found_by_its_commit_and_told_job_by_job(github: GitHub, builds: Builds) -> None:
    github.run({MINERS[0]: "success", MINERS[1]: "failure", MINERS[2]: None}, status="in_progress")
    build_run = builds.workflow_run(1)
    assert build_run == BuildRun(
        False, {MINERS[0]: "success", MINERS[1]: "failure", MINERS[2]: "in_progress"}
    )


def test_a_run_that_has_ended_says_so(github: GitHub, builds: Builds) -> None:
    github.run({MINERS[0]: "success"})
    assert builds.workflow_run(1) == BuildRun(True, {MINERS[0]: "success"})


def test_all_pages_of_jobs_are_read(github: GitHub, builds: Builds) -> None:
    names = [f"hotkey{number}" for number in range(230)]
    github.run(dict.fromkeys(names, "success"))
    build_run = builds.workflow_run(1)
    assert build_run is not None
    assert sorted(build_run.jobs) == sorted(names)


def test_all_pages_of_runs_are_read(github: GitHub, builds: Builds) -> None:
    for _ in range(120):
        number = github.run({})
        github.jobs[number] = [github.job(number, "lint", "success")]
    github.run({MINERS[0]: "success"})
    assert builds.workflow_run(1) == BuildRun(True, {MINERS[0]: "success"})


def test_of_runs_that_build_the_same_the_later_ones_word_counts_and_all_must_have_ended(
    github: GitHub, builds: Builds
) -> None:
    github.run({MINERS[0]: "failure", MINERS[1]: "success"})
    github.run({MINERS[0]: "success"}, status="in_progress")
    assert builds.workflow_run(1) == BuildRun(False, {MINERS[0]: "success", MINERS[1]: "success"})


def test_the_newest_commit_of_the_submissions_counts(github: GitHub, builds: Builds) -> None:
    later = "f" * 40
    github.commits.insert(
        0, {"sha": later, "commit": {"message": "Mended submissions for round 1"}}
    )
    github.commits.insert(
        0, {"sha": "e" * 40, "commit": {"message": "submissions for round 1: a comment"}}
    )
    github.run({MINERS[0]: "failure"})
    github.run({MINERS[0]: "success"}, sha=later)
    assert builds.workflow_run(1) == BuildRun(True, {MINERS[0]: "success"})


def test_g06_before_anything_is_listed_there_is_no_run(github: GitHub, builds: Builds) -> None:
    assert builds.workflow_run(1) is None
    github.commits.clear()
    assert builds.workflow_run(1) is None


@pytest.mark.parametrize("status", ["queued", "in_progress", "completed"])
def test_g06_a_run_without_one_job_of_ours_says_nothing_of_builds(
    github: GitHub, builds: Builds, status: str
) -> None:
    """In a real round every build was read as missing ten seconds after the commit, and honest
    miners were rejected.
    """
    number = github.run({}, status=status)
    github.jobs[number] = [github.job(1, "Prepare the matrix", None)]
    pending = pending_builds(Submissions({MINERS[0]: submission()}))
    assert observe_builds(pending, builds.workflow_run(1), 10, RULES) == pending


@pytest.mark.parametrize(
    "fault",
    [
        (500, b""),
        (401, b"{}"),
        (403, b"rate limit"),
        (404, b"{}"),
        (429, b""),
        (301, b""),
        (200, b"{"),
        (200, b"[1]"),
    ],
)
@pytest.mark.parametrize("where", ["/commits", "/runs", "/jobs"])
def test_g06_an_error_anywhere_teaches_nothing(
    github: GitHub, builds: Builds, fault: tuple[int, bytes], where: str
) -> None:
    github.run({MINERS[0]: "success"})
    github.fault = lambda path, _page: fault if path.endswith(where) else None
    with pytest.raises(InfrastructureFault) as caught:
        builds.workflow_run(1)
    assert "secret-token" not in str(caught.value)
    github.fault = lambda _path, _page: None
    assert builds.workflow_run(1) == BuildRun(True, {MINERS[0]: "success"})


@pytest.mark.parametrize("second", [(200, b'{"total_count": 150, "jobs": []}'), (502, b"")])
def test_g06_jobs_that_are_listed_by_halves_teach_nothing(
    github: GitHub, builds: Builds, second: tuple[int, bytes]
) -> None:
    github.run({f"hotkey{number}": "success" for number in range(150)})
    github.fault = lambda path, page: second if path.endswith("/jobs") and page == 2 else None
    with pytest.raises(InfrastructureFault):
        builds.workflow_run(1)


def test_g06_a_github_that_is_not_there_teaches_nothing() -> None:
    with pytest.raises(InfrastructureFault, match="can't be reached"):
        Builds(REPOSITORY, api="http://127.0.0.1:9").workflow_run(1)


def test_the_token_goes_along_where_there_is_one(github: GitHub, builds: Builds) -> None:
    builds.workflow_run(1)
    assert {token for _, _, token in github.asked} == {"Bearer secret-token"}
    with github.served() as url:
        github.asked.clear()
        Builds(REPOSITORY, api=url).workflow_run(1)
    assert {token for _, _, token in github.asked} == {None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("GITHUB_REPO", bad) for bad in ("", "competition", "a/b/c", "owner/..", "owner/name?x")),
        ("GITHUB_API_URL", "api.github.com"),
        ("GITHUB_TOKEN", "two words"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name) as caught:
        open_builds({"GITHUB_REPO": REPOSITORY} | {name: value})
    assert name != "GITHUB_TOKEN" or value not in str(caught.value)


def test_the_prefix_of_the_jobs_is_a_setting(github: GitHub) -> None:
    number = github.run({})
    github.jobs[number] = [github.job(1, f"Build image ({MINERS[0]})", "success")]
    with github.served() as url:
        settings = {
            "GITHUB_REPO": REPOSITORY,
            "GITHUB_API_URL": url,
            "BUILD_JOB_PREFIX": "Build image",
        }
        assert open_builds(settings).workflow_run(1) == BuildRun(True, {MINERS[0]: "success"})


# The local network's GitHub.


@pytest.fixture
def competition(tmp_path: Path) -> Path:
    """A bare repository with the submissions of three miners in round 1."""
    bare, clone = tmp_path / "competition.git", tmp_path / "clone"
    _git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    _git(tmp_path, "clone", "--quiet", str(bare), str(clone))
    path = clone / "rounds/1/submissions.json"
    path.parent.mkdir(parents=True)
    entries = {
        hotkey: {"repo": f"owner/m{index}", "commit": COMMIT, "round": "Mesh-1"}
        for index, hotkey in enumerate(MINERS[:3])
    }
    path.write_text(json.dumps(entries))
    _git(clone, "add", ".")
    _git(clone, "commit", "--quiet", "-m", "Seed, prompts and submissions for round 1")
    _git(clone, "push", "--quiet", "origin", "HEAD:main")
    return bare


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=platform", "-c", "user.email=platform@local"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_local_forge_builds_what_miners_have_published(
    tmp_path: Path, competition: Path
) -> None:
    command = ["python", "-m", "model"]
    (tmp_path / "code.json").write_text(
        json.dumps({f"owner/m{number}@{COMMIT}": command for number in (0, 2)})
    )
    (tmp_path / "images.json").write_text(json.dumps({"leader": ["old"]}))
    forge = Forge(tmp_path, competition, "local/{hotkey10}:{tag}", seconds=0.3)
    with serving(serve(forge.answer, 0)) as url:
        builds = Builds(REPOSITORY, api=url)
        assert builds.workflow_run(1) is None
        forge.look()
        assert builds.workflow_run(1) == BuildRun(False, dict.fromkeys(MINERS[:3], "in_progress"))
        time.sleep(0.3)
        Forge(
            tmp_path, competition, "local/{hotkey10}:{tag}", seconds=0.3
        ).look()  # another, after a crash
    again = Forge(tmp_path, competition, "local/{hotkey10}:{tag}", seconds=0.3)
    with serving(serve(again.answer, 0)) as url:
        build_run = Builds(REPOSITORY, api=url).workflow_run(1)
    assert build_run == BuildRun(
        True, dict(zip(MINERS, ["success", "failure", "success"], strict=False))
    )
    images = json.loads((tmp_path / "images.json").read_text())
    tag = f"{COMMIT[:7]}-mesh-1"
    built = {f"local/{MINERS[number][:10].lower()}:{tag}": command for number in (0, 2)}
    assert images == {"leader": ["old"]} | built


def test_the_local_forge_runs_failed_jobs_again_as_github_does(
    tmp_path: Path, competition: Path
) -> None:
    code = {f"owner/m{number}@{COMMIT}": ["run"] for number in (0, 2)}
    (tmp_path / "code.json").write_text(json.dumps(code))
    forge = Forge(tmp_path, competition, "local/{hotkey10}:{tag}", seconds=0.5)

    def until_built() -> None:
        time.sleep(0.5)
        forge.look()

    forge.look()
    with serving(serve(forge.answer, 0, forge.post)) as url:
        builds, api = Builds(REPOSITORY, api=url), f"{url}/repos/{REPOSITORY}/actions/runs/1"
        assert httpx2.post(f"{api}/rerun-failed-jobs").status_code == 403  # it is still in progress
        until_built()
        assert builds.workflow_run(1) == BuildRun(
            True, {ALICE: "success", BOB: "failure", CAROL: "success"}
        )
        (tmp_path / "code.json").write_text(json.dumps(code | {f"owner/m1@{COMMIT}": ["run"]}))
        assert httpx2.post(f"{api}/rerun-failed-jobs").status_code == 201
        assert httpx2.get(api).json()["run_attempt"] == 2
        assert builds.workflow_run(1) == BuildRun(
            False, {ALICE: "success", BOB: "in_progress", CAROL: "success"}
        )
        listed = {
            path: httpx2.get(f"{api}/{path}").json()["total_count"]
            for path in (
                "jobs",
                "jobs?filter=latest",
                "jobs?filter=all",
                "attempts/1/jobs",
                "attempts/2/jobs",
            )
        }
        assert list(listed.values()) == [1, 1, 4, 3, 1]
        until_built()
        assert builds.workflow_run(1) == BuildRun(
            True, dict.fromkeys((ALICE, BOB, CAROL), "success")
        )
        assert httpx2.post(f"{api}/rerun-failed-jobs").status_code == 403  # none has failed
        assert httpx2.post(f"{api}/rerun").status_code == 201
        assert httpx2.post(f"{url}/repos/{REPOSITORY}/actions/runs/9/rerun").status_code == 404


def test_a_run_of_any_number_of_attempts_is_told_apart_without_listing_them() -> None:
    """An answer with such a number took all memory."""
    jobs = [_Job(1, 7, MINERS[0], "success")]
    for last, listed in ((1, True), (2, False), (2**62, False)):
        assert _Run({"run_attempt": last}, jobs).all_attempts_listed is listed
