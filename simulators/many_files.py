"""A competition's repository with very many files, for what a new head costs. Only `state.json` has
a content that means something.
"""

import json
from pathlib import Path
from typing import IO

from simulators.history_repository import fast_import

FILES_A_ROUND = 500
_FILES_A_COMMIT = 5
_FILES_A_MINER = 10
_FIRST = 1_800_000_000


def many_files(path: Path, files: int) -> Path:
    """Make the bare repository, branch main: rounds of FILES_A_ROUND files, five a commit."""
    with fast_import(path) as stream:
        at = _FIRST
        for number in range(max(1, files // FILES_A_ROUND)):
            state = {"current_round": number, "stage": "open", "next_stage_eta": None}
            _commit(stream, at, f"Round {number}: open", {"state.json": json.dumps(state)})
            for first in range(0, FILES_A_ROUND, _FILES_A_COMMIT):
                at += 60
                written = {
                    _path(number, n): f"{number} {n}" for n in range(first, first + _FILES_A_COMMIT)
                }
                _commit(stream, at, f"Update {first} for round {number}", written)
    return path


def _path(number: int, file: int) -> str:
    return f"rounds/{number}/miner-{file // _FILES_A_MINER}/file-{file}.json"


def _commit(stream: IO[bytes], at: int, message: str, files: dict[str, str]) -> None:
    text = message.encode()
    author = "404-gen <platform@404-gen.invalid>"
    stream.write(f"commit refs/heads/main\ncommitter {author} {at} +0000\n".encode())
    stream.write(b"data %d\n%s\n" % (len(text), text))
    for path, content in files.items():
        data = content.encode()
        stream.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
