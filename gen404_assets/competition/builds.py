"""`builds.json`: the Docker image of each submission, as GitHub Actions reports it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gen404_assets.competition.files import MapFile, Record
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.submissions import Submission, Submissions


class BuildStatus(StrEnum):
    """`pending` and `in_progress` are open; the others end a build."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    TIMED_OUT = "timed_out"
    NOT_FOUND = "not_found"

    @property
    def ended(self) -> bool:
        return self not in {BuildStatus.PENDING, BuildStatus.IN_PROGRESS}


class Build(Record):
    """`docker_image` is null until the build has succeeded."""

    repo: str
    commit: str
    revealed_at_block: int
    tag: str
    status: BuildStatus
    docker_image: str | None


class Builds(MapFile[Build]):
    """hotkey -> build, in the order of the submissions."""


@dataclass(frozen=True, slots=True)
class BuildRun:
    """A round's workflow run as GitHub last told it: whether it has ended, and its jobs, all of them.

    `jobs` maps a hotkey to the job's conclusion where it has one, else to its status (`queued`, `in_progress`).
    A word that is no conclusion of GitHub's leaves a build as it was.
    """

    ended: bool
    jobs: Mapping[str, str]


def image_name(image_format: str, hotkey: str, tag: str) -> str:
    """The image that a submission's build pushes (`DOCKER_IMAGE_FORMAT`)."""
    return image_format.format(hotkey10=short(hotkey).lower(), tag=tag.lower())


def build_tag(submission: Submission) -> str:
    """The image's tag: seven digits of the commit and the round's name."""
    return f"{submission.commit[:7]}-{submission.round}"


def pending_builds(submissions: Submissions) -> Builds:
    """Every submission's build before anything is known of it."""
    return Builds(
        {
            hotkey: Build(
                repo=submission.repo,
                commit=submission.commit,
                revealed_at_block=submission.revealed_at_block,
                tag=build_tag(submission),
                status=BuildStatus.PENDING,
                docker_image=None,
            )
            for hotkey, submission in submissions.items()
        }
    )


def observe_builds(builds: Builds, run: BuildRun | None, waited: float, rules: Rules) -> Builds:
    """`builds` after GitHub told `run` (None: nothing could be learnt), `waited` seconds into the round's builds.

    Absence changes nothing unless the run has ended; only the deadline ends what stays open.
    """
    return Builds({hotkey: _observe(hotkey, build, run, waited, rules) for hotkey, build in builds.items()})


_TOLD = {
    "queued": BuildStatus.PENDING,
    "pending": BuildStatus.PENDING,
    "in_progress": BuildStatus.IN_PROGRESS,
    "success": BuildStatus.SUCCESS,
    **dict.fromkeys(
        ("failure", "cancelled", "skipped", "timed_out", "action_required", "neutral", "stale", "startup_failure"),
        BuildStatus.FAILURE,
    ),
}


def _observe(hotkey: str, build: Build, run: BuildRun | None, waited: float, rules: Rules) -> Build:
    if build.status in {BuildStatus.SUCCESS, BuildStatus.FAILURE}:
        return build
    status: BuildStatus = build.status
    if run is not None and hotkey in run.jobs:
        status = _TOLD.get(run.jobs[hotkey], status)
    elif run is not None and run.ended:
        status = BuildStatus.NOT_FOUND
    if not status.ended and waited >= rules.build_timeout:
        status = BuildStatus.TIMED_OUT
    built = status is BuildStatus.SUCCESS
    image = image_name(rules.docker_image_format, hotkey, build.tag) if built else None
    return build.model_copy(update={"status": status, "docker_image": image})
