"""A local chain to test with, standing still: tests put it forward themselves."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from resources.chain.committing import commit
from resources.chain.local import LocalChain, create_local_chain
from resources.chain.opening import open_chain
from resources.chain.subtensor import Chain

GENESIS = datetime(2026, 1, 5, 8, tzinfo=UTC)
GENESIS_NUMBER = 7_000_000


@dataclass(frozen=True)
class Network:
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"SUBTENSOR_NETWORK": self.folder.as_uri(), "NETUID": "17"}

    def advance(self, blocks: int) -> None:
        LocalChain(self.folder).stand(blocks)

    def commit(self, name: str, data: str | bytes) -> int:
        """Commit, with somebody else putting the chain forward meanwhile; the block it is in."""
        return while_blocks_come(self.folder, lambda: commit(self.environment, name, data))


def while_blocks_come(folder: Path, action: Callable[[], int]) -> int:
    done = threading.Event()

    def come() -> None:
        while not done.wait(0.01):
            LocalChain(folder).stand(1)

    thread = threading.Thread(target=come)
    thread.start()
    try:
        return action()
    finally:
        done.set()
        thread.join()


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path / "runtime-cache"))


@pytest.fixture
def network(tmp_path: Path) -> Network:
    folder = tmp_path / "the chain"
    create_local_chain(folder, block_time=0.02, genesis_time=GENESIS, genesis_number=GENESIS_NUMBER)
    return Network(folder)


@pytest.fixture
def chain(network: Network) -> Iterator[Chain]:
    opened = open_chain(network.environment)
    yield opened
    opened.close()
