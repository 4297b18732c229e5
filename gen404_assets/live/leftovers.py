"""What stays on disk after a round, or after a process that was killed, is removed, so that months
leave no more than a day.
"""

import re
import shutil
import tempfile
import time
from pathlib import Path

from gen404_assets.live.shared import Shared

_OF_ROUND = re.compile(r"miner-(\d{2,})-.+")
_TEMPORARY = ("gen404-collect-*", "gen404-prompt-*", "miner-*-pods-*")
"""How the work on a round calls its temporary folders. The platform has others, which live as long
as it does: they are none of a round's.
"""
_DAYS_LEFT = 2.0
"""Days after which nobody alive uses a temporary folder any more: no work of a round takes as long
without writing to it.
"""


def forget_round(shared: Shared, number: int) -> None:
    """Remove the journals and leases of a round that is past, and of those before it, and the
    temporary folders that killed processes have left.

    What a live process holds stays; the next round's end comes by again. A person who sets the
    round back loses nothing: a journal begins anew from what the repository has.
    """
    for folder in ("journals", "leases"):
        for note in shared.notes.names(folder):
            match = _OF_ROUND.match(note.rpartition("/")[2])
            if match and int(match[1]) <= number and not shared.claims.is_held(_lease_of(note)):
                shared.notes.remove(note)
    longest = time.time() - _DAYS_LEFT * 24 * 3600
    for pattern in _TEMPORARY:
        for left in Path(tempfile.gettempdir()).glob(pattern):
            if left.is_dir() and left.stat().st_mtime < longest:
                shutil.rmtree(left, ignore_errors=True)  # tried again at the next round's end


def _lease_of(note: str) -> str:
    return f"leases/{note.rpartition('/')[2].partition('.')[0]}"
