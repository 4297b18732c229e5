"""Files that are wrong on purpose, each with what should come of it: a part of the reason, or None
where it's drawn.
"""

from collections.abc import Callable, Iterator

from simulators.hostile_files.case import Case
from simulators.hostile_files.containers import (
    containers,
    counts,
    references,
    sparse_values,
    texts,
)
from simulators.hostile_files.geometry import geometry, nodes
from simulators.hostile_files.pictures import (
    compression,
    floods,
    picture_formats,
    pictures,
)
from simulators.hostile_files.splats import splats, strange_gaussians


def all_cases() -> dict[str, Case]:
    """Every case by its name."""
    groups: list[Callable[[], Iterator[Case]]] = [
        containers, texts, counts, sparse_values, references, geometry, nodes, pictures,
        picture_formats, compression, splats, strange_gaussians, floods,
    ]  # fmt: skip
    cases = [case for group in groups for case in group()]
    by_name = {case.name: case for case in cases}
    assert len(by_name) == len(cases)
    return by_name
