"""The numbers of the rules, most of which an operator may set, and earlier versions of rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gen404_assets.competition.quantities import DAY, Timeout, Tolerance

BLOCK_SECONDS = 12
"""`rules.md`, Blocks: by it dates and blocks are reckoned into each other."""


class Rules(BaseModel):
    """The numbers of the rules (`rules.md`). All but the last two are settings: each is read from
    the environment variable of its name in capitals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_generation_time: Timeout = Field(
        180.0, description="seconds of a generation over which a duel counts as overtime"
    )
    overtime_tolerance_ratio: float = Field(
        0.05, ge=0, le=1, description="share of a round's prompts whose overtime is forgiven"
    )
    max_mismatched_margin: float = Field(
        0.05, ge=0, le=2, description="margin beyond win_margin from which no prompt is critical"
    )
    generation_timeout: Timeout = Field(
        180.0, description="seconds a generation may take; a longer one is mismatched"
    )
    acceptable_distance: float = Field(
        0.1, ge=0, le=2, description="cosine distance of two previews up to which they match"
    )
    generation_median_limit: Timeout = Field(
        90.0, description="seconds that the trimmed median of generation times may reach"
    )
    generation_median_trim_count: Tolerance = Field(
        6, description="times cut from each end before that median is taken"
    )
    max_mismatched_prompts: Tolerance = Field(
        6, description="mismatches outside the critical prompts that an audit tolerates"
    )
    max_mismatched_critical_prompts: Tolerance = Field(
        1, description="mismatches among the critical prompts that an audit tolerates"
    )
    # By the chain's clock: a local chain's days pass in minutes.
    build_timeout: float = Field(
        3 * 3600.0,
        ge=60,
        le=365 * DAY,
        description="seconds from the committed opening until a build times out",
    )
    docker_image_format: str = Field(
        "europe-west3-docker.pkg.dev/gen-456515/active-competition/{hotkey10}:{tag}",
        description="the image that a submission's build pushes; {hotkey10} and {tag} are filled "
        "in",
    )
    pause_on_stage_end: bool = Field(
        False, description="whether the round pauses after each stage, until a person resumes it"
    )
    clinch_matches: bool = Field(
        False, description="whether a match ends once its verdict and critical prompts are certain"
    )
    weight_digits: int | None = Field(10, json_schema_extra={"environment": False})
    unique_prompts: bool = Field(True, json_schema_extra={"environment": False})

    @field_validator("docker_image_format")
    @classmethod
    def _has_its_fields(cls, image_format: str) -> str:
        if _fields(image_format) != {"{hotkey10}", "{tag}"}:
            raise ValueError("must hold {hotkey10} and {tag} and no other field")
        return image_format


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A version of a rule, as the fields of `Rules` that it sets (`rules.md`, Earlier versions)."""

    rule: str
    name: str
    change: Mapping[str, Any]

    def applied_to(self, rules: Rules) -> Rules:
        return rules.model_copy(update=dict(self.change))


VERSIONS: Mapping[str, tuple[RuleVersion, ...]] = {
    "overtime": (
        RuleVersion("overtime", "5%", {"overtime_tolerance_ratio": 0.05}),
        RuleVersion("overtime", "10%", {"overtime_tolerance_ratio": 0.10}),
    ),
    "weights": (
        RuleVersion("weights", "rounded", {"weight_digits": 10}),
        RuleVersion("weights", "unrounded", {"weight_digits": None}),
    ),
    "prompts": (
        RuleVersion("prompts", "unique", {"unique_prompts": True}),
        RuleVersion("prompts", "as drawn", {"unique_prompts": False}),
    ),
}
"""Rule -> its versions, the present one first."""


def _fields(image_format: str) -> set[str]:
    """The replacement fields of a format string; empty if it is not valid."""
    try:
        parsed = [*Formatter().parse(image_format)]
    except ValueError:
        return set()
    return {
        f"{{{name}{'!' if conversion else ''}{conversion or ''}{':' if spec else ''}{spec}}}"
        for _, name, spec, conversion in parsed
        if name is not None
    }
