"""What goes on beside the judge's questions: canary duels by the clock, and looks at the
repository's head, so that a judge out of order or a pause stops them within seconds.
"""

import time
from concurrent.futures import Future, wait
from threading import Event

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.round import STATE, Round, read_file, required
from gen404_assets.competition.state import Stage, State
from gen404_assets.live.canaries import Canaries, JudgeOutOfOrder
from gen404_assets.live.work import Overtaken, Work
from resources.deadlines import in_background

_LOOK_SECONDS = 2.0
"""Between two looks at the repository's head."""
_BLIND_SECONDS = 20.0
"""A look that takes longer can't see the head, and is said to."""
_UNANSWERED_SECONDS = 5.0
"""Until canary duels that nobody answered are asked again."""


class Watch:
    """Watches over the questions of matches, in two threads, from `begin` to `end`.

    `check` says whether any may still be asked. While the head can't be seen they may: their
    answers are kept, and a publication looks at the head itself.
    """

    def __init__(self, work: Work, current: Round, canaries: Canaries) -> None:
        self._work, self._current, self._canaries = work, current, canaries
        self._ended = Event()
        self._watching: list[Future[None]] = []

    def begin(self) -> None:
        """Begin to watch; once."""
        self._watching = [in_background(self._fly), in_background(self._look)]
        for watching in self._watching:  # what ends one of them ends both
            watching.add_done_callback(lambda _: self._ended.set())

    def end(self) -> None:
        """Watch no more; canary duels under way are awaited."""
        self._ended.set()
        wait(self._watching)

    def check(self) -> None:
        """Raise what keeps any further question from being asked: JudgeOutOfOrder, Overtaken where
        the round isn't judged any more, or MalformedFile.
        """
        for watching in self._watching:
            if watching.done():
                watching.result()

    def confirm(self) -> None:
        """See whether the judge is in order now (`Canaries.confirm`), unless `check` raises."""
        self.check()
        self._canaries.confirm(self._current)

    def _fly(self) -> None:
        """Ask canary duels by the clock. Raises JudgeOutOfOrder."""
        pause = self._canaries.due_in
        while not self._ended.wait(pause):
            try:
                self._canaries.fly(self._current)
            except JudgeOutOfOrder:
                raise
            except InfrastructureFault as fault:  # nothing is known; the other questions say more
                self._work.say(f"canary duels are asked again: {fault}")
                pause = _UNANSWERED_SECONDS
            else:
                pause = self._canaries.due_in

    def _look(self) -> None:
        """Look at the head again and again. Raises Overtaken and MalformedFile.

        A look that hangs keeps nothing waiting: no other one is begun until it has ended, and it is
        left alone when the questions are over.
        """
        seen, blind, began = "", False, time.monotonic()
        look = in_background(self._see, seen)
        while not self._ended.wait(_LOOK_SECONDS):
            why = ""
            if look.done():
                try:
                    seen = look.result()
                except InfrastructureFault as fault:
                    why = str(fault)
                began, look = time.monotonic(), in_background(self._see, seen)
            elif time.monotonic() - began > _BLIND_SECONDS:
                why = f"no answer after {_BLIND_SECONDS:g} s"
            else:
                continue
            if why and not blind:
                self._work.say(
                    "judging goes on, and nothing is published, while the repository's head can't "
                    f"be seen: {why}"
                )
            blind = bool(why)

    def _see(self, seen: str) -> str:
        """The head's sha, if the round is judged there; `seen` is known to be such a head."""
        repository = self._work.outside.repository
        sha = repository.refresh()
        if sha != seen:
            state = required(STATE, read_file(repository.snapshot(sha), STATE, State))
            if state.current_round != self._work.number:
                raise Overtaken(f"round {state.current_round} is under way")
            if state.stage is not Stage.DUELS:
                raise Overtaken(f"round {self._work.number} is {state.stage} now")
        return sha
