"""How long ago something was, for all processes of this machine, whatever is done to its clock."""

import time
from functools import lru_cache
from pathlib import Path


def mark() -> str:
    """The present moment, for a file: the machine's start, and the seconds since."""
    return f"{_boot()} {time.monotonic():.1f}"


def seconds_since(mark: str) -> float | None:
    """The age of a mark; None for one of before the machine's last start, or that can't be read."""
    boot, _, seconds = mark.partition(" ")
    try:
        return max(0.0, time.monotonic() - float(seconds)) if boot == _boot() else None
    except ValueError:
        return None


@lru_cache(maxsize=1)
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux: marks are as good as its monotonic clock
        return "-"
