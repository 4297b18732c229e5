"""GitHub, simulated over HTTP: the workflow runs of one repository, and faults on demand."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from simulators.examples import COMMIT
from simulators.serving import QuietHandler, serving

REPOSITORY = "owner/competition"
JOB = "Bake and push images to Google Cloud"


class GitHub:
    """GitHub's Actions of one repository as far as we ask, with the answers of a real one.

    As documented for "List jobs for a workflow run" (docs.github.com), `filter=latest`, the
    default, gives the jobs of the most recent execution and `all` those of all; since May 2025 the
    former leaves out what "Re-run failed jobs" did not repeat. With `only_latest`, the filter is
    ignored.

    `fault` may stand in for an answer: (status, body). Requests are kept in `asked`.
    """

    def __init__(self) -> None:
        self.commits = [
            {"sha": COMMIT, "commit": {"message": "Seed, prompts and submissions for round 1"}}
        ]
        self.runs: list[dict[str, Any]] = []
        self.jobs: dict[int, list[dict[str, Any]]] = {}
        self.only_latest = False
        self.fault: Callable[[str, int], tuple[int, bytes] | None] = lambda _path, _page: None
        self.asked: list[tuple[str, Mapping[str, str], str | None]] = []

    def run(
        self, jobs: Mapping[str, str | None], status: str = "completed", sha: str = COMMIT
    ) -> int:
        """A run with these jobs: hotkey -> conclusion, or None for one that is in progress."""
        number = len(self.runs) + 1
        run = {"id": number, "name": "Build", "head_sha": sha, "status": status, "run_attempt": 1}
        self.runs.append(
            run | {"workflow_id": 7, "conclusion": self.concluded(jobs.values(), status)}
        )
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
        self,
        number: int,
        jobs: Mapping[str, str | None],
        status: str = "completed",
        conclusion: str | None = None,
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
        return {
            "id": number,
            "name": name,
            "status": status,
            "conclusion": conclusion,
            "run_attempt": attempt,
        }

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

        class Handler(QuietHandler):
            def do_GET(self) -> None:  # noqa: N802 -- as http.server names it
                url = urlsplit(self.path)
                query = dict(parse_qsl(url.query))
                github.asked.append((url.path, query, self.headers["Authorization"]))
                fault = github.fault(url.path, int(query.get("page", 1)))
                status, body = fault or (200, json.dumps(github.answer(url.path, query)).encode())
                self.send(status, body)

        with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
            yield url
