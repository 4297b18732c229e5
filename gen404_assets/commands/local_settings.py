"""The settings by which a local network that was started is reached. Nothing here needs what the
network itself is made of (the extra `local`).
"""

import json
from collections.abc import Mapping
from pathlib import Path

from gen404_assets.settings import home
from resources.settings import BadSetting, without_blanks


def folder() -> Path:
    """Where the local network lies."""
    return home() / "network"


def known_environment(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The settings by which the local network is reached. Raises BadSetting if none was started."""
    path = folder() / "environment.json"
    if not path.exists():
        raise BadSetting(
            "COMPETITION_REPO must name the competition's repository (no local network has run "
            "here)"
        )
    return {**json.loads(path.read_bytes()), **without_blanks(environment)}
