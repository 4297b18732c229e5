"""Files that the platform keeps for itself on this machine, and can make again: one that can't be
read is set aside under another name, said in the log, and made again.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from resources.disk import disk_faults

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


def read_own(path: Path, parse: Callable[[bytes], T]) -> T | None:
    """What `parse` makes of a file of ours; None where there is none, or where `parse` raises a
    ValueError, LookupError or TypeError: then the file is set aside.

    Raises InfrastructureFault where the disk fails.
    """
    with disk_faults(f"{path} can't be read"):
        if not path.exists():
            return None
        content = path.read_bytes()
    try:
        return parse(content)
    except (ValueError, LookupError, TypeError) as error:
        set_aside(path, f"{type(error).__name__}: {error}")
        return None


def set_aside(path: Path, reason: str) -> Path:
    """Rename a file that can't be read, so that a person can look at it; its new path."""
    with disk_faults(f"{path} can't be set aside"):
        aside = path.with_name(f"{path.name}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        path.replace(aside)
    _LOG.error("%s can't be read (%s): set aside as %s, and made again", path, reason, aside.name)
    return aside
