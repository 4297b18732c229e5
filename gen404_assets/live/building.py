"""The builds of the submissions' images, asked of GitHub until each has ended or the deadline has come."""

import time
from collections.abc import Mapping
from functools import partial

from gen404_assets.competition.builds import BuildRun, Builds, observe_builds, pending_builds
from gen404_assets.competition.due import Lane
from gen404_assets.competition.round import Round
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.live.work import Work
from resources.faults import InfrastructureFault

STAGES = {Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS}


def track_builds(work: Work) -> None:
    """Publish `builds.json` whenever something changes; ends when nothing is open. The deadline runs by the chain."""
    told: str | None = None
    while True:
        due, current = work.due()
        if not due.assets(Lane.BUILDS):
            return
        run, fault = _ask(work)
        if fault != told:
            told = fault
            work.say(fault or "GitHub answers")
        # The deadline is for what GitHub doesn't list, not for its silence.
        waited = 0.0 if fault else _waited(work, current)
        if _changed(current, run, waited, work.rules):
            message = f"Update build statuses for round {work.number}"
            work.publish([message], STAGES, partial(_file, run=run, waited=waited, rules=work.rules))
        else:
            time.sleep(work.pace.build_poll_seconds)


def _ask(work: Work) -> tuple[BuildRun | None, str]:
    try:
        run = work.outside.builds.workflow_run(work.number)
        return (None if run is None else BuildRun(run.ended, run.jobs)), ""
    except InfrastructureFault as fault:
        return None, f"nothing can be learnt of the builds: {fault}"


def _changed(current: Round, run: BuildRun | None, waited: float, rules: Rules) -> bool:
    path = current.path("builds.json")
    return _file(current, run, waited, rules)[path] != current.files.read(path)


def _file(current: Round, run: BuildRun | None, waited: float, rules: Rules) -> Mapping[str, bytes | None]:
    """`builds.json` after what GitHub told. A build that a person wrote stands as it is once it has ended."""
    submissions = current.need(current.path("submissions.json"), current.submissions)
    known = current.builds.root if current.builds is not None else {}
    builds = Builds({hotkey: known.get(hotkey, build) for hotkey, build in pending_builds(submissions).items()})
    path = current.path("builds.json")
    return {path: observe_builds(builds, run, waited, rules).to_bytes(current.files.read(path))}


def _waited(work: Work, current: Round) -> float:
    """Seconds since the window closed, when the submissions became known, by the chain's clock."""
    schedule = current.need(current.path("schedule.json"), current.schedule)
    chain = work.outside.chain
    return (chain.finalized().time - chain.block(schedule.latest_reveal_block).time).total_seconds()
