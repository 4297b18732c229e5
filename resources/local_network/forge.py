"""The local network's GitHub: workflow runs that build the miners' images, listed by GitHub's REST
API.

`python -m resources.local_network.forge --port N --folder F --repository PATH`: a commit of the
bare repository whose message ends with `submissions for round {n}` starts a run, with a job for
each submission. After some seconds a job succeeds where `F/code.json` ("owner/name@commit" ->
command) knows the code, and puts its image with that command into `F/images.json`; else it fails.

Its behaviour is taken from docs.github.com ("REST API endpoints for workflow runs", "... for
workflow jobs"), and where that leaves a choice from what GitHub has done since May 2025. A run can
be re-run by a POST to `rerun` or `rerun-failed-jobs`: it is then in progress again, its
`run_attempt` one more, with new jobs of that attempt. `jobs` lists those of the last attempt alone,
so without the jobs that a re-run of failed ones did not repeat; with `filter=all` it lists those of
all attempts, and `attempts/{n}/jobs` those of one.
"""

import argparse
import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from resources.local_network.json_files import read_json, write_json

_POLL = 0.5  # seconds between two looks at the repository
_GIT_SECONDS = 30.0  # for a git command
_OURS = re.compile(r"submissions for round (\d+)\s*\Z")
_PATHS = re.compile(
    r"/repos/[^/]+/[^/]+/(commits|actions/runs(?:/(\d+)(?:/attempts/(\d+))?(/jobs)?)?)"
)
_RERUNS = re.compile(r"/repos/[^/]+/[^/]+/actions/runs/(\d+)/(rerun|rerun-failed-jobs)")


class Forge:
    """The runs of one repository, in `{folder}/forge.json`; `seconds` is what a job takes."""

    def __init__(self, folder: Path, repository: Path, image_format: str, seconds: float) -> None:
        self._folder, self._repository, self._image_format, self._seconds = (
            folder,
            repository,
            image_format,
            seconds,
        )
        self._lock = threading.Lock()
        self._runs: list[dict[str, Any]] = read_json(folder / "forge.json", [])
        for run in self._runs:  # of a network made before runs had attempts
            for entry in (run, *run["jobs"]):
                entry.setdefault("run_attempt", 1)

    def look(self) -> None:
        """Start the runs of new commits, and end the jobs whose time has come."""
        commits = self._commits()
        with self._lock:
            before = json.dumps(self._runs)
            known = {run["head_sha"] for run in self._runs}
            for commit in reversed(commits):
                match = _OURS.search(commit["commit"]["message"])
                if match and commit["sha"] not in known:
                    self._start(commit, int(match[1]))
            for run in self._runs:
                if run["status"] != "completed" and time.time() >= run["began"] + self._seconds:
                    self._finish(run)
            if json.dumps(self._runs) != before:
                write_json(self._folder / "forge.json", self._runs)

    def answer(self, path: str, query: Mapping[str, str]) -> Any:
        """GitHub's answer to a GET, or None for what there isn't."""
        match = _PATHS.fullmatch(path)
        if match is None:
            return None
        page, size = int(query.get("page", 1)), min(100, int(query.get("per_page", 30)))
        shown = slice((page - 1) * size, page * size)
        if match[1] == "commits":
            return self._commits(query.get("path"))[shown]
        with self._lock:
            runs = [
                run
                for run in reversed(self._runs)
                if query.get("head_sha", run["head_sha"]) == run["head_sha"]
            ]
            if match[2] is None:
                return {
                    "total_count": len(runs),
                    "workflow_runs": [_public(run) for run in runs[shown]],
                }
            chosen = next((run for run in runs if run["id"] == int(match[2])), None)
            if chosen is None or not match[4]:
                return chosen and _public(chosen)
            attempt = int(match[3]) if match[3] else chosen["run_attempt"]
            wanted = (
                {attempt} if match[3] or query.get("filter") != "all" else {*range(1, attempt + 1)}
            )
            jobs = [job for job in chosen["jobs"] if job["run_attempt"] in wanted]
            return {"total_count": len(jobs), "jobs": [_public(job) for job in jobs[shown]]}

    def post(self, path: str) -> tuple[int, Any]:
        """Status and answer to a POST: a re-run of all jobs of a run that has ended, or of those
        that failed.
        """
        match = _RERUNS.fullmatch(path)
        with self._lock:
            run = next((run for run in self._runs if match and run["id"] == int(match[1])), None)
            if match is None or run is None:
                return 404, {"message": "Not Found"}
            if run["status"] != "completed":
                return 403, {"message": "The workflow run is still in progress"}
            last = [job for job in run["jobs"] if job["run_attempt"] == run["run_attempt"]]
            chosen = [job for job in last if match[2] == "rerun" or job["conclusion"] != "success"]
            if not chosen:
                return 403, {"message": "The workflow run has no failed jobs"}
            attempt, ids = run["run_attempt"] + 1, max(job["id"] for job in run["jobs"]) + 1
            again = {"run_attempt": attempt, "status": "in_progress", "conclusion": None}
            run["jobs"] += [job | again | {"id": ids + index} for index, job in enumerate(chosen)]
            run |= again | {"began": time.time()}
            write_json(self._folder / "forge.json", self._runs)
            return 201, {}

    def _start(self, commit: Mapping[str, Any], number: int) -> None:
        raw = self._git("show", f"{commit['sha']}:rounds/{number}/submissions.json")
        identity = len(self._runs) + 1
        jobs = [
            {
                "id": identity * 1000 + index,
                "run_id": identity,
                "run_attempt": 1,
                "name": f"Bake and push images to Google Cloud ({hotkey})",
                "status": "in_progress",
                "conclusion": None,
                "code": f"{submission['repo']}@{submission['commit']}",
                "image": self._image_format.format(
                    hotkey10=hotkey[:10].lower(),
                    tag=f"{submission['commit'][:7]}-{submission['round']}".lower(),
                ),
            }
            for index, (hotkey, submission) in enumerate(json.loads(raw or "{}").items())
        ]
        run = {
            "id": identity,
            "name": "Build images",
            "head_sha": commit["sha"],
            "status": "in_progress",
        }
        run |= {"run_attempt": 1, "workflow_id": 1, "event": "push"}
        head = {"id": commit["sha"], "message": commit["commit"]["message"]}
        self._runs.append(
            run | {"conclusion": None, "head_commit": head, "began": time.time(), "jobs": jobs}
        )

    def _finish(self, run: dict[str, Any]) -> None:
        code = read_json(self._folder / "code.json", {})
        images = read_json(self._folder / "images.json", {})
        last = [job for job in run["jobs"] if job["run_attempt"] == run["run_attempt"]]
        for job in last:
            built = job["code"] in code
            job |= {"status": "completed", "conclusion": "success" if built else "failure"}
            if built:
                images[job["image"]] = code[job["code"]]
        write_json(self._folder / "images.json", images)
        well = all(job["conclusion"] == "success" for job in last)
        run |= {"status": "completed", "conclusion": "success" if well else "failure"}

    def _commits(self, path: str | None = None) -> list[dict[str, Any]]:
        """The branch's commits, newest first; only those that changed `path`."""
        listed = self._git("log", "--format=%H%x00%B%x00", "main", "--", *([path] if path else []))
        parts = listed.split("\0")
        return [
            {"sha": sha.strip(), "commit": {"message": message.strip()}}
            for sha, message in zip(parts[::2], parts[1::2], strict=False)
        ]

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self._repository), *arguments]
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, timeout=_GIT_SECONDS
        )
        return done.stdout if done.returncode == 0 else ""


def serve(
    answer: Callable[[str, Mapping[str, str]], Any],
    port: int,
    post: Callable[[str], tuple[int, Any]] = lambda _: (404, {"message": "Not Found"}),
) -> ThreadingHTTPServer:
    """A server on loopback of what `answer` has for a path and a query, as JSON; None is a 404.
    `post` has the status and the answer to a POST.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            document = answer(url.path, dict(parse_qsl(url.query)))
            self._send(*((404, {"message": "Not Found"}) if document is None else (200, document)))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._send(*post(urlsplit(self.path).path))

        def _send(self, status: int, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing to log."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--image-format", default="local/{hotkey10}:{tag}")
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args(arguments)
    forge = Forge(options.folder, options.repository, options.image_format, options.seconds)
    server = serve(forge.answer, options.port, forge.post)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        forge.look()
        time.sleep(_POLL)


def _public(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A run or a job without what is ours alone."""
    return {
        key: value for key, value in entry.items() if key not in {"began", "jobs", "code", "image"}
    }


if __name__ == "__main__":
    main()
