"""A process that crashes leaves no core file, nor does any that it has started (guarantee 23)."""

import subprocess
import sys
from pathlib import Path

import pytest

CRASH = """
import os, resource, subprocess, sys
from resources.core_files import leave_no_core_files
if sys.argv[1] == "none":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
leave_no_core_files()
started = subprocess.run([sys.executable, "-c", "import os; key = 'canary'; os.abort()"])
print(started.returncode, *resource.getrlimit(resource.RLIMIT_CORE))
"""


@pytest.mark.parametrize(("before", "limits"), [("any", "1 1"), ("none", "0 0")])
def test_g23_a_crash_leaves_no_core_file(tmp_path: Path, before: str, limits: str) -> None:
    root = str(Path(__file__).resolve().parents[2])
    ran = subprocess.run(
        [sys.executable, "-c", CRASH, before],
        cwd=tmp_path,
        env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["-6", *limits.split()], "it was aborted"
    assert list(tmp_path.iterdir()) == []
