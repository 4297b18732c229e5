"""How a run waits for an outside service that fails: it alerts the operator once, and retries with
back-off.
"""

import time

from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live.work import Work

_FIRST_DELAY, _LONGEST_DELAY = 5.0, 60.0
"""Seconds. The longest stays far below `waiting.FORGOTTEN_AFTER`, so that a wait is renewed in
time."""


class Patience:
    """How long one run retries without any success, in seconds. After that the fault is raised, and
    a later run goes on.

    An outage that lasts over several runs is one outage: the operator is alerted once.
    """

    def __init__(self, work: Work, lane: Lane, seconds: float) -> None:
        self._work, self._lane, self._seconds = work, lane, seconds
        self._tries, self._since = 0, 0.0

    def wait(self, fault: InfrastructureFault) -> None:
        """Wait a while, a longer one each time. Raises the fault where there is no patience
        left.
        """
        work, what = self._work, f"{fault}"
        tell = (
            work.alert
            if work.outside.waiting.begin(self._lane, what, work.outside.now())
            else work.say
        )
        tell(f"{self._lane} of round {work.number} waits, and goes on by itself: {what}")
        if not self._tries:
            self._since = time.monotonic()
        delay = min(_FIRST_DELAY * 2**self._tries, _LONGEST_DELAY)
        self._tries += 1
        if time.monotonic() + delay - self._since > self._seconds:
            raise fault
        time.sleep(delay)

    def end(self) -> None:
        """A try has succeeded, or there is nothing left to be done."""
        self._tries = 0
        if self._work.outside.waiting.end(self._lane):
            self._work.say(f"{self._lane} of round {self._work.number} waits no more")
