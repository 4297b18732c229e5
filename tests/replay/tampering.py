"""A made-up repository for people to change, and what a replay finds in it afterwards."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.result import FileReplay, RoundReplay
from gen404_assets.replay.rounds import replay_round
from resources.repository import Repository
from simulators.history_commits import PERSON, PLATFORM

MATRIX, REQUESTS = "rounds/0/matches_matrix.csv", "rounds/0/require_audit.json"
AUDITS, BUILDS = "rounds/0/generation_audits.json", "rounds/0/builds.json"
SUBMISSIONS, WINNER = "rounds/0/submissions.json", "rounds/0/winner.json"

_mirrors = count()


def git(repository: Path, *arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(
        ["git", "-C", str(repository), *arguments], input=data, capture_output=True, check=True
    ).stdout


def open_history(url: Path, mirrors: Path | None = None) -> History:
    repository = Repository(str(url), mirror=(mirrors or url.parent) / f"mirror-{next(_mirrors)}")
    repository.refresh()
    snapshot = repository.snapshot()
    return History(snapshot.commits, snapshot.history, snapshot.read_blobs)


def replay(history: History, rounds: int = 4) -> Iterator[FileReplay]:
    for number in range(rounds):
        yield from replay_round(history, number, Rules()).files


def differing(history: History, rounds: int = 4) -> dict[str, FileReplay]:
    """Path -> what was found, of every file of every round that isn't what the rules give."""
    return {
        file.path: file
        for file in replay(history, rounds)
        if file.finding in {"differs", "malformed"}
    }


def is_clean(replayed: RoundReplay) -> bool:
    """Whether nothing in a round differs."""
    return not any(file.finding in {"differs", "malformed"} for file in replayed.files)


def entries(file: FileReplay) -> list[str]:
    return [difference.entry for difference in file.differences]


class Tampered:
    """A copy of a made-up repository for people to change; `commit` is how the last change is to be
    cited.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.commit = path, ""
        self.rows = self.read(MATRIX).decode().split("\n")
        against_leader = [row for row in self.rows if row.startswith(LEADER)]
        self.lost = next(row for row in against_leader if -1 < float(row.split(",")[2]) < 0)
        """The row of a match that its challenger lost to the leader."""
        self.loser = self.lost.split(",")[1]
        self.report = f"rounds/0/{self.loser}/duels_{LEADER}.json"

    def read(self, path: str) -> bytes:
        return git(self.path, "show", f"main:{path}")

    def json(self, path: str) -> Any:
        return json.loads(self.read(path))

    def write(self, files: Mapping[str, bytes | None], message: str = "By hand") -> None:
        """One more commit, ten minutes after the last."""
        time = int(git(self.path, "log", "-1", "--format=%ct", "main")) + 600
        author = PERSON if message == "By hand" else PLATFORM
        head = f"commit refs/heads/main\ncommitter {author} {time} +0000\n"
        git(
            self.path,
            "fast-import",
            "--quiet",
            data=_commit(head, message, files, b"from refs/heads/main^0\n"),
        )
        self.commit = f'{git(self.path, "rev-parse", "main").decode()[:7]} "{message}"'

    def insert(
        self, before: str, files: Mapping[str, bytes | None], message: str = "By hand"
    ) -> None:
        """One more commit in the midst of history, before the first whose message begins so."""
        subjects = (
            git(self.path, "log", "--reverse", "--format=%s%x00%ct", "main").decode().splitlines()
        )
        at = next(at for at, subject in enumerate(subjects) if subject.startswith(before))
        time = int(subjects[at - 1].rpartition("\0")[2]) + 1
        stream, position, rewritten, number = (
            git(self.path, "fast-export", "main"),
            0,
            [b"reset refs/heads/main\n\n"],
            -1,
        )
        while position < len(stream):
            end = stream.index(b"\n", position) + 1
            line = stream[position:end]
            number += line.startswith(b"commit ")
            if line.startswith(b"commit ") and number == at:
                rewritten.append(
                    _commit(
                        f"commit refs/heads/main\ncommitter {PERSON} {time} +0000\n", message, files
                    )
                )
            if line.startswith(b"data "):
                end += int(line[5:])
            if not line.startswith((b"from ", b"reset ")):
                rewritten.append(stream[position:end])
            position = end
        git(self.path, "fast-import", "--quiet", "--force", data=b"".join(rewritten))
        self.commit = git(
            self.path,
            "log",
            "-1",
            "--format=%h",
            "--abbrev=7",
            f"--skip={len(subjects) - at}",
            "main",
        ).decode()
        self.commit = f'{self.commit.strip()} "{message}"'

    def edit(self, path: str, change: Callable[[Any], Any], message: str = "By hand") -> None:
        """`change` alters a JSON file's content in place, or gives another."""
        content = self.json(path)
        changed = change(content)
        self.write(
            {path: json.dumps(content if changed is None else changed, indent=2).encode()}, message
        )

    def write_matrix(self, rows: list[str]) -> None:
        self.write({MATRIX: "\n".join(rows).encode()})

    def differing(self) -> dict[str, FileReplay]:
        return differing(open_history(self.path))

    def only(self, path: str) -> FileReplay:
        """The one file that differs; what was found names the commit."""
        differing_files = self.differing()
        assert list(differing_files) == [path], {
            other: list(map(str, differing_files[other].differences)) for other in differing_files
        }
        assert self.commit in " ".join(
            [*differing_files[path].by_person, *map(str, differing_files[path].differences)]
        )
        return differing_files[path]


def shown(files: Mapping[str, FileReplay]) -> dict[str, list[str]]:
    return {path: [*map(str, file.differences), file.reason] for path, file in files.items()}


def found_on(tampered: Tampered, path: str) -> FileReplay:
    """What was found on a file in which nothing differs, nor in any other."""
    files = {file.path: file for file in replay(open_history(tampered.path)) if file.path == path}
    assert shown(tampered.differing()) == {}
    return files[path]


def noted(tampered: Tampered, path: str) -> str:
    return "\n".join(found_on(tampered, path).notes)


def _commit(
    head: str, message: str, files: Mapping[str, bytes | None], start: bytes = b""
) -> bytes:
    """A commit as `git fast-import` reads it."""
    parts = [head.encode(), b"data %d\n%s\n" % (len(message.encode()), message.encode()), start]
    for path, data in files.items():
        kept = (
            b""
            if data is None
            else b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
        )
        parts.append(kept or f"D {path}\n".encode())
    return b"".join(parts)
