"""The builds of the submissions' images, asked of GitHub until each has ended or the deadline has
come.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from gen404_assets.competition.audits import AuditOutcome
from gen404_assets.competition.builds import (
    Builds,
    WorkflowRun,
    entry_of,
    mendable,
    observe_builds,
    pending_builds,
)
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.round import Round
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.live.work import Work

STAGES = {Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS}
_UNDER_WAY = {"queued", "pending", "in_progress", "waiting", "requested"}


def track_builds(work: Work) -> None:
    """Publish `builds.json` whenever something changes; ends when nothing is open.

    A build that failed may yet be mended by a re-run: while there is one, GitHub is asked on until
    the deadline, and at least once. The deadline runs by the chain.
    """
    told = _Told(work)
    looked = False
    while True:
        due, current = work.due()
        if due.stage not in STAGES:
            return
        waited = told.waited(current)
        failed = mendable(current.builds or Builds({}), told.settled(current))
        follow = bool(failed) and (not looked or waited < work.rules.build_timeout)
        if not due.assets(Lane.BUILDS) and not follow:
            return
        if not told.look(current, waited):
            time.sleep(work.pace.build_poll_seconds)
        looked = True


def look_again(work: Work, hotkey: str) -> bool:
    """Ask GitHub once more before a verdict rests on a build that has ended without an image.

    Publishes what has changed. Returns whether the hotkey's job is being run again: then the
    verdict can wait, until the deadline. What can't be asked stays as it is recorded.
    """
    told, current = _Told(work), work.head()
    waited = told.waited(current)
    told.look(current, waited)
    word = told.run.jobs.get(hotkey) if told.run else None
    return word in _UNDER_WAY and waited < work.rules.build_timeout


class _Told:
    """What GitHub has told in this run of the platform, and what of it the operator knows."""

    def __init__(self, work: Work) -> None:
        self.run: WorkflowRun | None = None
        self._work = work
        self._said: set[str] = set()
        self._silent = False
        self._opened: tuple[bytes | None, datetime] | None = None
        self._typed: tuple[bytes | None, set[str]] | None = None

    def look(self, current: Round, waited: float) -> bool:
        """Ask, and publish what has changed, if anything has; whether it has."""
        work = self._work
        self.run, fault = self._ask()
        # The deadline is for what GitHub doesn't list, not for its silence.
        told = _Observation(
            self.run,
            0.0 if fault else waited,
            work.rules,
            self.settled(current),
            current.builds or Builds({}),
        )
        observe = partial(_file, told=told)
        path = current.path("builds.json")
        if observe(current)[path] == current.files.read(path):
            return False
        work.publish([f"Update build statuses for round {work.number}"], STAGES, observe)
        return True

    def settled(self, current: Round) -> set[str]:
        """The hotkeys whose builds stay as they are: those rejected, since a verdict rests on them,
        and those that a person has ended by hand.
        """
        content = current.files.read(current.path("builds.json"))
        if self._typed is None or self._typed[0] != content:
            self._typed = content, _typed(self._work, current)
        return self._typed[1] | _judged(current)

    def waited(self, current: Round) -> float:
        """Seconds since the round's opening was committed, by the chain's clock."""
        submissions = current.files.read(current.path("submissions.json"))
        if self._opened is None or self._opened[0] != submissions:  # not yet known, or opened anew
            self._opened = submissions, _opening(self._work, current)
        return (self._work.outside.chain.finalized().time - self._opened[1]).total_seconds()

    def _ask(self) -> tuple[WorkflowRun | None, str]:
        try:
            run = self._work.outside.builds.workflow_run(self._work.number)
        except InfrastructureFault as fault:
            self._tell(f"nothing can be learnt of the builds: {fault}")
            self._silent = True
            return None, str(fault)
        if self._silent:
            self._work.say("GitHub answers")
            self._said.clear()
        self._silent = False
        for note in run.notes if run else ():
            self._tell(note, alert=True)
        return run, ""

    def _tell(self, line: str, *, alert: bool = False) -> None:
        """Tell the operator, once."""
        if line not in self._said:
            self._said.add(line)
            (self._work.alert if alert else self._work.say)(line)


@dataclass(frozen=True, slots=True)
class _Observation:
    """What was told, `waited` seconds into the builds, when they stood as `seen`."""

    run: WorkflowRun | None
    waited: float
    rules: Rules
    settled: Collection[str]
    seen: Builds


def _file(current: Round, told: _Observation) -> Mapping[str, bytes | None]:
    """`builds.json` after what GitHub told. What was ended by others meanwhile stands."""
    submissions = current.required_submissions
    known = current.builds.root if current.builds is not None else {}
    builds = Builds(
        {hotkey: known.get(hotkey, build) for hotkey, build in pending_builds(submissions).items()}
    )
    path = current.path("builds.json")
    changed = {
        hotkey
        for hotkey, build in known.items()
        if build.status.ended and build != told.seen.get(hotkey)
    }
    settled = {*told.settled, *changed, *_judged(current)}
    observed = observe_builds(builds, told.run, told.waited, told.rules, settled)
    return {path: observed.to_bytes(current.files.read(path))}


def _typed(work: Work, current: Round) -> set[str]:
    """The hotkeys whose builds have ended without an image because a person wrote so."""
    path, failed = current.path("builds.json"), mendable(current.builds or Builds({}), ())
    if not failed:
        return set()
    history = work.history()

    def by_person(hotkey: str) -> bool:
        version = history.written(path, lambda raw: entry_of(raw, hotkey))
        return version is not None and version.by_person

    return {hotkey for hotkey in failed if by_person(hotkey)}


def _judged(current: Round) -> set[str]:
    """The hotkeys that were rejected: what comes after it changes nothing of what that rests on."""
    return {
        hotkey for hotkey, audit in current.audits.items() if audit.outcome is AuditOutcome.REJECTED
    }


def _opening(work: Work, current: Round) -> datetime:
    """When the round's opening was committed: from then on GitHub could build.

    Never before the window closed, whatever the clock of a person who opened it by hand says.
    """
    schedule = current.required_schedule
    closed = work.outside.chain.block(schedule.latest_reveal_block).time
    opened = work.history().opened(work.number)
    return max(closed, opened.commit.time) if opened else closed
