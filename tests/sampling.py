"""How much of a long sweep the suite runs: a sample with every kind in it, the same each time. With
`THOROUGH` set in the environment it is all of it (`make thorough`).
"""

import os
from collections.abc import Hashable, Sequence

THOROUGH = bool(os.environ.get("THOROUGH"))


def many(sample: int, whole: int) -> int:
    """How many cases, of a sweep of `whole`."""
    return whole if THOROUGH else sample


def of_each_kind(kinds: Sequence[Hashable]) -> list[int]:
    """The places in `kinds` of a sample: the one in the middle of each kind, where some of the work
    is done and some is left.
    """
    if THOROUGH:
        return list(range(len(kinds)))
    places: dict[Hashable, list[int]] = {}
    for place, kind in enumerate(kinds):
        places.setdefault(kind, []).append(place)
    return sorted(each[len(each) // 2] for each in places.values())
