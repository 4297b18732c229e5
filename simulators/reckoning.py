"""Starts and weights of a season reckoned a second time, by hand as it were: from
`docs/specification/rules.md`, FINALIZING, and nothing of the platform's own code.

Dates are counted day by day from the first, where the platform reckons back from blocks; weights
are decimals, where the platform's are floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_BLOCK = timedelta(seconds=12)


@dataclass(frozen=True)
class Ended:
    """How a round ended: when, and who won with which code; `code` is None if the leader has
    defended. `again`: when it ended once more, after the competition had been extended.
    """

    at: datetime
    code: tuple[str, str] | None = None
    hotkey: str = ""
    again: datetime | None = None


@dataclass(frozen=True)
class Reckoned:
    """What follows: the start block of each round, and the leader's entries (hotkey, weight, from
    which block).
    """

    starts: Sequence[int]
    entries: Sequence[tuple[str, Decimal, int]]


def reckon(
    config: dict[str, Any], genesis: datetime, began: datetime, ends: Sequence[Ended]
) -> Reckoned:
    """A season by its configuration as JSON has it, when it began, and how its rounds ended.

    `config` has two more keys, of the founder: `hotkey` and `code`, who leads with weight
    `founder_weight`. A start is a block: whole blocks of 12 s since `genesis`.
    """
    day = _first_day(config, date.fromisoformat(config["first_evaluation_date"]), began)
    starts = [_block(_start(config, day), genesis)]
    hotkey, code, weight = config["hotkey"], config["code"], Decimal(str(config["founder_weight"]))
    floor, decay = (Decimal(str(config[key])) for key in ("weight_floor", "weight_decay"))
    entries = [(hotkey, weight, 0)]
    for end in ends:
        earliest = day + timedelta(days=config["round_duration_days"])
        effective = _block(_start(config, _first_day(config, earliest, end.at)), genesis)
        day = _first_day(config, earliest, end.again or end.at)
        starts.append(_block(_start(config, day), genesis))
        if end.code is not None and end.code != code:
            hotkey, code, weight = end.hotkey, end.code, Decimal(1)
        elif weight == floor:
            continue
        else:
            weight = max(floor, weight - decay)
        entries.append((hotkey, weight, effective))
    return Reckoned(starts, entries)


def _first_day(config: dict[str, Any], day: date, now: datetime) -> date:
    """The first day, from this one on, whose start is far enough away."""
    buffer = timedelta(hours=config["finalization_buffer_hours"])
    while _start(config, day) < now + buffer:
        day += timedelta(days=1)
    return day


def _start(config: dict[str, Any], day: date) -> datetime:
    return datetime.combine(day, time.fromisoformat(config["round_start_time"]), UTC)


def _block(moment: datetime, genesis: datetime) -> int:
    return (moment - genesis) // _BLOCK
