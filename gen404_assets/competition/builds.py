"""`builds.json`: the Docker image of each submission, as GitHub Actions reports it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gen404_assets.competition.files import MalformedFile, MapFile, Record
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


def entry_of(raw: bytes, hotkey: str) -> Build | None:
    """A hotkey's build in a version of the file; None where it has none, or can't be read."""
    try:
        return Builds.parse(raw, "builds.json").get(hotkey)
    except MalformedFile:
        return None


@dataclass(frozen=True, slots=True)
class BuildRun:
    """A round's workflow run as GitHub last reported it, all its attempts together.

    `ended`: whether it has ended by itself and was read as a whole, so that a job that isn't listed
    will never be. `jobs` maps a hotkey to the job's conclusion where it has one, else to its status
    (`queued`, `in_progress`). `notes` are what the operator should know of it, such as a job that
    ended through nobody's code and might be re-run.
    """

    ended: bool
    jobs: Mapping[str, str]
    notes: Sequence[str] = ()


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


def observe_builds(
    builds: Builds,
    run: BuildRun | None,
    waited: float,
    rules: Rules,
    judged: Collection[str] = (),
) -> Builds:
    """`builds` after GitHub reported `run` (None: it could not be read), `waited` seconds into the
    round's builds (`rules.md`, Builds). The builds of the `judged` hotkeys stay as they are.

    A job that is missing changes nothing until the run has ended. Only the deadline ends a build
    that stays open. A success is final; a failure stands until a later success.
    """
    return Builds(
        {
            hotkey: build if hotkey in judged else _observe(hotkey, build, run, waited, rules)
            for hotkey, build in builds.items()
        }
    )


def mendable(builds: Builds, judged: Collection[str]) -> list[str]:
    """The hotkeys whose builds have ended without an image, and on which no verdict rests yet."""
    return [
        hotkey
        for hotkey, build in builds.items()
        if build.status.ended and build.status is not BuildStatus.SUCCESS and hotkey not in judged
    ]


_STATUS_OF_WORD = {
    "queued": BuildStatus.PENDING,
    "pending": BuildStatus.PENDING,
    "in_progress": BuildStatus.IN_PROGRESS,
    "success": BuildStatus.SUCCESS,
    "failure": BuildStatus.FAILURE,
    "timed_out": BuildStatus.FAILURE,
}
"""A job's conclusion or status -> the build's status. Any other word leaves the build as it was:
conclusions that say nothing of the miner's code (`cancelled`, `skipped`, ...), and new ones.
"""


def _observe(hotkey: str, build: Build, run: BuildRun | None, waited: float, rules: Rules) -> Build:
    status = _status(hotkey, build.status, run)
    if not status.ended and waited >= rules.build_timeout:
        status = BuildStatus.TIMED_OUT
    if status is build.status:
        return build
    built = status is BuildStatus.SUCCESS
    image = image_name(rules.docker_image_format, hotkey, build.tag) if built else None
    return build.model_copy(update={"status": status, "docker_image": image})


def _status(hotkey: str, known: BuildStatus, run: BuildRun | None) -> BuildStatus:
    if run is None or known is BuildStatus.SUCCESS:
        return known
    if hotkey in run.jobs:
        reported = _STATUS_OF_WORD.get(run.jobs[hotkey], known)
        # A failure stands until a later success (`rules.md`, Builds).
        if known is BuildStatus.FAILURE and reported is not BuildStatus.SUCCESS:
            return known
        return reported
    return known if known.ended or not run.ended else BuildStatus.NOT_FOUND
