"""`config.json`: the competition as its operator set it up."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Literal

from pydantic import Field, field_validator

from gen404_assets.competition.files import ObjectFile
from gen404_assets.competition.output_formats import DEFAULT_FORMAT, OutputFormat


class Config(ObjectFile):
    """Written by hand before the competition. Dates and times are UTC."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    first_evaluation_date: date
    last_competition_date: date
    round_start_time: time = time(8)
    generation_stage_minutes: int = Field(gt=0)
    finalization_buffer_hours: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    win_margin: float = Field(ge=0, allow_inf_nan=False)
    weight_decay: float = Field(ge=0, allow_inf_nan=False)
    weight_floor: float = Field(ge=0, le=1, allow_inf_nan=False)
    prompts_per_round: int = Field(gt=0)
    carryover_prompts: int = Field(ge=0)
    round_duration_days: Annotated[int, Field(gt=0)] = 1
    output_format: OutputFormat = DEFAULT_FORMAT
    close_matches: Literal["best_of_3"] | None = None
    """What becomes of a match that the judge, asked again, could turn (`margins.is_close`):
    nothing, or it is played twice more with other seeds, and the middle margin counts."""

    @field_validator("round_start_time")
    @classmethod
    def _in_utc(cls, value: time) -> time:
        if value.tzinfo is not None and value.utcoffset() != UTC.utcoffset(None):
            raise ValueError("must be UTC")
        return value.replace(tzinfo=None)

    def start_on(self, day: date) -> datetime:
        """When a round that starts on `day` starts."""
        return datetime.combine(day, self.round_start_time, UTC)

    def round_name(self, number: int) -> str:
        """The name by which submissions, tags and the seed call round `number`."""
        return f"{self.name}-{number}"
