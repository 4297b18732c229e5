"""The lock of a deployment, `requirements.lock`, made from what pip would install.

    python bin/lock.py > requirements.txt
    pip install --dry-run --ignore-installed --quiet --report report.json -r requirements.txt
    python bin/lock.py report.json > requirements.lock

Versions and SHA-256 of the files alone: which index they come from is the installing machine's
business. It holds for the Python and platform of the pip that resolved it.
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

EXTRAS = ("services", "parquet")


def wanted(project: dict[str, Any]) -> list[str]:
    """The requirements of a deployment, as pyproject.toml has them."""
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(each for extra in EXTRAS for each in extras[extra])]


def locked(report: dict[str, Any]) -> str:
    """The lock's text. Raises KeyError for a file of which pip knows no SHA-256."""
    lines = [
        f"{each['metadata']['name'].lower().replace('_', '-')}=={each['metadata']['version']}"
        f" --hash=sha256:{each['download_info']['archive_info']['hashes']['sha256']}"
        for each in report["install"]
    ]
    python = report["environment"]["python_version"]
    head = f"# Python {python} on {report['environment']['sys_platform']}: see bin/lock.py\n"
    in_order = sorted(lines, key=lambda line: line.partition("==")[0])
    return head + "\n".join(in_order) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(locked(json.loads(Path(sys.argv[1]).read_bytes())), end="")
    else:
        pyproject = Path(__file__).resolve().parents[1] / "pyproject.toml"
        print("\n".join(wanted(tomllib.loads(pyproject.read_text())["project"])))
