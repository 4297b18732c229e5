"""What is learnt of builds from GitHub: the local network's, and one that fails on demand."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from gen404_assets.competition.builds import BuildRun, observe_builds, pending_builds
from gen404_assets.competition.submissions import Submissions
from resources.builds import Builds, WorkflowRun, open_builds
from resources.faults import InfrastructureFault
from resources.local_network.forge import Forge, serve
from resources.settings import BadSetting
from tests.rules.examples import COMMIT, MINERS, RULES, submission

REPOSITORY = "owner/competition"
JOB = "Bake and push images to Google Cloud"


class GitHub:
    """GitHub's Actions of one repository as far as we ask, with the answers of a real one.

    As documented for "List jobs for a workflow run" (docs.github.com), `filter=latest`, the default,
    gives the jobs of the most recent execution and `all` those of all; since May 2025 the former
    leaves out what "Re-run failed jobs" did not repeat. With `only_latest`, the filter is ignored.

    `fault` may stand in for an answer: (status, body). Requests are kept in `asked`.
    """

    def __init__(self) -> None:
        self.commits = [{"sha": COMMIT, "commit": {"message": "Seed, prompts and submissions for round 1"}}]
        self.runs: list[dict[str, Any]] = []
        self.jobs: dict[int, list[dict[str, Any]]] = {}
        self.only_latest = False
        self.fault: Callable[[str, int], tuple[int, bytes] | None] = lambda _path, _page: None
        self.asked: list[tuple[str, Mapping[str, str], str | None]] = []

    def run(self, jobs: Mapping[str, str | None], status: str = "completed", sha: str = COMMIT) -> int:
        """A run with these jobs: hotkey -> conclusion, or None for one that is in progress."""
        number = len(self.runs) + 1
        run = {"id": number, "name": "Build", "head_sha": sha, "status": status, "run_attempt": 1}
        self.runs.append(run | {"workflow_id": 7, "conclusion": self.concluded(jobs.values(), status)})
        self.jobs[number] = [
            self.job(number * 1000 + index, f"{JOB} ({hotkey})", conclusion)
            for index, (hotkey, conclusion) in enumerate(jobs.items())
        ]
        return number

    @staticmethod
    def concluded(jobs: Iterable[str | None], status: str) -> str | None:
        """A run's conclusion, by its jobs'."""
        if status != "completed":
            return None
        return "success" if set(jobs) <= {"success"} else "failure"

    def rerun(
        self, number: int, jobs: Mapping[str, str | None], status: str = "completed", conclusion: str | None = None
    ) -> None:
        """Another attempt of a run, with these jobs alone."""
        run = self.runs[number - 1]
        attempt = run["run_attempt"] + 1
        conclusion = conclusion or self.concluded(jobs.values(), status)
        run |= {"run_attempt": attempt, "status": status, "conclusion": conclusion}
        self.jobs[number] += [
            self.job(number * 1000 + attempt * 100 + index, f"{JOB} ({hotkey})", word, attempt)
            for index, (hotkey, word) in enumerate(jobs.items())
        ]

    @staticmethod
    def job(number: int, name: str, conclusion: str | None, attempt: int = 1) -> dict[str, Any]:
        status = "completed" if conclusion else "in_progress"
        return {"id": number, "name": name, "status": status, "conclusion": conclusion, "run_attempt": attempt}

    def answer(self, path: str, query: Mapping[str, str]) -> Any:
        page, size = int(query.get("page", 1)), int(query.get("per_page", 30))
        shown = slice((page - 1) * size, page * size)
        parts = path.removeprefix(f"/repos/{REPOSITORY}/").split("/")
        if parts == ["commits"]:
            return self.commits if query["path"] == "rounds/1/submissions.json" else []
        if parts == ["actions", "runs"]:
            runs = [run for run in self.runs if run["head_sha"] == query["head_sha"]]
            return {"total_count": len(runs), "workflow_runs": runs[shown]}
        jobs = self.jobs[int(parts[2])]
        if self.only_latest or query.get("filter") != "all":
            latest = self.runs[int(parts[2]) - 1]["run_attempt"]
            jobs = [job for job in jobs if job["run_attempt"] == latest]
        return {"total_count": len(jobs), "jobs": jobs[shown]}

    @contextmanager
    def served(self) -> Iterator[str]:
        github = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = dict(parse_qsl(url.query))
                github.asked.append((url.path, query, self.headers["Authorization"]))
                fault = github.fault(url.path, int(query.get("page", 1)))
                status, body = fault or (200, json.dumps(github.answer(url.path, query)).encode())
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
            yield url


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def github() -> GitHub:
    return GitHub()


@pytest.fixture
def builds(github: GitHub) -> Iterator[Builds]:
    with github.served() as url:
        yield Builds(REPOSITORY, api=url, token="secret-token")


def test_a_run_is_found_by_its_commit_and_told_job_by_job(github: GitHub, builds: Builds) -> None:
    github.run({MINERS[0]: "success", MINERS[1]: "failure", MINERS[2]: None}, status="in_progress")
    found = builds.workflow_run(1)
    assert found == WorkflowRun(False, {MINERS[0]: "success", MINERS[1]: "failure", MINERS[2]: "in_progress"})


def test_a_run_that_has_ended_says_so(github: GitHub, builds: Builds) -> None:
    github.run({MINERS[0]: "success"})
    assert builds.workflow_run(1) == WorkflowRun(True, {MINERS[0]: "success"})


def test_all_pages_of_jobs_are_read(github: GitHub, builds: Builds) -> None:
    names = [f"hotkey{number}" for number in range(230)]
    github.run(dict.fromkeys(names, "success"))
    found = builds.workflow_run(1)
    assert found is not None
    assert sorted(found.jobs) == sorted(names)


def test_all_pages_of_runs_are_read(github: GitHub, builds: Builds) -> None:
    for _ in range(120):
        number = github.run({})
        github.jobs[number] = [github.job(number, "lint", "success")]
    github.run({MINERS[0]: "success"})
    assert builds.workflow_run(1) == WorkflowRun(True, {MINERS[0]: "success"})


def test_of_runs_that_build_the_same_the_later_ones_word_counts_and_all_must_have_ended(
    github: GitHub, builds: Builds
) -> None:
    github.run({MINERS[0]: "failure", MINERS[1]: "success"})
    github.run({MINERS[0]: "success"}, status="in_progress")
    assert builds.workflow_run(1) == WorkflowRun(False, {MINERS[0]: "success", MINERS[1]: "success"})


def test_the_newest_commit_of_the_submissions_counts(github: GitHub, builds: Builds) -> None:
    later = "f" * 40
    github.commits.insert(0, {"sha": later, "commit": {"message": "Mended submissions for round 1"}})
    github.commits.insert(0, {"sha": "e" * 40, "commit": {"message": "submissions for round 1: a comment"}})
    github.run({MINERS[0]: "failure"})
    github.run({MINERS[0]: "success"}, sha=later)
    assert builds.workflow_run(1) == WorkflowRun(True, {MINERS[0]: "success"})


def test_g6_before_anything_is_listed_there_is_no_run(github: GitHub, builds: Builds) -> None:
    assert builds.workflow_run(1) is None
    github.commits.clear()
    assert builds.workflow_run(1) is None


@pytest.mark.parametrize("status", ["queued", "in_progress", "completed"])
def test_g6_a_run_without_one_job_of_ours_says_nothing_of_builds(github: GitHub, builds: Builds, status: str) -> None:
    """In a real round every build was read as missing ten seconds after the commit, and honest miners were rejected."""
    number = github.run({}, status=status)
    github.jobs[number] = [github.job(1, "Prepare the matrix", None)]
    pending = pending_builds(Submissions({MINERS[0]: submission()}))
    run = builds.workflow_run(1)
    told = BuildRun(run.ended, run.jobs) if run else None
    assert observe_builds(pending, told, 10, RULES) == pending


@pytest.mark.parametrize(
    "fault",
    [(500, b""), (401, b"{}"), (403, b"rate limit"), (404, b"{}"), (429, b""), (301, b""), (200, b"{"), (200, b"[1]")],
)
@pytest.mark.parametrize("where", ["/commits", "/runs", "/jobs"])
def test_g6_an_error_anywhere_teaches_nothing(
    github: GitHub, builds: Builds, fault: tuple[int, bytes], where: str
) -> None:
    github.run({MINERS[0]: "success"})
    github.fault = lambda path, _page: fault if path.endswith(where) else None
    with pytest.raises(InfrastructureFault) as caught:
        builds.workflow_run(1)
    assert "secret-token" not in str(caught.value)
    github.fault = lambda _path, _page: None
    assert builds.workflow_run(1) == WorkflowRun(True, {MINERS[0]: "success"})


@pytest.mark.parametrize("second", [(200, b'{"total_count": 150, "jobs": []}'), (502, b"")])
def test_g6_jobs_that_are_listed_by_halves_teach_nothing(
    github: GitHub, builds: Builds, second: tuple[int, bytes]
) -> None:
    github.run({f"hotkey{number}": "success" for number in range(150)})
    github.fault = lambda path, page: second if path.endswith("/jobs") and page == 2 else None
    with pytest.raises(InfrastructureFault):
        builds.workflow_run(1)


def test_g6_a_github_that_is_not_there_teaches_nothing() -> None:
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
        settings = {"GITHUB_REPO": REPOSITORY, "GITHUB_API_URL": url, "BUILD_JOB_PREFIX": "Build image"}
        assert open_builds(settings).workflow_run(1) == WorkflowRun(True, {MINERS[0]: "success"})


# Attempts, and what is nobody's code's doing.

ALICE, BOB, CAROL = MINERS[:3]
NO_FAULT = ["startup_failure", "cancelled", "stale", "action_required", "neutral", "skipped"]


def test_after_a_rerun_of_failed_jobs_every_other_job_keeps_its_conclusion(github: GitHub, builds: Builds) -> None:
    run = github.run({ALICE: "success", BOB: "failure", CAROL: "success"})
    assert builds.workflow_run(1) == WorkflowRun(True, {ALICE: "success", BOB: "failure", CAROL: "success"})
    github.rerun(run, {BOB: None}, status="in_progress")
    assert builds.workflow_run(1) == WorkflowRun(False, {ALICE: "success", BOB: "in_progress", CAROL: "success"})
    github.rerun(run, {BOB: "success"})
    assert builds.workflow_run(1) == WorkflowRun(True, dict.fromkeys((ALICE, BOB, CAROL), "success"))


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
    found = builds.workflow_run(1)
    assert found is not None
    assert found.jobs == {ALICE: expected}


def test_g6_a_github_that_lists_the_last_attempt_alone_makes_nobodys_build_missing(
    github: GitHub, builds: Builds
) -> None:
    github.only_latest = True
    run = github.run({ALICE: "success", BOB: "failure"})
    github.rerun(run, {BOB: "success"})
    found = builds.workflow_run(1)
    assert found == WorkflowRun(False, {BOB: "success"})
    pending = pending_builds(Submissions({ALICE: submission(), BOB: submission()}))
    observed = observe_builds(pending, BuildRun(found.ended, found.jobs), 60, RULES)
    assert [build.status.value for _, build in observed.items()] == ["pending", "success"]


@pytest.mark.parametrize(
    "conclusion", ["startup_failure", "cancelled", "stale", "action_required", "neutral", "skipped"]
)
def test_g6_a_run_that_ended_through_nobodys_code_makes_no_build_missing_and_is_told(
    github: GitHub, builds: Builds, conclusion: str
) -> None:
    run = github.run({ALICE: "success"})
    github.runs[-1]["conclusion"] = conclusion
    found = builds.workflow_run(1)
    assert found is not None
    assert (found.ended, found.jobs) == (False, {ALICE: "success"})
    assert [f"GitHub's run {run} (Build) ended as {conclusion}" in note for note in found.notes] == [True]
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
    found = builds.workflow_run(1)
    assert found is not None
    assert (found.ended, dict(found.jobs)) == (False, {})
    assert conclusion in found.notes[0]


def test_a_job_that_ended_through_nobodys_code_is_told_with_its_hotkey(github: GitHub, builds: Builds) -> None:
    github.run({ALICE: "cancelled", BOB: "success"})
    found = builds.workflow_run(1)
    assert found is not None
    assert found.jobs == {ALICE: "cancelled", BOB: "success"}
    assert any(ALICE in note and "cancelled" in note for note in found.notes)
    assert not any(BOB in note for note in found.notes)


def test_another_workflow_of_the_commit_neither_holds_the_builds_up_nor_is_told(github: GitHub, builds: Builds) -> None:
    github.run({ALICE: "success"})
    for status, conclusion in (("in_progress", None), ("completed", "cancelled")):
        number = github.run({}, status=status)
        github.runs[-1] |= {"workflow_id": 8, "name": "Lint", "conclusion": conclusion}
        github.jobs[number] = [github.job(number, "lint", conclusion)]
    assert builds.workflow_run(1) == WorkflowRun(True, {ALICE: "success"})


def test_g6_a_new_run_of_the_workflow_that_has_no_job_yet_may_bring_the_missing_one(
    github: GitHub, builds: Builds
) -> None:
    github.run({ALICE: "success"})
    github.run({}, status="queued")
    assert builds.workflow_run(1) == WorkflowRun(False, {ALICE: "success"})


@pytest.mark.parametrize(
    "body",
    [
        b'{"total_count": "x", "workflow_runs": []}',
        b'{"total_count": 1, "workflow_runs": [{"id": "five"}]}',
        b'{"total_count": 1, "workflow_runs": [{"id": Infinity}]}',
        b'{"total_count": 1, "workflow_runs": 3}',
        b'{"total_count": null, "workflow_runs": null}',
        b'{"total_count": 1, "jobs": [{"id": 1, "status": "queued"}]}',
        b'{"total_count": 1, "jobs": [{"id": 1, "name": "Bake and push images to Google Cloud (x)"}]}',
        b"[" * 100_000,
        b"null",
        b"\xff",
        b"",
    ],
)
@pytest.mark.parametrize("where", ["/runs", "/jobs"])
def test_g6_an_answer_that_is_not_as_documented_teaches_nothing(
    github: GitHub, builds: Builds, body: bytes, where: str
) -> None:
    github.run({ALICE: "success"})
    github.fault = lambda path, _page: (200, body) if path.endswith(where) else None
    with pytest.raises(InfrastructureFault):
        builds.workflow_run(1)


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


def test_the_local_forge_builds_what_miners_have_published(tmp_path: Path, competition: Path) -> None:
    command = ["python", "-m", "model"]
    (tmp_path / "code.json").write_text(json.dumps({f"owner/m{number}@{COMMIT}": command for number in (0, 2)}))
    (tmp_path / "images.json").write_text(json.dumps({"leader": ["old"]}))
    forge = Forge(tmp_path, competition, "local/{hotkey10}:{tag}", seconds=0.3)
    with serving(serve(forge.answer, 0)) as url:
        builds = Builds(REPOSITORY, api=url)
        assert builds.workflow_run(1) is None
        forge.look()
        assert builds.workflow_run(1) == WorkflowRun(False, dict.fromkeys(MINERS[:3], "in_progress"))
        time.sleep(0.3)
        Forge(tmp_path, competition, "local/{hotkey10}:{tag}", seconds=0.3).look()  # another, after a crash
    again = Forge(tmp_path, competition, "local/{hotkey10}:{tag}", seconds=0.3)
    with serving(serve(again.answer, 0)) as url:
        found = Builds(REPOSITORY, api=url).workflow_run(1)
    assert found == WorkflowRun(True, dict(zip(MINERS, ["success", "failure", "success"], strict=False)))
    images = json.loads((tmp_path / "images.json").read_text())
    tag = f"{COMMIT[:7]}-mesh-1"
    built = {f"local/{MINERS[number][:10].lower()}:{tag}": command for number in (0, 2)}
    assert images == {"leader": ["old"]} | built


def test_the_local_forge_runs_failed_jobs_again_as_github_does(tmp_path: Path, competition: Path) -> None:
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
        assert builds.workflow_run(1) == WorkflowRun(True, {ALICE: "success", BOB: "failure", CAROL: "success"})
        (tmp_path / "code.json").write_text(json.dumps(code | {f"owner/m1@{COMMIT}": ["run"]}))
        assert httpx2.post(f"{api}/rerun-failed-jobs").status_code == 201
        assert httpx2.get(api).json()["run_attempt"] == 2
        assert builds.workflow_run(1) == WorkflowRun(False, {ALICE: "success", BOB: "in_progress", CAROL: "success"})
        listed = {
            path: httpx2.get(f"{api}/{path}").json()["total_count"]
            for path in ("jobs", "jobs?filter=latest", "jobs?filter=all", "attempts/1/jobs", "attempts/2/jobs")
        }
        assert list(listed.values()) == [1, 1, 4, 3, 1]
        until_built()
        assert builds.workflow_run(1) == WorkflowRun(True, dict.fromkeys((ALICE, BOB, CAROL), "success"))
        assert httpx2.post(f"{api}/rerun-failed-jobs").status_code == 403  # none has failed
        assert httpx2.post(f"{api}/rerun").status_code == 201
        assert httpx2.post(f"{url}/repos/{REPOSITORY}/actions/runs/9/rerun").status_code == 404
