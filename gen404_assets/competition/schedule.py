"""`schedule.json`: a round's window of blocks, and the arithmetic of the next one (FINALIZING)."""

from datetime import datetime, timedelta

from pydantic import Field, model_validator

from gen404_assets.competition.config import Config
from gen404_assets.competition.files import ObjectFile
from gen404_assets.competition.settings import BLOCK_SECONDS


class Schedule(ObjectFile):
    """Block numbers. Commitments count from the first to the second; files are due at the third."""

    earliest_reveal_block: int = Field(ge=0)
    latest_reveal_block: int = Field(ge=0)
    generation_deadline_block: int = Field(ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> "Schedule":
        if (
            not self.earliest_reveal_block
            <= self.latest_reveal_block
            <= self.generation_deadline_block
        ):
            raise ValueError("blocks must be in the order earliest, latest, deadline")
        return self


def next_start(
    config: Config, previous: Schedule | None, now: datetime, now_block: int
) -> datetime:
    """When the round after `previous` (None: the first of all) starts; `now` is when the chain is
    at `now_block`.

    `rules.md`, FINALIZING: the day of the previous start + `round_duration_days`, at
    `round_start_time`; a day later while that is less than `finalization_buffer_hours` away; never
    before the first evaluation date.
    """
    day = config.first_evaluation_date
    if previous is not None:
        # A start block is rounded down, so the start lies up to one block after it. Adding that
        # block keeps a start at midnight from falling onto the day before.
        began = now - timedelta(
            seconds=(now_block - previous.latest_reveal_block - 1) * BLOCK_SECONDS
        )
        day = max(day, began.date() + timedelta(days=config.round_duration_days))
    while config.start_on(day) - now < timedelta(hours=config.finalization_buffer_hours):
        day += timedelta(days=1)
    return config.start_on(day)


def start_block(start: datetime, now: datetime, now_block: int) -> int:
    """The block reached at `start`: whole blocks of 12 s from now."""
    return now_block + int((start - now).total_seconds() // BLOCK_SECONDS)


def schedule_at(config: Config, previous: Schedule | None, latest: int) -> Schedule:
    """The schedule of the round whose reveals end, and whose start is, at block `latest`."""
    return Schedule(
        earliest_reveal_block=previous.latest_reveal_block + 1 if previous else 0,
        latest_reveal_block=latest,
        generation_deadline_block=latest + config.generation_stage_minutes * 60 // BLOCK_SECONDS,
    )


def is_over(config: Config, start: datetime) -> bool:
    """Whether a round that would start then comes after the competition's last day: FINISHED."""
    return start.date() > config.last_competition_date
