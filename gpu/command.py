"""`gen404 render FILE -o OUT.png` and `gen404 warm-up` (here `python -m gpu.command`), for a
person.
"""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gpu.faults import Refused, RendererDown
from gpu.formats import FORMATS, kind_of
from gpu.splats.kernels import KernelsMissing, compile_kernels
from gpu.workers.pool import Pool
from gpu.workers.supply import Terms

COMPILE_SECONDS = 1800.0  # for numba, on a slow or busy machine


def render(file: Path, output: Path, *, draft: bool = False) -> int:
    """Write the picture of a file in one of the `FORMATS`.

    The exit code: 0; 1 for a file that can't be shown; 2 if the renderer can't work. The reason
    goes to standard error.
    """
    name = file.suffix.lower().removeprefix(".")
    if name not in FORMATS:
        print(f"{file}: it must be one of .{', .'.join(FORMATS)}", file=sys.stderr)
        return 1
    pool = Pool(1, os.environ)
    try:
        picture = pool.render(file, kind_of(name, draft=draft))
        output.write_bytes(picture)
    except Refused as refusal:
        print(f"{file}: {refusal}", file=sys.stderr)
        return 1
    except (RendererDown, OSError) as error:
        print(f"no picture: {error}", file=sys.stderr)
        return 2
    finally:
        pool.close()
    return 0


def warm_up(environment: Mapping[str, str] = os.environ) -> int:
    """Compile what workers load, as a step of installation: gsplat's kernels where there is a GPU
    (or TORCH_CUDA_ARCH_LIST says for which), then, by starting a worker, numba's functions and
    Mesa's shaders.

    The exit code: 0, or 2 if something can't be drawn, with the reason on standard error.
    """
    try:
        if compiled := _compile(environment):
            print(f"gsplat's kernels: {compiled}")
        pool = Pool(1, environment, Terms(compiles=True, start_seconds=COMPILE_SECONDS))
        try:
            ready = pool.health()
        finally:
            pool.close()
    except (KernelsMissing, RendererDown, OSError) as error:
        print(f"warm-up: {error}", file=sys.stderr)
        return 2
    print(f"meshes are drawn by {ready['gl']}, splats by {ready['cuda'] or 'the CPU'}")
    if fault := ready["splats_fault"]:
        print(f"warm-up: no splats can be drawn: {fault}", file=sys.stderr)
        return 2
    return 0


def _compile(environment: Mapping[str, str]) -> Path | None:
    """The library of kernels; None where nothing needs one, or gsplat was built from source with
    its own.
    """
    if not all(map(importlib.util.find_spec, ("torch", "gsplat"))) or importlib.util.find_spec(
        "gsplat.csrc"
    ):
        return None
    from gpu.splats.cuda import architectures  # noqa: PLC0415 - torch's import takes seconds

    wanted = architectures(environment)
    return compile_kernels(environment, wanted) if wanted else None


if __name__ == "__main__":
    sys.exit(warm_up())
