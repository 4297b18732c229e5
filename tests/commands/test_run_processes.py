"""Runs' processes are forked from one that has imported what they need."""

import inspect
import subprocess
import sys
from pathlib import Path

from dagster._grpc import server

from gen404_assets.commands.run_processes import ANSWER_SECONDS, STARTUP_SECONDS, _Known

FORKS = """
import atexit, os, sys
from gen404_assets.commands.run_processes import Forked

def said(path):
    with open(path, "a") as file:
        print("decimal" in sys.modules, os.getppid(), file=file)
    atexit.register(lambda: open(path + ".ended", "w").close())

if __name__ == "__main__":
    context = Forked(["decimal"])
    for number in range(2):
        process = context.Process(target=said, args=[sys.argv[1]])
        process.start()
        process.join()
        print(process.exitcode)
    print(os.getpid())
"""


def test_a_run_is_forked_from_what_has_imported_already_and_ends_as_any_process(
    tmp_path: Path,
) -> None:
    script, told = tmp_path / "forks.py", tmp_path / "told"
    script.write_text(FORKS)
    command = [sys.executable, str(script), str(told)]
    *codes, parent = subprocess.run(
        command, capture_output=True, check=True, text=True
    ).stdout.split()
    (first, forked_from), (second, again_from) = (
        line.split() for line in told.read_text().splitlines()
    )
    assert codes == ["0", "0"]
    assert first == second == "True"
    assert forked_from == again_from != parent
    assert (tmp_path / "told.ended").exists(), "what was registered for the end was called"


HANGS = """
import os, signal
from multiprocessing import forkserver
from gen404_assets.commands import run_processes

def run():
    pass

if __name__ == "__main__":
    context = run_processes.Forked([])
    first = context.Process(target=run)
    first.start()
    run_processes.ANSWER_SECONDS = 0.5
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGSTOP)
    try:
        context.Process(target=run).start()
    except run_processes.RunsNotForked as fault:
        print(fault)
    last = context.Process(target=run)
    last.start()
    last.join()
    print(last.exitcode)
"""


def test_g14_one_that_hangs_is_ended_and_the_next_run_is_forked_from_another(
    tmp_path: Path,
) -> None:
    """Dagster holds a lock while a run is started: no other run would ever begin."""
    script = tmp_path / "hangs.py"
    script.write_text(HANGS)
    told = subprocess.run(
        [sys.executable, str(script)], capture_output=True, check=True, text=True
    ).stdout.splitlines()
    assert told == [
        "the process that runs are forked from gave no answer for 0.5 s: it was killed, and "
        "another one is started with the next run",
        "0",
    ]


def test_on_an_overloaded_machine_the_next_one_is_given_more_time() -> None:
    known = _Known(forked=7)
    assert known.patience(7) == ANSWER_SECONDS
    assert known.patience(8) == STARTUP_SECONDS
    known.ended = 2
    assert known.patience(8) == 4 * STARTUP_SECONDS


def test_dagster_starts_runs_by_the_context_that_is_replaced() -> None:
    """A version of Dagster that does otherwise is noticed here."""
    assert "self._mp_ctx.Process(" in inspect.getsource(server.DagsterApiServer.StartRun)
    assert "self._mp_ctx =" in inspect.getsource(server.DagsterApiServer.__init__)
