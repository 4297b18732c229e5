"""A judge's server, the judge that asks it, and the folder that its answers are kept in."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from resources.judge import ServedJudge
from simulators.judge_server import MODEL, JudgeServer, judge_server, says, verdict
from tests.resources.judge.answering import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server(*(says(verdict(number, 10)) for number in range(10))) as server:
        yield server


@pytest.fixture
def judge(server: JudgeServer) -> Iterator[ServedJudge]:
    with closing(ServedJudge(server.url, "key", MODEL, retries=0)) as judge:
        yield judge
