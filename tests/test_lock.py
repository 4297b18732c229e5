"""The locks of deployments: every package by its hashes, from no named index, within what
pyproject.toml asks for, for each machine, and what the container files install.
"""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK_PY = runpy.run_path(str(ROOT / "bin/lock.py"))
LOCKS = list(LOCK_PY["LOCKS"])
PACKAGE = re.compile(r"([a-z0-9.-]+)==([0-9a-z.+]+)(?: ; (.+))?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
CONTAINERS = {"deploy/Containerfile": "requirements.lock", "gpu/Containerfile": LOCKS[1]}


def packages(lock: str) -> list[tuple[str, str, str | None, int]]:
    """Name, version, marker and the number of hashes of each; whatever else a lock says fails."""
    text = "".join(
        line for line in (ROOT / lock).read_text().splitlines(True) if not line.startswith("#")
    )
    found = []
    for entry in text.replace("\\\n", "").splitlines():
        package, *hashes = re.split(r"\s+(?=--hash)", entry.rstrip())
        named = PACKAGE.fullmatch(package.strip())
        assert named, entry[:80]
        assert hashes, f"{package} has no hash"
        assert all(HASH.fullmatch(each) for each in hashes), package
        found.append((named[1], named[2], named[3], len(hashes)))
    return found


def installed(lock: str, python: str, machine: str) -> dict[str, str]:
    """What pip installs of it on Linux."""
    place = {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "platform_machine": machine,
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_system": "Linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    chosen = [
        (canonicalize_name(name), version)
        for name, version, marker, _ in packages(lock)
        if marker is None or Marker(marker).evaluate(place)
    ]
    assert len(dict(chosen)) == len(chosen), "a package in two versions"
    return dict(chosen)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.12"])  # of the two container files
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_the_project_asks_for(lock: str, python: str, machine: str) -> None:
    """Whoever changes a requirement locks anew (`bin/lock.py`)."""
    versions = installed(lock, python, machine)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for text in LOCK_PY["wanted"](project, lock):
        requirement = Requirement(text)
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), text


@pytest.mark.parametrize("lock", LOCKS)
def test_compiled_packages_are_locked_for_more_than_one_machine(lock: str) -> None:
    hashes = {name: count for name, _, _, count in packages(lock)}
    for name in ("numpy", "numba", "pillow", "dracopy", "moderngl", "bittensor-core"):
        assert hashes[name] > 3, name


def test_what_draws_is_of_one_version_on_the_platform_and_on_a_gpu() -> None:
    platform, gpu = (installed(lock, "3.11", "x86_64") for lock in LOCKS)
    for name in ("numpy", "numba", "pillow", "dracopy", "moderngl", "pydantic"):
        assert platform[name] == gpu[name]


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_installs_nothing_but_its_lock(container: str) -> None:
    text = (ROOT / container).read_text().replace("\\\n", " ")
    assert f"COPY {CONTAINERS[container]} " in text
    installs = re.findall(r"pip install ([^&\n]+)", text)
    assert len(installs) == 2
    assert f"--require-hashes -r {CONTAINERS[container]}" in installs[0]
    assert {"--no-deps", "--no-build-isolation"} <= set(installs[1].split())


def test_every_lock_is_audited() -> None:
    workflow = (ROOT / ".github/workflows/audit.yml").read_text()
    for lock in LOCKS:
        assert f"--requirement {lock}" in workflow
