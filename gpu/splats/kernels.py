"""gsplat's CUDA kernels: compiled once, when the platform is installed, and only loaded by workers.

Left alone, gsplat compiles them when they are first used (75 to 96 s on 16 cores), and has `ninja`
look at every start whether a compiler, a flag or a variable has changed, in which case it compiles
again. Here, `compile_kernels` has gsplat do that in a process of its own, and keeps the library
under the versions it was made for. `load_kernels` gives gsplat that library as `gsplat.csrc`: a
gsplat that was built from source has one of this name, for which it looks first. No worker needs a
compiler, `ninja` or a lock.
"""

import fcntl
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

_NAME = "gsplat_cuda"  # as gsplat calls the library, whose entry point carries the name
WARM_UP = "run `gen404 warm-up` (or `python -m gpu.command`) on this machine"
_COMPILE = """
import torch
from gsplat.cuda._backend import _C
if _C is None:
    raise SystemExit(
        f"gsplat found no CUDA toolkit (nvcc); torch is made for CUDA {torch.version.cuda}"
    )
"""


class KernelsMissing(Exception):
    """There are no kernels to load, or they can't be made; the message says what to do."""


def library(environment: Mapping[str, str]) -> Path:
    """Where the compiled kernels are, of the gsplat and torch that are installed."""
    made_for = f"gsplat-{version('gsplat')}-torch-{version('torch')}-{sys.implementation.cache_tag}"
    return kernels_folder(environment) / made_for / f"{_NAME}.so"


def load_kernels(environment: Mapping[str, str]) -> None:
    """Have gsplat draw with the kernels that were compiled. Raises KernelsMissing."""
    gsplat: Any = importlib.import_module("gsplat")
    if importlib.util.find_spec("gsplat.csrc"):  # built from source: it has its own
        return
    file = library(environment)
    if not file.is_file():
        raise KernelsMissing(f"gsplat's kernels aren't compiled ({file} is missing): {WARM_UP}")
    spec = importlib.util.spec_from_file_location(_NAME, file)
    if spec is None or spec.loader is None:
        raise KernelsMissing(f"{file} isn't a library that Python loads: {WARM_UP}")
    try:
        kernels = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(kernels)
    except ImportError as error:
        raise KernelsMissing(f"gsplat's kernels can't be loaded ({error}): {WARM_UP}") from error
    sys.modules["gsplat.csrc"] = kernels
    gsplat.csrc = kernels


def compile_kernels(environment: Mapping[str, str], architectures: str) -> Path:
    """Have gsplat compile its kernels for `architectures`, as TORCH_CUDA_ARCH_LIST has them
    ("9.0;12.0+PTX"). What is still right from an earlier time is kept. The library's path. Raises
    KernelsMissing; the compiler's words go to standard error.
    """
    file = library(environment)
    file.parent.mkdir(parents=True, exist_ok=True)
    build = file.parent / "build"
    with _alone(file.parent):
        with suppress(
            FileNotFoundError
        ):  # a compilation that was killed leaves torch's lock, which is waited for
            (build / _NAME / "lock").unlink()
        # Pip's ninja is there.
        path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
        settings = {
            "PATH": path,
            "TORCH_EXTENSIONS_DIR": str(build),
            "TORCH_CUDA_ARCH_LIST": architectures,
        }
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _COMPILE], env={**environment, **settings}, check=False
        )
        made = build / _NAME / file.name
        if done.returncode or not made.is_file():
            raise KernelsMissing(
                "gsplat's kernels can't be compiled; above is why. It takes a C++ compiler and "
                "CUDA's toolkit of the "
                "major version that torch is made for (nvcc, found by CUDA_HOME or PATH)"
            )
        fresh = file.with_suffix(".new")
        shutil.copy2(made, fresh)
        fresh.replace(file)  # workers that run go on with the old one
    return file


def kernels_folder(environment: Mapping[str, str]) -> Path:
    """The folder of compiled kernels, whatever they were made for."""
    if folder := environment.get("TORCH_EXTENSIONS_DIR"):
        return Path(folder)
    caches = (
        environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    )
    return Path(caches) / "gen404"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One compilation at a time; the lock ends with its process."""
    with (folder / "compiling").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
