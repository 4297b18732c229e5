"""What stands in deploy/, read."""

from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


def read_compose() -> dict[str, Any]:
    (content,) = documents(DEPLOY / "compose.yaml")
    return dict(content)


def read_values() -> dict[str, Any]:
    (content,) = documents(DEPLOY / "kubernetes" / "values.yaml")
    return dict(content)
