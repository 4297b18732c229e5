"""A simulated GitHub, and the builds as they are read from it."""

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
