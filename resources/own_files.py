"""Files that the platform keeps for itself on this machine, and can make again: one that can't be
read is set aside under another name, said in the log, and made again.
"""

import logging
from datetime import UTC, datetime
from pathlib import Path

from resources.disk import disk_faults

_LOG = logging.getLogger(__name__)


def set_aside(path: Path, reason: str) -> Path:
    """Rename a file that can't be read, so that a person can look at it; its new path."""
    with disk_faults(f"{path} can't be set aside"):
        aside = path.with_name(f"{path.name}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        path.replace(aside)
    _LOG.error("%s can't be read (%s): set aside as %s, and made again", path, reason, aside.name)
    return aside
