"""The settings of the local network, and those by which one that was started is reached. Nothing
here needs what the network itself is made of (the extra `local`).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from gen404_assets.settings import home
from resources.settings import BadSetting, Count, Settings


class LocalSettings(Settings):
    """The local network that `gen404 up` starts; they count when it is first made."""

    local_block_seconds: float = Field(
        0.02, ge=0.001, le=12, description="seconds of this machine that a local block takes"
    )
    local_output_format: Literal["glb", "ply"] = Field(
        "glb", description="what the local miners submit: glb (meshes) or ply (Gaussian splats)"
    )
    # With fewer than 9 prompts a cheat stays within the tolerated mismatches.
    local_prompts: Count = Field(10, description="prompts of a local round")
    local_pool: Count = Field(48, description="prompts in the local pool")

    @model_validator(mode="after")
    def _fits(self) -> "LocalSettings":
        if self.local_prompts > self.local_pool:
            raise ValueError("LOCAL_PROMPTS must be from 1 to LOCAL_POOL")
        return self


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
    return {**json.loads(path.read_bytes()), **environment}
