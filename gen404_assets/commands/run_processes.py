"""The processes of runs: forked from one that has imported Dagster and the definitions already. A
new interpreter, as Dagster starts one for each run, needs seconds for that.
"""

import atexit
import signal
from collections.abc import Sequence
from multiprocessing import context, forkserver


class _Run(context.ForkServerProcess):
    """A forked process that ends as any other: what was registered for its end is called."""

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
