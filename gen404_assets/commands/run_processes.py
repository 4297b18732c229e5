"""The processes of runs: forked from one that has imported Dagster and the definitions already. A
new interpreter, as Dagster starts one for each run, needs seconds for that.
"""

import atexit
import logging
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import context, forkserver
from typing import Any

from resources.deadlines import within

STARTUP_SECONDS, ANSWER_SECONDS = 180.0, 45.0
"""What the process that runs are forked from may take for its first run, which includes its
imports, and for a later one."""

_LOG = logging.getLogger(__name__)
_DOUBLINGS = 3  # of a patience, at most: 45 s become six minutes


@dataclass
class _Known:
    """What is known of the processes that runs are forked from: the pid of the one that has forked
    last, and how many were ended since.
    """

    forked: int = 0
    ended: int = 0

    def patience(self, pid: int) -> float:
        """Seconds that it may take, longer each time that one was ended: on a machine that is
        overloaded another one makes matters worse.
        """
        usual = ANSWER_SECONDS if pid == self.forked else STARTUP_SECONDS
        return usual * 2.0 ** min(self.ended, _DOUBLINGS)


_KNOWN = _Known()


class RunsNotForked(Exception):
    """The process that runs are forked from has stopped answering, and was ended."""


class _Run(context.ForkServerProcess):
    """A forked process that ends as any other: what was registered for its end is called."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 -- multiprocessing's name
        """Have it forked. Raises RunsNotForked after a deadline: Dagster holds a lock meanwhile,
        without which no other run starts.
        """
        forkserver.ensure_running()
        # Private: multiprocessing tells nobody which process it forks from.
        forks: int = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
        seconds = _KNOWN.patience(forks)
        try:
            forked = within(seconds, context.ForkServerProcess._Popen, process_obj)
        except TimeoutError:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(forks, signal.SIGKILL)
                os.waitid(os.P_PID, forks, os.WEXITED | os.WNOWAIT)  # multiprocessing asks, too
            _KNOWN.ended += 1
            message = (
                f"the process that runs are forked from gave no answer for {seconds:g} s: it was "
                "killed, and another one is started with the next run"
            )
            _LOG.error(message)
            raise RunsNotForked(message) from None
        _KNOWN.forked, _KNOWN.ended = forks, 0
        return forked

    def run(self) -> None:
        """See multiprocessing.Process."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            super().run()
        finally:
            # multiprocessing ends a forked process by os._exit, which calls nothing.
            atexit._run_exitfuncs()


class Forked(context.ForkServerContext):
    """multiprocessing's context whose processes are forked from one that has imported `modules`.

    That one is started here, so that it is ready when the first process is asked for. It ends with
    the last of the processes that use it.
    """

    Process = _Run

    def __init__(self, modules: Sequence[str]) -> None:
        super().__init__()
        self.set_forkserver_preload(list(modules))
        forkserver.ensure_running()
