"""GitHub's word on the builds of the miners' images: a round's workflow run and its jobs, over the REST API."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from resources.base_url import base_url
from resources.deadlines import within
from resources.faults import InfrastructureFault
from resources.settings import BadSetting

_JOB_PREFIX = "Bake and push images to Google Cloud"
_SECONDS = 60.0
_PAGE = 100
_PAGES = 100


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A round's workflow run: whether it has ended, and its jobs, all of them.

    `jobs`: hotkey -> the job's conclusion where it has one, else its status.
    """

    ended: bool
    jobs: Mapping[str, str]


class Builds:
    """The workflow runs of one repository on GitHub Actions; each question is answered within a minute."""

    def __init__(
        self,
        repository: str,
        *,
        branch: str = "main",
        token: str | None = None,
        api: str = "https://api.github.com",
        job_prefix: str = _JOB_PREFIX,
    ) -> None:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._headers = headers | ({"Authorization": f"Bearer {token}"} if token else {})
        self._api, self._repository, self._branch = api, repository, branch
        self._job = re.compile(re.escape(job_prefix) + r" \(([^()]+)\)")

    def workflow_run(self, round_number: int) -> WorkflowRun | None:
        """The run that builds a round's submissions; None while none is listed.

        It is that of the newest commit of the round's `submissions.json` whose message ends with `submissions for round
        {n}`. Runs that have no job of ours, yet or ever, are not it. Raises InfrastructureFault where nothing could be
        learnt: an error, a refusal (a 404 among them), an answer that isn't whole.
        """
        try:
            return within(_SECONDS, self._workflow_run, round_number)
        except TimeoutError:
            raise InfrastructureFault(f"GitHub: no answer within {_SECONDS:g} s") from None
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            raise InfrastructureFault(f"GitHub: an answer not as documented: {error!r}") from error

    def _workflow_run(self, round_number: int) -> WorkflowRun | None:
        with httpx2.Client(base_url=self._api, headers=self._headers, timeout=_SECONDS) as client:
            commit = self._commit(client, round_number)
            if commit is None:
                return None
            runs = self._all(client, "actions/runs", "workflow_runs", head_sha=commit)
            ended, jobs, found = True, dict[str, str](), False
            for run in sorted(runs, key=lambda run: int(run["id"])):
                if run["head_sha"] != commit:
                    continue
                ours = self._jobs(client, int(run["id"]))
                if ours:
                    found, ended = True, ended and run["status"] == "completed"
                    jobs |= ours
            return WorkflowRun(ended, jobs) if found else None

    def _commit(self, client: httpx2.Client, round_number: int) -> str | None:
        path = f"rounds/{round_number}/submissions.json"
        query = {"sha": self._branch, "path": path, "per_page": _PAGE}
        commits = _get(client, f"repos/{self._repository}/commits", query)
        for commit in commits:
            if str(commit["commit"]["message"]).rstrip().endswith(f"submissions for round {round_number}"):
                return str(commit["sha"])
        return None

    def _jobs(self, client: httpx2.Client, run: int) -> dict[str, str]:
        jobs = self._all(client, f"actions/runs/{run}/jobs", "jobs", filter="latest")
        named = [(self._job.fullmatch(str(job["name"])), job) for job in sorted(jobs, key=lambda job: int(job["id"]))]
        return {match[1]: str(job.get("conclusion") or job["status"]) for match, job in named if match}

    def _all(self, client: httpx2.Client, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        """The items of all pages; InfrastructureFault unless they are as many as GitHub says there are."""
        found: dict[int, dict[str, Any]] = {}
        for page in self._pages(client, path, query):
            items = page[key]
            found |= {int(item["id"]): item for item in items}
            if len(found) == int(page["total_count"]):
                return list(found.values())
            if not items:
                break
        raise InfrastructureFault(f"GitHub: {path.rpartition('/')[2]} are listed by halves")

    def _pages(self, client: httpx2.Client, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        for page in range(1, _PAGES + 1):
            yield _get(client, f"repos/{self._repository}/{path}", dict(query) | {"per_page": _PAGE, "page": page})


def open_builds(environment: Mapping[str, str]) -> Builds:
    """The builds that `GITHUB_REPO`, `GITHUB_BRANCH`, `GITHUB_TOKEN`, `GITHUB_API_URL` and `BUILD_JOB_PREFIX` name.

    Raises BadSetting.
    """
    repository = environment.get("GITHUB_REPO", "")
    if not re.fullmatch(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", repository) or repository.endswith(("/.", "/..")):
        raise BadSetting(f"GITHUB_REPO must be owner/name, not {repository!r}")
    token = environment.get("GITHUB_TOKEN") or None
    if token is not None and not re.fullmatch(r"[!-~]+", token):
        raise BadSetting("GITHUB_TOKEN must be plain characters without blanks")
    api = base_url({"GITHUB_API_URL": "https://api.github.com"} | dict(environment), "GITHUB_API_URL")
    branch = environment.get("GITHUB_BRANCH") or "main"
    prefix = environment.get("BUILD_JOB_PREFIX") or _JOB_PREFIX
    return Builds(repository, branch=branch, token=token, api=api, job_prefix=prefix)


def _get(client: httpx2.Client, path: str, query: Mapping[str, Any]) -> Any:
    try:
        answer = client.get(f"/{path}", params=query)
        if answer.status_code != 200:
            raise InfrastructureFault(f"GitHub answers {answer.status_code} to {path}")
        return answer.json()
    except RecursionError:
        raise InfrastructureFault(f"GitHub: {path} is nested too deeply") from None
    except httpx2.HTTPError as error:
        raise InfrastructureFault(f"GitHub can't be reached: {type(error).__name__}") from None
    except ValueError:
        raise InfrastructureFault(f"GitHub: {path} is not JSON") from None
