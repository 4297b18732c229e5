"""PLY files that are wrong."""

from collections.abc import Iterator

import numpy as np

from gpu.workers.warmup import ply
from simulators.files_3d import gaussians, mesh
from simulators.hostile_files.case import Case


def splats() -> Iterator[Case]:
    file = ply(gaussians(100))

    def replaced(before: bytes, after: bytes) -> bytes:
        assert before in file
        return file.replace(before, after, 1)

    yield Case("a PLY of nothing", "ply", b"", "isn't a PLY")
    yield Case("a GLB called a PLY", "ply", mesh(), "isn't a PLY")
    yield Case(
        "a PLY that says it is text",
        "ply",
        replaced(b"binary_little_endian", b"ascii"),
        "where a number should be|cut short",
    )
    yield Case(
        "a PLY in an unknown format",
        "ply",
        replaced(b"binary_little_endian", b"binary_pdp_endian"),
        "neither ascii nor",
    )
    yield Case("a PLY cut short", "ply", file[:-1], "cut short")
    for name, count in {
        "-1": b"-1",
        "10^15": b"1" + b"0" * 15,
        "no number": b"many",
        "hex": b"0x7",
        "0": b"0",
    }.items():
        yield Case(
            f"{name} Gaussians",
            "ply",
            replaced(b"vertex 100", b"vertex " + count),
            "Gaussians" if count.isdigit() else "number",
        )
    yield Case("a header without end", "ply", b"ply\n" + b"comment x\n" * 100_000, "doesn't end")
    yield Case(
        "a header in Chinese", "ply", replaced(b"float x", "float 好".encode()), "no property 'x'"
    )
    yield Case(
        "a list of numbers",
        "ply",
        replaced(b"property float x", b"property list uchar int x"),
        "isn't a number",
    )
    yield Case(
        "a type that isn't one", "ply", replaced(b"float x", b"quaternion x"), "isn't a number"
    )
    yield Case("no opacity", "ply", replaced(b"float opacity", b"float transparency"), "'opacity'")
    yield Case("x twice", "ply", replaced(b"float y", b"float x"), "two properties")
    yield Case("no vertices", "ply", replaced(b"element vertex", b"element face"), "no vertices")
    yield Case(
        "no elements", "ply", b"ply\nformat binary_little_endian 1.0\nend_header\n", "no vertices"
    )


def strange_gaussians() -> Iterator[Case]:
    """Files in order, of values that aren't."""
    good = gaussians(100)

    def changed(column: int, value: float, rows: slice = slice(0, 3)) -> bytes:
        wrong = good.copy()
        wrong[rows, column] = value
        return ply(wrong)

    yield Case("a Gaussian at NaN", "ply", changed(1, np.nan), None)
    yield Case("a Gaussian at infinity", "ply", changed(0, np.inf), None)
    yield Case("all Gaussians at NaN", "ply", changed(1, np.nan, slice(None)), "free of NaN")
    yield Case("a Gaussian at 10^38", "ply", changed(0, 1e38), "too far apart")
    yield Case("all Gaussians in one place", "ply", ply(good * ([0] * 3 + [1] * 11)), "extent")
    yield Case("a single Gaussian", "ply", ply(good[:1]), "extent")
    for name, column, value in (
        ("giant", 7, 60.0),
        ("infinite", 8, np.inf),
        ("flat", 9, -100.0),
        ("unturned", 10, 0.0),
        ("of NaN colour", 3, np.nan),
        ("of infinite opacity", 6, np.inf),
        ("of NaN opacity", 6, np.nan),
        ("of endless colour", 4, 3e38),
        ("of NaN turn", 11, np.nan),
    ):
        yield Case(f"Gaussians {name}", "ply", changed(column, value), None)
    still = good.copy()
    still[:, 10:] = 0
    yield Case("all Gaussians unturned", "ply", ply(still), None)
