"""The builds of the submissions' images: GitHub is polled until each has ended or the deadline has
passed.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from gen404_assets.competition.audits import AuditOutcome
from gen404_assets.competition.builds import (
    BuildRun,
    Builds,
    entry_of,
    mendable,
    observe_builds,
    pending_builds,
)
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.round import Round
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import WITH_IMAGES
from gen404_assets.live.work import Work

_UNDER_WAY = {"queued", "pending", "in_progress", "waiting", "requested"}


def track_builds(work: Work) -> None:
    """Publish `builds.json` whenever a build's status changes, until none is open.

    A re-run may still succeed where a build failed. While there is such a build, GitHub is polled
    until the deadline, and at least once. The deadline is reckoned by the chain's clock.
    """
    monitor = _BuildMonitor(work)
    has_polled = False
    while True:
        due, current = work.due()
        if due.stage not in WITH_IMAGES:
            return
        waited = monitor.waited(current)
        failed = mendable(current.builds or Builds({}), monitor.settled(current))
        may_be_re_run = bool(failed) and (not has_polled or waited < work.rules.build_timeout)
        if not due.assets(Lane.BUILDS) and not may_be_re_run:
            return
        if not monitor.poll(current, waited):
            time.sleep(work.pace.build_poll_seconds)
        has_polled = True


def look_again(work: Work, hotkey: str) -> bool:
    """Ask GitHub once more before a verdict rests on a build that has ended without an image.

    Publishes the statuses that changed; where GitHub doesn't answer, they stay as recorded. Returns
    whether the hotkey's job is being run again: then the verdict can wait until the deadline.
    """
    monitor, current = _BuildMonitor(work), work.head()
    waited = monitor.waited(current)
    monitor.poll(current, waited)
    status = monitor.run.jobs.get(hotkey) if monitor.run else None
    return status in _UNDER_WAY and waited < work.rules.build_timeout


class _BuildMonitor:
    """Polls GitHub for the builds of the round, and tells the operator each remark once.

    What it takes to read the history for is kept for as long as the file that it depends on stays
    the same.
    """

    def __init__(self, work: Work) -> None:
        self.run: BuildRun | None = None
        self._work = work
        self._reported: set[str] = set()
        self._out_of_reach = False
        self._opened: tuple[bytes | None, datetime] | None = None
        self._typed: tuple[bytes | None, set[str]] | None = None

    def poll(self, current: Round, waited: float) -> bool:
        """Ask GitHub, and publish the statuses that changed; whether any has."""
        work = self._work
        self.run, fault = self._ask()
        # The deadline is for jobs that GitHub doesn't list, not for times when it doesn't answer.
        observation = _Observation(
            self.run,
            0.0 if fault else waited,
            work.rules,
            self.settled(current),
            current.builds or Builds({}),
        )
        observe = partial(_builds_file, observation=observation)
        path = Asset.BUILDS.path(current.number)
        if observe(current)[path] == current.files.read(path):
            return False
        work.publish([f"Update build statuses for round {work.number}"], WITH_IMAGES, observe)
        return True

    def settled(self, current: Round) -> set[str]:
        """The hotkeys whose builds stay as they are: those of rejected candidates, whose verdicts
        depend on them, and those that a person has ended by hand.
        """
        content = current.files.read(Asset.BUILDS.path(current.number))
        if self._typed is None or self._typed[0] != content:
            self._typed = content, _typed(self._work, current)
        return self._typed[1] | _judged(current)

    def waited(self, current: Round) -> float:
        """Seconds since the round's opening was committed, by the chain's clock."""
        submissions = current.files.read(Asset.SUBMISSIONS.path(current.number))
        if self._opened is None or self._opened[0] != submissions:  # not yet known, or opened anew
            self._opened = submissions, _opening(self._work, current)
        return (self._work.outside.chain.finalized().time - self._opened[1]).total_seconds()

    def _ask(self) -> tuple[BuildRun | None, str]:
        outside = self._work.outside
        try:
            run = outside.builds.workflow_run(self._work.number)
        except InfrastructureFault as fault:
            outside.waiting.begin(Lane.BUILDS, str(fault), outside.now())
            self._report(f"GitHub can't be asked about the builds: {fault}")
            self._out_of_reach = True
            return None, str(fault)
        outside.waiting.end(Lane.BUILDS)
        if self._out_of_reach:
            self._work.say("GitHub answers again")
            self._reported.clear()
        self._out_of_reach = False
        for note in run.notes if run else ():
            self._report(note, alert=True)
        return run, ""

    def _report(self, line: str, *, alert: bool = False) -> None:
        """Tell the operator, unless that was done already."""
        if line not in self._reported:
            self._reported.add(line)
            (self._work.alert if alert else self._work.say)(line)


@dataclass(frozen=True, slots=True)
class _Observation:
    """A workflow run as it was `waited` seconds after the round's opening; None: not listed.

    `seen`: the builds as recorded when it was observed. `settled`: hotkeys whose builds stay.
    """

    run: BuildRun | None
    waited: float
    rules: Rules
    settled: Collection[str]
    seen: Builds


def _builds_file(current: Round, observation: _Observation) -> Mapping[str, bytes | None]:
    """`builds.json` after an observation. Builds that others have ended since then stay."""
    submissions = current.required_submissions
    known = current.builds.root if current.builds is not None else {}
    builds = Builds(
        {hotkey: known.get(hotkey, build) for hotkey, build in pending_builds(submissions).items()}
    )
    path = Asset.BUILDS.path(current.number)
    changed = {
        hotkey
        for hotkey, build in known.items()
        if build.status.ended and build != observation.seen.get(hotkey)
    }
    settled = {*observation.settled, *changed, *_judged(current)}
    observed = observe_builds(
        builds, observation.run, observation.waited, observation.rules, settled
    )
    return {path: observed.to_bytes(current.files.read(path))}


def _typed(work: Work, current: Round) -> set[str]:
    """The hotkeys whose builds have ended without an image because a person wrote so."""
    path, failed = Asset.BUILDS.path(current.number), mendable(current.builds or Builds({}), ())
    if not failed:
        return set()
    history = work.history()

    def by_person(hotkey: str) -> bool:
        version = history.written(path, lambda raw: entry_of(raw, hotkey))
        return version is not None and version.by_person

    return {hotkey for hotkey in failed if by_person(hotkey)}


def _judged(current: Round) -> set[str]:
    """The hotkeys that were rejected: nothing that their verdicts depend on changes any more."""
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
