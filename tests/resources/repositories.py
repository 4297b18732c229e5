"""A repository that several people and the platform write, in real git."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from resources.repository import Snapshot

Files = Mapping[str, bytes | None]


def git(*arguments: str | Path, at: Path, data: bytes = b"") -> str:
    done = subprocess.run(
        ["git", "-C", at, *arguments], input=data, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def put(files: Files) -> Callable[[Snapshot], Files]:
    return lambda _: files


def leftovers(mirror: Path) -> list[str]:
    packs = mirror / "objects/pack"
    partial = [part for part in packs.glob("*") if not part.with_suffix(".idx").exists()]
    named = [
        path
        for kind in ("outgoing*", "**/tmp_*", "**/*.lock", "**/*crash*")
        for path in mirror.glob(kind)
    ]
    refs = git("for-each-ref", "--format=%(refname)", at=mirror).split()
    return [*map(str, partial + named), *(ref for ref in refs if ref != "refs/heads/main")]


class Person:
    """Somebody who works on the repository in a clone."""

    def __init__(self, remote: Path, work: Path) -> None:
        self.work = work
        git("clone", "-q", remote, work, at=remote)

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            (self.work / name).write_text(text)
        git("add", "--all", at=self.work)
        git("commit", "-qm", f"{', '.join(files)} by hand", at=self.work)
        return git("rev-parse", "HEAD", at=self.work)

    def push(self, **files: str) -> str:
        git("pull", "-q", "--rebase", "origin", "main", at=self.work)
        sha = self.commit(**files)
        git("push", "-q", "origin", "main", at=self.work)
        return sha


def hook(remote: Path, name: str, script: str) -> Path:
    path = remote / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
