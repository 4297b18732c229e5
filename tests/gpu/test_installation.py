"""What the packages of an installation are needed for: a process in which the others can't be
imported.
"""

import subprocess
import sys

import pytest

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
    """All that is imported by the command line, the asset graph and the sensors."""
    blocked = ONLY_FOR_TESTS | LOCAL_NETWORK | SERVICES | GPU
    code = (
        "import gen404_assets.commands.cli, gen404_assets.definitions\n"
        "import resources.distance, resources.providers.opening, resources.renderer\n"
    )
    imported = run_without(blocked, code)
    assert imported.returncode == 0, imported.stderr


def test_what_is_blocked_cannot_be_imported() -> None:
    refused = run_without(LOCAL_NETWORK, "import resources.local_network.lathe")
    assert "No module named 'trimesh'" in refused.stderr
