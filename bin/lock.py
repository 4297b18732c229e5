"""Locks what deployments install: every package by its version and the SHA-256 of its files.

    python bin/lock.py             # packages that still fit keep their versions
    python bin/lock.py --upgrade   # everything by its newest version that fits

Wants `uv` (`pip install uv`), which resolves for several machines at once: those of `tool.uv` in
pyproject.toml. Versions and hashes alone are written: which index they come from is the installing
machine's business. Wheels alone are taken, since what builds a package from source isn't locked.
"""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {
    "requirements.lock": ("alerts", "kubernetes", "parquet", "postgres", "services"),
    "requirements-gpu.lock": ("gpu", "services"),
}
"""Lock -> the extras that it has beside the project's own requirements: all that the platform may
take, and a host that draws and measures on a GPU."""


def wanted(project: dict[str, Any], lock: str) -> list[str]:
    """What a lock is to hold, as pyproject.toml asks for it; what builds the project included."""
    parts = [project["project"]["optional-dependencies"][extra] for extra in LOCKS[lock]]
    parts += [project["project"]["dependencies"], project["build-system"]["requires"]]
    return [requirement for part in parts for requirement in part]


def make(project: dict[str, Any], lock: str, options: list[str]) -> None:
    """Write a lock anew. Raises CalledProcessError, after uv has said why."""
    oldest = project["project"]["requires-python"].removeprefix(">=")
    command = ["uv", "pip", "compile", "-", "--output-file", lock, "--generate-hashes", "--quiet"]
    command += ["--universal", "--python-version", oldest, "--no-annotate"]
    command += ["--custom-compile-command", "python bin/lock.py", *options]
    requirements = "\n".join(wanted(project, lock))
    subprocess.run(command, check=True, cwd=ROOT, input=requirements, text=True)  # noqa: S603 - uv


if __name__ == "__main__":
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for each in LOCKS:
        make(pyproject, each, sys.argv[1:])
