"""Whether another platform works on this one's repository: two that share no database."""

import re
from datetime import datetime, timedelta

from resources.repository import Snapshot

RECENT = timedelta(hours=1)
"""One that has published nothing for longer may have been stopped."""
_LOOKED_AT = 200
"""Commits back from the head: so many are looked at, however busy the hour was."""
_MADE_BY = re.compile(r".* \(([0-9a-f]{8})\)")
"""What a platform's committer is named, with its installation's digits."""


def other_platform(snapshot: Snapshot, own: str, now: datetime) -> str:
    """In words, which other platform has published here within the last hour of the chain;
    empty where none has.

    One that has not published since the first of the commits of `own` has been replaced by it.
    """
    theirs, ours_since = "", False
    for commit in snapshot.recent(_LOOKED_AT):
        made_by = _MADE_BY.fullmatch(commit.committer)
        if made_by is None:
            continue
        if now - commit.time > RECENT:
            break
        if made_by[1] == own:
            if theirs:
                return theirs
            ours_since = True
        elif not theirs:
            theirs = (
                f"{made_by[1]} publishes in this repository, too, last {commit.short} of "
                f"{commit.time:%Y-%m-%d %H:%M} UTC: both pay for judge and GPUs, so stop one"
            )
    return "" if ours_since else theirs
