"""Whether Dagster is still being told what the repository held when the platform started, and how
far that is, where every process can see it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gen404_assets.live.shared import Shared

_NAME = "importing"
_BEGINS = "what the repository holds is being imported"


@contextmanager
def importing(shared: Shared) -> Iterator[Callable[[str], None] | None]:
    """Import alone: what is told of its progress stands in `under_way` until the block ends, or
    this process does. None where another process imports.
    """
    with shared.claims.hold(_NAME) as held:
        if not held:
            yield None
            return
        shared.notes.write(_NAME, _BEGINS.encode())
        yield lambda text: shared.notes.write(_NAME, text.encode())
        # Not where the import raised: the claim's end says that nothing is under way.
        shared.notes.remove(_NAME)


def under_way(shared: Shared) -> str | None:
    """How far an import is; None while there is none."""
    if not shared.claims.is_held(_NAME):
        return None
    return (shared.notes.read(_NAME) or _BEGINS.encode()).decode()
