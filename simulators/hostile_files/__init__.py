"""Files that are wrong on purpose, each with what should come of it: a part of the reason, or None
where it's drawn.
"""

from collections.abc import Callable, Iterator

from simulators.hostile_files.case import Case
from simulators.hostile_files.containers import containers, counts, references
from simulators.hostile_files.geometry import geometry, nodes
from simulators.hostile_files.pictures import compression, floods, pictures
from simulators.hostile_files.splats import splats


def all_cases() -> dict[str, Case]:
    """By name: the kind, the file, and a part of the reason why it's refused, None where it's
    drawn.
    """
    groups: list[Callable[[], Iterator[tuple[str, Case]]]] = [
        containers, counts, references, geometry, nodes, pictures, compression, splats, floods,
    ]  # fmt: skip
    cases = [case for group in groups for case in group()]
    assert len({name for name, _ in cases}) == len(cases)
    return dict(cases)
