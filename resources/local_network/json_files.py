"""What the local network's servers keep as JSON files."""

import json
from pathlib import Path
from typing import Any

from resources.whole_file import write_whole


def read_json(path: Path, default: Any) -> Any:
    """A file's content; `default` where there is none."""
    return json.loads(path.read_bytes()) if path.exists() else default


def write_json(path: Path, content: object) -> None:
    """Write a file, whole or not at all."""
    write_whole(path, json.dumps(content, indent=2).encode())
