"""Numbers of settings with bounds: below the lower one the platform doesn't work, and the upper one
is what Python and the operating system can still sleep, count and hold.
"""

from typing import Annotated

from pydantic import Field

DAY = 86400  # seconds
LONGEST = 30 * DAY
"""Seconds of the longest wait that can be set."""

Seconds = Annotated[float, Field(ge=0.01, le=LONGEST)]
"""Seconds between two looks, of which none would be a loop without a pause."""

Patience = Annotated[float, Field(ge=0, le=LONGEST)]
"""Seconds for which something is tried again, or put off; 0: not at all."""

Timeout = Annotated[float, Field(ge=1, le=LONGEST)]
"""Seconds after which something counts as failed: with less than one, everything would."""

Count = Annotated[int, Field(ge=1, le=1000)]
"""How many of something there are, such as threads."""

Tolerance = Annotated[int, Field(ge=0, le=1_000_000)]
"""How many of something are tolerated, or left out."""
