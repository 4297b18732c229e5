"""Where the CPU time of a replay goes, phase by phase; a process of its own, so that imports count.

`python -m bench.replay_phases REPO [--rounds N-M]` prints seconds: start and imports, git (with its
processes), parsing and validating, deriving and comparing, printing.
"""

import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import ParamSpec, TypeVar
from unittest.mock import patch

P = ParamSpec("P")
T = TypeVar("T")


def used() -> float:
    """Seconds of CPU time of this process and its ended children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main() -> None:
    """Replay once, and print a line a phase."""
    # Imported here, since importing is the first phase.
    from gen404_assets.commands import replaying  # noqa: PLC0415
    from gen404_assets.commands.cli import main as gen404  # noqa: PLC0415
    from gen404_assets.commands.replay_text import replay_text  # noqa: PLC0415
    from gen404_assets.competition.files import StateFile  # noqa: PLC0415
    from resources.git_commands import GitCommands  # noqa: PLC0415

    spent = defaultdict(float, {"start and imports": used()})

    def timed(phase: str, work: Callable[P, T]) -> Callable[P, T]:
        def measured(*arguments: P.args, **named: P.kwargs) -> T:
            began = used()
            try:
                return work(*arguments, **named)
            finally:
                spent[phase] += used() - began

        return measured

    parse = timed("parsing and validating", StateFile.__dict__["parse"].__func__)
    with (
        patch.object(StateFile, "parse", classmethod(parse)),
        patch.object(GitCommands, "run", timed("git", GitCommands.run)),
        patch.object(replaying, "replay_text", timed("printing", replay_text)),
        redirect_stdout(StringIO()),
    ):
        gen404(["replay", *sys.argv[1:]])
    whole = used()
    spent["deriving and comparing"] += whole - sum(spent.values())
    for phase, seconds in spent.items():
        print(f"{phase:>30} {seconds:8.2f}")
    print(f"{'whole':>30} {whole:8.2f}")


if __name__ == "__main__":
    main()
