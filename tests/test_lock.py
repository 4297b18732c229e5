"""The lock of a deployment: every package by its hash, from no named index, within what
pyproject.toml asks for.
"""

import re
import runpy
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LINE = re.compile(r"([a-z0-9.-]+)==([0-9a-z.+]+) --hash=sha256:[0-9a-f]{64}")


def test_each_package_is_locked_once_by_its_hash_and_no_index_is_named() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert lines[0].startswith("# Python 3.")
    assert all(LINE.fullmatch(line) for line in lines[1:])
    names = [line.partition("==")[0] for line in lines[1:]]
    assert names == sorted(set(names))


def test_the_lock_has_what_the_project_asks_for() -> None:
    """Whoever changes a requirement locks anew (`bin/lock.py`)."""
    found = [LINE.fullmatch(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]
    versions = {canonicalize_name(line[1]): line[2] for line in found if line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in runpy.run_path(str(ROOT / "bin/lock.py"))["wanted"](project):
        requirement = Requirement(text)
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), text
