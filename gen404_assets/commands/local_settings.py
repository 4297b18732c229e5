"""The settings of the local network."""

from typing import Literal

from pydantic import Field, model_validator

from resources.settings import Count, Settings


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
