"""How long a replay takes as a whole process, beside the least it could take.

`python -m bench.replay [REPO] [--rounds N-M]`

The baseline is a plain reader: a Python process that clones the repository as a replay does, and
parses every JSON file of the same rounds, deriving nothing. Without REPO, the first row is the real
rounds where they lie beside the repository, else the recorded rounds in it; made-up competitions
of growing size show the growth. Below each row stands where the CPU time goes (`replay_phases`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from gen404_assets.competition.config import Config
from gen404_assets.competition.round import CONFIG
from resources.repository import Repository
from simulators.histories import make_competition
from simulators.recording import history_bundle

RUNS = 3
READER = """
import json, subprocess, sys, tempfile
repository, rounds = sys.argv[1], set(sys.argv[2].split(","))
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(["git", "clone", "-q", "--bare", "-b", "main", repository, folder], check=True)
    git = ["git", "-C", folder]
    listing = [*git, "ls-tree", "-r", "main", "rounds/"]
    listed = subprocess.run(listing, capture_output=True, text=True, check=True)
    rows = [row.split() for row in listed.stdout.splitlines()]
    wanted = [
        blob
        for _, _, blob, path in rows
        if path.split("/")[1] in rounds and path.endswith(".json")
    ]
    command, asked = [*git, "cat-file", "--batch"], "\\n".join(wanted).encode()
    read = subprocess.run(command, input=asked, capture_output=True, check=True)
    at = 0
    while at < len(read.stdout):
        end = read.stdout.index(b"\\n", at)
        size = int(read.stdout[at:end].split()[2])
        json.loads(read.stdout[end + 1 : end + 1 + size])
        at = end + size + 2
"""


def main() -> None:
    """Print a row a competition: rounds, duels, seconds whole, a round, and beside the plain
    reader.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", nargs="?")
    parser.add_argument("--rounds", help="such as 0-6; default: all")
    options = parser.parse_args()
    columns = (
        "rounds",
        "duels",
        "replay, s",
        "of it CPU, s",
        "a round, s",
        "ms/1000 duels",
        "reader, s",
        "ratio",
    )
    print("".join(f"{name:>15}" for name in columns))
    if options.repository:
        _row(options.repository, ["--rounds", options.rounds] if options.rounds else [])
        return
    _row(str(history_bundle()), [])
    with tempfile.TemporaryDirectory() as folder:
        for rounds in (2, 4, 8):
            made = make_competition(
                Path(folder) / f"{rounds}.git", rounds=rounds, miners=40, prompts=128
            )
            _row(str(made), ["--rounds", f"0-{rounds - 1}"])


def _row(repository: str, rounds: Sequence[str]) -> None:
    replay = [sys.executable, "-m", "gen404_assets.commands.cli", "replay", repository, *rounds]
    replayed_rounds = json.loads(_run([*replay, "--json"])[2])["rounds"]
    numbers = ",".join(str(replayed["round"]) for replayed in replayed_rounds)
    reports = sum(
        file["asset"] == "duels" for replayed in replayed_rounds for file in replayed["files"]
    )
    duels = reports * _prompts(repository)
    whole, processor, _ = min(_run(replay) for _ in range(RUNS))
    reader = min(_run([sys.executable, "-c", READER, repository, numbers])[0] for _ in range(RUNS))
    cells = (
        *(
            len(replayed_rounds),
            duels,
            f"{whole:.2f}",
            f"{processor:.2f}",
            f"{whole / len(replayed_rounds):.3f}",
        ),
        *(f"{1e6 * whole / max(1, duels):.1f}", f"{reader:.2f}", f"{whole / reader:.1f}"),
    )
    print("".join(f"{cell:>15}" for cell in cells), flush=True)
    phases = [sys.executable, "-m", "bench.replay_phases", repository, *rounds]
    print(_run(phases)[2], flush=True)


def _run(command: Sequence[str]) -> tuple[float, float, str]:
    """Seconds, seconds of CPU time, and output of a process that starts without a mirror."""
    with tempfile.TemporaryDirectory() as home:
        began, used = time.perf_counter(), _used()
        done = subprocess.run(
            command,
            env=os.environ | {"GEN404_HOME": home},
            capture_output=True,
            text=True,
            check=False,
        )
        took, used = time.perf_counter() - began, _used() - used
    if done.returncode > 1:
        sys.exit(done.stderr)
    return took, used, done.stdout


def _used() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _prompts(repository: str) -> int:
    """The prompts of a round, from the competition's config."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Repository(repository, mirror=Path(folder)).snapshot().read(CONFIG)
    return Config.parse(raw or b"", CONFIG).prompts_per_round


if __name__ == "__main__":
    main()
