"""A simulated GitHub, and the builds as they are read from it; and connections that nobody is left
to close.
"""

import gc
import warnings
from collections.abc import Iterator

import pytest

from resources.builds import Builds
from simulators.github import REPOSITORY, GitHub


@pytest.fixture
def github() -> GitHub:
    return GitHub()


@pytest.fixture
def builds(github: GitHub) -> Iterator[Builds]:
    with github.served() as url:
        yield Builds(REPOSITORY, api=url, token="secret-token")


@pytest.fixture(autouse=True)
def _cancelled_connections_are_collected() -> Iterator[None]:
    """A request that is cancelled in the moment in which its connection has been made, and before
    the client has it, leaves its socket to the garbage collector: asyncio's way, and rare. Any
    other test in which it was found would fail for it.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect(1)
