"""`make check` and the hooks of pre-commit run the same."""

import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")  # Dagster brings it
ROOT = Path(__file__).parents[1]


def test_each_hook_is_a_line_of_make_check_and_each_line_a_hook() -> None:
    [rule] = re.findall(r"^check:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = [line.strip().replace("$(VENV)", ".venv") for line in rule.splitlines()]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    run = [hook["entry"].replace(" --force-exclude", "") for hook in hooks]
    assert run == lines
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    [told] = re.findall(r"^make check .*", contributing, re.MULTILINE)
    for tool in ("ruff", "mypy", "lint-imports", "dg check defs"):
        assert tool in told
