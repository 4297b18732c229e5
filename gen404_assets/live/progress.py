"""How far the work of each lane is, in its own words, where every process can see it: one file a
lane, while a run works in it.
"""

import json
from pathlib import Path

from gen404_assets.competition.catalogue import Lane
from resources.disk import disk_faults
from resources.elapsed import mark, seconds_since
from resources.own_files import read_own
from resources.whole_file import write_whole

_FORGOTTEN_AFTER = 3600.0
"""Seconds after which what a run has said is left over from one that crashed."""


class Progress:
    """What the runs of the lanes have said last, in files of `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def report(self, lane: Lane, text: str) -> None:
        """A lane's run has said this."""
        with disk_faults("progress can't be kept"):
            self._folder.mkdir(parents=True, exist_ok=True)
            content = json.dumps({"text": text[:300], "mark": mark()})
            write_whole(self._path(lane), content.encode())

    def end(self, lane: Lane) -> None:
        """The lane's run has ended."""
        with disk_faults("progress can't be kept"):
            self._path(lane).unlink(missing_ok=True)

    def last(self, lane: Lane) -> tuple[str, float] | None:
        """What a lane's run has said last, and how many seconds ago; None where none is known."""
        known = read_own(self._path(lane), _parsed)
        age = seconds_since(known[1]) if known else None
        if known is None or age is None or age > _FORGOTTEN_AFTER:
            return None
        return known[0], age

    def _path(self, lane: Lane) -> Path:
        return self._folder / f"{lane}.json"


def _parsed(content: bytes) -> tuple[str, str]:
    known = json.loads(content)
    return str(known["text"]), str(known["mark"])
