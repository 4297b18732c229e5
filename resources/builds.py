"""The builds of the miners' images as GitHub reports them: a round's workflow run and its jobs, by
the REST API (docs.github.com, "REST API endpoints for workflow runs" and "... for workflow jobs").

A run that was re-run has several attempts. Its jobs are listed with `filter=all`, each with its
`run_attempt`: `latest`, the default, leaves out the jobs of earlier attempts that "Re-run failed
jobs" did not repeat.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
from pydantic import Field, field_validator

from gen404_assets.competition.builds import BuildRun
from gen404_assets.competition.faults import InfrastructureFault
from gpu.bounded_http import AnswerRefused, Bounds, bounded_client
from resources.deadlines import within
from resources.settings import BaseUrl, Secret, Settings, read_settings

_JOB_PREFIX = "Bake and push images to Google Cloud"
_SECONDS = 60.0
"""Of one question, with all its pages."""
_BOUNDS = Bounds(_SECONDS, 8 * 2**20, together=64 * 2**20)
"""Of an answer, and of all to one question. A hundred jobs with their steps are about 1 MiB."""
_PAGE = 100  # items; GitHub's most
_PAGES = 100  # ends a list whose pages never end


_NO_FAULT = frozenset(
    {"startup_failure", "cancelled", "stale", "action_required", "neutral", "skipped"}
)
"""Conclusions that say nothing of the code that was to be built."""

_CONCLUSIVE = frozenset({"success", "failure", "timed_out"})


class Builds:
    """The workflow runs of one repository on GitHub Actions; each question is answered within a
    minute.
    """

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

    def workflow_run(self, round_number: int) -> BuildRun | None:
        """The run that builds a round's submissions; None while none is listed.

        The run belongs to the newest commit of the round's `submissions.json` whose message ends
        with `submissions for round {n}`. Runs without a job that builds a miner's image don't
        count; where several have one, as after a new push, they are read as one run. Raises
        InfrastructureFault for an error, a refusal (404 included) or an answer that isn't whole.
        """
        try:
            return within(_SECONDS, self._workflow_run, round_number)
        except TimeoutError:
            raise InfrastructureFault(f"GitHub: no answer within {_SECONDS:g} s") from None
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            raise InfrastructureFault(f"GitHub: an answer not as documented: {error!r}") from error

    def _workflow_run(self, round_number: int) -> BuildRun | None:
        with bounded_client(_BOUNDS, base_url=self._api, headers=self._headers) as client:
            commit = self._commit(client, round_number)
            if commit is None:
                return None
            listed = self._all(client, "actions/runs", "workflow_runs", head_sha=commit)
            runs = sorted(
                (run for run in listed if run["head_sha"] == commit), key=lambda run: int(run["id"])
            )
            return _combined([_Run(run, self._jobs(client, int(run["id"]))) for run in runs])

    def _commit(self, client: httpx2.Client, round_number: int) -> str | None:
        path = f"rounds/{round_number}/submissions.json"
        query = {"sha": self._branch, "path": path, "per_page": _PAGE}
        commits = _get(client, f"repos/{self._repository}/commits", query)
        for commit in commits:
            if (
                str(commit["commit"]["message"])
                .rstrip()
                .endswith(f"submissions for round {round_number}")
            ):
                return str(commit["sha"])
        return None

    def _jobs(self, client: httpx2.Client, run: int) -> "list[_Job]":
        """A run's jobs of ours, of all its attempts, in the order in which they were run."""
        jobs = self._all(client, f"actions/runs/{run}/jobs", "jobs", filter="all")
        ours = []
        for job in jobs:
            if match := self._job.fullmatch(str(job["name"])):
                word = str(job.get("conclusion") or job["status"])
                ours.append(_Job(int(job.get("run_attempt") or 1), int(job["id"]), match[1], word))
        return sorted(ours, key=lambda job: (job.attempt, job.number))

    def _all(
        self, client: httpx2.Client, path: str, key: str, **query: str
    ) -> list[dict[str, Any]]:
        """The items of all pages; InfrastructureFault unless they are as many as GitHub says there
        are.
        """
        items_by_id: dict[int, dict[str, Any]] = {}
        for page in self._pages(client, path, query):
            items = page[key]
            items_by_id |= {int(item["id"]): item for item in items}
            if len(items_by_id) == int(page["total_count"]):
                return list(items_by_id.values())
            if not items:
                break
        raise InfrastructureFault(f"GitHub: {path.rpartition('/')[2]} are not listed in full")

    def _pages(
        self, client: httpx2.Client, path: str, query: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        for page in range(1, _PAGES + 1):
            yield _get(
                client,
                f"repos/{self._repository}/{path}",
                dict(query) | {"per_page": _PAGE, "page": page},
            )


@dataclass(frozen=True, slots=True)
class _Job:
    """One execution of a hotkey's job; `word` is its conclusion where it has one, else its
    status.
    """

    attempt: int
    number: int
    hotkey: str
    word: str


@dataclass(frozen=True, slots=True)
class _Run:
    """A workflow run as GitHub describes it, and its jobs that build a miner's image."""

    description: Mapping[str, Any]
    jobs: Sequence[_Job]

    @property
    def completed(self) -> bool:
        """Whether none of its jobs goes on."""
        return bool(self.description["status"] == "completed")

    @property
    def conclusive(self) -> bool:
        """Whether a run that is completed got as far as to begin all its jobs."""
        return self.description.get("conclusion") in {None, *_CONCLUSIVE}

    @property
    def all_attempts_listed(self) -> bool:
        """Whether each attempt has a job listed; else other jobs than those listed may have run."""
        last = int(self.description.get("run_attempt") or 1)  # counted, for it may be any number
        return len({job.attempt for job in self.jobs if 1 <= job.attempt <= last}) >= last

    @property
    def note(self) -> str | None:
        """What the operator should know of it; None if there is nothing."""
        conclusion = self.description.get("conclusion")
        if not self.completed or conclusion not in _NO_FAULT:
            return None
        name = self.description.get("name") or "without a name"
        number = self.description["id"]
        return f"GitHub's run {number} ({name}) ended as {conclusion}: it can be re-run"


def _combined(runs: Sequence[_Run]) -> BuildRun | None:
    """The builds of a commit, from all its runs, oldest first; None where no run says anything."""
    ours = [run for run in runs if run.jobs]
    if not ours:
        notes = [note for run in runs if (note := run.note)]
        return BuildRun(ended=False, jobs={}, notes=tuple(notes)) if notes else None
    executions = defaultdict[str, list[str]](list)
    for run in ours:
        for job in run.jobs:
            executions[job.hotkey].append(job.word)
    conclusions = {hotkey: _word(words) for hotkey, words in executions.items()}
    # A run that has no job of ours yet may still get one, if it is of the workflow that builds.
    workflows = {run.description.get("workflow_id") for run in ours} - {None}
    same = [run for run in runs if run.jobs or run.description.get("workflow_id") in workflows]
    ended = (
        all(run.completed for run in same)
        and any(run.conclusive for run in ours)
        and all(run.all_attempts_listed for run in ours)
    )
    notes = [note for run in same if (note := run.note)]
    notes += [
        f"the build of {hotkey} ended as {word}, which is not its code's doing: re-run it, or it "
        "times out at the deadline"
        for hotkey, word in conclusions.items()
        if word in _NO_FAULT
    ]
    return BuildRun(ended, conclusions, tuple(notes))


def _word(executions: Sequence[str]) -> str:
    """The result of a job that was executed several times; `executions` are in order of time.

    One success is enough, since it has pushed the image. Otherwise the last execution that says
    anything of the code counts.
    """
    if "success" in executions:
        return "success"
    conclusive = [word for word in executions if word not in _NO_FAULT]
    return (conclusive or executions)[-1]


class BuildSettings(Settings):
    """The GitHub repository whose workflow builds the miners' images."""

    github_repo: str = Field(description="owner/name of the repository whose workflow builds")
    github_branch: str = Field("main", description="branch of the competition")
    github_token: Secret | None = Field(None, description="token for GitHub, for git and its API")
    github_api_url: BaseUrl = Field("https://api.github.com", description="URL of GitHub's API")
    build_job_prefix: str = Field(
        _JOB_PREFIX, description="what the name of a build's job begins with, before (hotkey)"
    )

    @field_validator("github_repo")
    @classmethod
    def _is_a_repository(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+", name):
            raise ValueError("must be owner/name")
        return name


def open_builds(environment: Mapping[str, str]) -> Builds:
    """The builds that `GITHUB_REPO`, `GITHUB_BRANCH`, `GITHUB_TOKEN`, `GITHUB_API_URL` and
    `BUILD_JOB_PREFIX` name.

    Raises BadSetting.
    """
    settings = read_settings(BuildSettings, environment)
    token = settings.github_token.get_secret_value() if settings.github_token else None
    return Builds(
        settings.github_repo,
        branch=settings.github_branch,
        token=token,
        api=settings.github_api_url,
        job_prefix=settings.build_job_prefix,
    )


def _get(client: httpx2.Client, path: str, query: Mapping[str, Any]) -> Any:
    try:
        answer = client.get(f"/{path}", params=query)
        if answer.status_code != 200:
            raise InfrastructureFault(f"GitHub answers {answer.status_code} to {path}")
        return answer.json()
    except RecursionError:
        raise InfrastructureFault(f"GitHub: {path} is nested too deeply") from None
    except httpx2.TimeoutException:
        raise TimeoutError from None
    except AnswerRefused as error:
        raise InfrastructureFault(f"GitHub: {path}: {error}") from None
    except httpx2.HTTPError as error:
        raise InfrastructureFault(f"GitHub can't be reached: {type(error).__name__}") from None
    except ValueError:
        raise InfrastructureFault(f"GitHub: {path} is not JSON") from None
