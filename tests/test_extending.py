"""docs/extending.md is true: each of its sections is carried out in a copy of the project, and the
section's own tests pass there.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gen404_assets.competition.duels import Duel
from gen404_assets.competition.output_formats import OUTPUT_FORMATS
from gen404_assets.competition.outputs import Output
from gpu.formats import FORMATS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "extending.md"
COPIED = ("gen404_assets", "gpu", "resources", "simulators", "docs/specification")
_BLOCK = re.compile(r"^```(python|diff)\n(?:# |--- )(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, str]:
    """Heading -> what stands below it, of the page's sections that hold code."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    return {
        name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if "```" in text
    }


def changed(text: str, diff: str) -> str:
    """A file's text after a diff without line numbers: its lines must stand there exactly once."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if not line.startswith("+"))
    after = "".join(line[1:] for line in lines if not line.startswith("-"))
    assert text.count(before) == 1, f"not there once:\n{before}"
    return text.replace(before, after)


def carry_out(section: str, copy: Path) -> list[str]:
    """Copy the project and make the section's changes in the copy. The tests that it adds."""
    for folder in COPIED:
        shutil.copytree(ROOT / folder, copy / folder)  # numba's caches come along
    shutil.copy(ROOT / "pyproject.toml", copy)
    blocks = _BLOCK.findall(section)
    assert len(blocks) == section.count("```") / 2, "a block without its file's name"
    for kind, name, content in blocks:
        file = copy / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if kind == "python":
            assert not file.exists(), name
        file.write_text(changed(file.read_text(), content) if kind == "diff" else content)
    return [name for _, name, _ in blocks if name.startswith("tests/")]


@pytest.mark.parametrize("heading", sections())
def test_what_the_page_shows_works(heading: str, tmp_path: Path) -> None:
    tests = carry_out(sections()[heading], tmp_path)
    assert len(tests) == 1
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_page_has_a_section_for_each_thing_that_is_added() -> None:
    assert list(sections()) == [
        "A GPU provider",
        "A judge",
        "An output format",
        "A version of a rule",
    ]


def test_every_output_format_is_drawn_and_has_its_keys_in_the_state_files() -> None:
    assert set(OUTPUT_FORMATS) == set(FORMATS)
    sides = {f"{side}_{name}" for name in OUTPUT_FORMATS for side in ("left", "right")}
    assert set(OUTPUT_FORMATS) <= set(Output.model_fields)
    assert sides <= set(Duel.model_fields)


def test_a_change_that_no_longer_fits_the_code_is_noticed() -> None:
    assert changed("a\nb\nc\n", " a\n-b\n+d\n") == "a\nd\nc\n"
    for text in ("b\na\n", "a\nb\na\nb\n"):
        with pytest.raises(AssertionError, match="not there once"):
            changed(text, " a\n-b\n+d\n")
