"""The small recorded competition of this repository: where it is, and how it was made.

`python -m simulators.recording PATH` plays two rounds by the platform's own work in a simulated
outside, and writes their git history as a bundle. What chance decides is drawn from names, so the
same code gives the same files each time.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from gen404_assets.competition.audits import SourceVerdict
from simulators.examples import MINERS
from simulators.history_repository import fast_import
from simulators.memory_repository import MemoryRepository
from simulators.outside import SimulatedOutside, digest
from simulators.whole_rounds import MinerDoes, World, play, simulate

RECORDED = Path(__file__).parent / "recorded" / "rounds-0-1.bundle"
"""The bundle as it was recorded."""

REAL = Path(__file__).parents[2] / "shared" / "history" / "mesh-rounds-0-1.bundle"
"""Two rounds of the real competition, which are not part of this repository."""

OUTCOME = RECORDED.with_suffix(".txt")
"""What its replay prints."""

CHANGED = "rounds/0/generation_audits.json"
"""The file in which a person has put a reason in other words."""

_PASSED = SourceVerdict.PASSED
_FAILED = SourceVerdict.FAILED
_WORLD = World(
    miners=(
        MinerDoes("success", True, 1, False, True, _PASSED),  # the best pictures, and a cheat
        MinerDoes("success", True, 3, True, True, _PASSED),
        MinerDoes("failure", True, 2, True, True, _PASSED),  # its image can't be built
        MinerDoes("success", False, 5, True, True, _FAILED),  # its files can't be had
    ),
    leader_works=True,
    leader_penalty=6,
    loops=1,
    gone=frozenset("ae"),
)
_CONFIG = {
    "prompts_per_round": 9,
    "carryover_prompts": 3,
    "last_competition_date": "2026-01-06",
}
_AGAIN = 7000
"""The block at which two miners reveal new code for round 1."""

_BLOCKS = 100
"""How many blocks pass whenever all wait."""


def history_bundle() -> Path:
    """The real rounds where they lie beside the repository, else the recorded ones in it."""
    return REAL if REAL.exists() else RECORDED


def play_recorded() -> MemoryRepository:
    """The competition played: two rounds, and a person's change of the first's audits."""
    return recorded_outside().repository


def recorded_outside() -> SimulatedOutside:
    """The same with all that was outside when it was played, such as the store."""
    outside = simulate(_WORLD, **_CONFIG)
    outside.seconds = lambda hotkey, stem: 40.0 + digest(hotkey, stem) % 400 / 10
    for number, hotkey in enumerate(MINERS[1:3], start=1):  # each its own files: the same ones
        cdn = f"https://cdn{number}.example/"  # would be one question, and one answer, for both
        commitment = {"repo": "owner/model", "commit": "b" * 40, "cdn_url": cdn}
        outside.chain.revealed[hotkey].append((_AGAIN, json.dumps(commitment)))
    play(outside, _BLOCKS)
    audits = outside.repository.head.files[CHANGED]
    reworded = audits.replace(b'"reason": "', b'"reason": "Checked by hand: ', 1)
    outside.repository.commit(
        {CHANGED: reworded}, "Say why the first audit failed", outside.chain.finalized().time
    )
    return outside


def write_commits(stream: IO[bytes], repository: MemoryRepository) -> None:
    """Write a repository's branch as `git fast-import` reads it."""
    for commit, changes in zip(repository.commits, repository.changes, strict=True):
        message = commit.message.encode()
        stream.write(
            f"commit refs/heads/main\ncommitter {commit.author}"
            f" {int(commit.time.timestamp())} +0000\ndata {len(message)}\n".encode()
        )
        stream.write(message + b"\n")
        for change in sorted(changes, key=lambda change: change.blob is not None):
            name = change.path.encode()
            if change.blob is None:  # deletions first
                stream.write(b"D %s\n" % name)
                continue
            content = repository.contents[change.blob]
            stream.write(b"M 100644 inline %s\ndata %d\n" % (name, len(content)))
            stream.write(content + b"\n")


def record(repository: MemoryRepository, path: Path) -> None:
    """Write a repository's branch as a git bundle."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "recorded.git"
        with fast_import(bare) as stream:
            write_commits(stream, repository)
        git = ["git", "-C", str(bare)]
        subprocess.run([*git, "gc", "--quiet", "--aggressive"], check=True)
        command = [*git, "bundle", "create", "--quiet", str(path.resolve()), "main"]
        subprocess.run(command, check=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m simulators.recording", description=__doc__)
    parser.add_argument("path", type=Path, help="the bundle to write")
    record(play_recorded(), parser.parse_args().path)


if __name__ == "__main__":
    main()
