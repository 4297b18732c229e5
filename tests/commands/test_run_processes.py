"""Runs' processes are forked from one that has imported what they need."""

import inspect
import subprocess
import sys
from pathlib import Path

from dagster._grpc import server

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


def test_dagster_starts_runs_by_the_context_that_is_replaced() -> None:
    """A version of Dagster that does otherwise is noticed here."""
    assert "self._mp_ctx.Process(" in inspect.getsource(server.DagsterApiServer.StartRun)
    assert "self._mp_ctx =" in inspect.getsource(server.DagsterApiServer.__init__)
