"""A judge whose answers are kept in a folder, a question for it, and what has been kept."""

import json
import time
from pathlib import Path
from typing import Any

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import Question
from resources.judge import Judge
from resources.kept_answers import KeptAnswers
from resources.object_store import ObjectConflict

PICTURES = {"p.png": b"the prompt", "a.png": b"one", "b.png": b"other", "copy-of-a.png": b"one"}


class FolderStore:
    """Objects as files of a folder, pictures by name; conditional puts, as the object store has
    them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.full = False
        self.reads: list[str] = []

    def get(self, key: str) -> bytes | None:
        path = self.folder / key
        return path.read_bytes() if path.exists() else None

    def put(self, key: str, data: bytes, content_type: str) -> str:
        assert content_type == "application/json"
        if self.full:
            raise InfrastructureFault("the store is full")
        if self.get(key) not in {None, data}:
            raise ObjectConflict(key)
        path = self.folder / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return f"https://store.example/{key}"

    def read(self, url: str) -> bytes:
        self.reads.append(url)
        return PICTURES[url.rpartition("/")[2]]


def watched(judge: Judge, store: FolderStore) -> KeptAnswers:
    """A judge that canary duels have just found in order, and its answers."""
    answers = KeptAnswers(judge, store)
    answers.vouch(time.monotonic())
    return answers


def question(first: str = "a.png", second: str = "b.png", seed: int = 7) -> Question:
    return Question(
        "https://pool.example/p.png",
        f"https://cdn.example/{first}",
        f"https://cdn.example/{second}",
        seed,
    )


def in_order() -> None:
    """The judge is in order."""


def out_of_order() -> None:
    raise InfrastructureFault("the judge has gone wrong")


def kept(store: FolderStore, folder: str = "answers") -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in store.folder.glob(f"{folder}/*")]
