"""One run of a lane: its work and, where that fails, what the lane waits for."""

from collections.abc import Callable
from contextlib import suppress

from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live.progress import Progress
from gen404_assets.live.work import Overtaken, Work
from resources.disk import disk_faults


def run_lane(
    work: Work, lane: Lane, live: Callable[[Work], object], progress: Progress | None = None
) -> None:
    """Do what is due in a lane. What keeps it from that is what the lane waits for, and
    `gen404 status` shows it until a later run has gone well. What the work says is kept in
    `progress` while it goes on.

    A round that went on meanwhile ends the run, and is no fault. Raises InfrastructureFault.
    """
    if progress is not None:
        work.say = _kept(work.say, lane, progress)
    try:
        with disk_faults("the work can't go on"):
            live(work)
    except InfrastructureFault as fault:
        work.outside.waiting.begin(lane, str(fault), work.outside.now())
        raise
    except Overtaken as reason:
        work.say(f"nothing to do: {reason}")
    finally:
        if progress is not None:
            progress.end(lane)
    work.outside.waiting.end(lane)


def _kept(say: Callable[[str], None], lane: Lane, progress: Progress) -> Callable[[str], None]:
    """`say`, whose texts are kept too. A disk that fails is no reason not to work."""

    def kept(text: str) -> None:
        say(text)
        with suppress(InfrastructureFault):
            progress.report(lane, text)

    return kept
