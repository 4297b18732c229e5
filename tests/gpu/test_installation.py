"""What the packages of an installation are needed for: a process in which the others can't be
imported.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gen404_assets.commands.instance import TEMPLATE

ROOT = Path(__file__).parents[2]

BLOCKING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
ONLY_FOR_TESTS = {"hypothesis", "mypy", "pyrender", "pytest"}
LOCAL_NETWORK = {"seaweedfs", "trimesh"}
SERVICES = {"fastapi", "multipart", "python_multipart", "uvicorn"}
GPU = {"gsplat", "torch", "transformers"}
HEAVY = {
    *("DracoPy", "bittensor", "boto3", "botocore", "isal", "matplotlib", "moderngl", "numba"),
    *("numpy", "openai", "pandas", "scipy", "targon", "verda"),
}
"""Installed, and imported where they are used: not by the code server, whose ticks need none."""


def run_without(packages: set[str], code: str) -> "subprocess.CompletedProcess[str]":
    """Run `code` in a process that has none of these packages."""
    program = f"BLOCKED = {packages!r}\n{BLOCKING}\n{code}"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=240
    )


@pytest.mark.parametrize("service", ["render", "distance"])
def test_a_service_starts_with_the_extra_services_alone(service: str) -> None:
    blocked = ONLY_FOR_TESTS | LOCAL_NETWORK | GPU
    code = f"sys.argv = ['{service}', '--help']\nfrom gpu.services.{service} import main\nmain()"
    started = run_without(blocked, code)
    assert started.returncode == 0, started.stderr
    assert "--port" in started.stdout


def test_the_default_installation_operates_a_competition_without_any_extra() -> None:
    """All that is imported by the command line, the asset graph and the sensors. What starts
    Dagster's processes doesn't import Dagster before they do.
    """
    blocked = ONLY_FOR_TESTS | LOCAL_NETWORK | SERVICES | GPU | HEAVY
    code = (
        "import gen404_assets.commands.processes\n"
        "assert 'dagster' not in sys.modules\n"
        "import gen404_assets.commands.cli, gen404_assets.definitions\n"
        "import resources.distance, resources.providers.opening, resources.renderer\n"
    )
    imported = run_without(blocked, code)
    assert imported.returncode == 0, imported.stderr


def test_every_file_that_a_package_reads_is_installed_with_it() -> None:
    """Also by `pip install .`, which leaves nothing of the clone but the packages."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package, patterns in data["package-data"].items():
        folder = ROOT.joinpath(*package.split(".")) if package != "*" else ROOT / "gpu"
        assert all(list(folder.glob(pattern)) for pattern in patterns), package
    read = [TEMPLATE, *(ROOT / "gen404_assets" / "report" / "static").iterdir()]
    for path in read:
        package = ".".join(path.parent.relative_to(ROOT).parts)
        folder = path.parent if package in data["package-data"] else path.parents[1]
        patterns = data["package-data"][".".join(folder.relative_to(ROOT).parts)]
        assert any(path.relative_to(folder).match(pattern) for pattern in patterns), path


def installed_by(requirements: list[str]) -> set[str]:
    """The names of these packages, without their versions."""
    return {re.split(r"[<>=~!\[ ]", each)[0] for each in requirements}


def test_a_miners_group_has_packages_of_the_platform_in_the_same_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    group = project["dependency-groups"]["miner"]
    assert set(group) < set(project["project"]["dependencies"])


def test_what_a_miner_types_needs_the_group_miner_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    every = [*project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        every += extra
    others = installed_by(every) - installed_by(project["dependency-groups"]["miner"])
    modules = {name.lower().replace("-", "_") for name in others} | {"boto3", "targon"}
    code = (
        "import gen404_assets.commands.check_cdn, gen404_assets.commands.check_container\n"
        "import gen404_assets.commands.check_file, gen404_assets.commands.replay_text\n"
        "import gen404_assets.replay.rounds, gpu.command\n"
        "from gen404_assets.commands.cli import main\n"
        "print(main(['check', '--commitment', '{}']), main(['up']))\n"
    )
    done = run_without(modules - {"gen404"}, f"sys.argv = ['gen404']\n{code}")
    assert done.returncode == 0, done.stderr
    assert "no repo, commit, cdn_url revealed" in done.stdout
    assert done.stdout.endswith("1 2\n")
    assert "gen404: this needs the package" in done.stderr


def test_what_is_blocked_cannot_be_imported() -> None:
    refused = run_without(LOCAL_NETWORK, "import resources.local_network.lathe")
    assert "No module named 'trimesh'" in refused.stderr
