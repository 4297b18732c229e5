"""One pool of worker processes for all tests of pictures: a worker takes seconds to start."""

from collections.abc import Iterator

import pytest

from gpu.workers.pool import Pool


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    pool = Pool(1)
    yield pool
    pool.close()
