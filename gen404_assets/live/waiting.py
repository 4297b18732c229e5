"""What the platform's work waits for outside, where every process can see it: one file a lane,
while it waits.
"""

import json
from datetime import datetime
from pathlib import Path

from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.due import Wait
from resources.elapsed import mark, seconds_since

FORGOTTEN_AFTER = 900.0
"""Seconds after which a wait that no run has renewed is left over from one that crashed. A run
renews it every minute, and a failed run is followed by the next within ten."""


class Waiting:
    """The waits of all lanes, in files of `folder`. A file that begins means a person is to be
    told, once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, lane: Lane, what: str, since: datetime) -> bool:
        """A lane waits for something; whether it did not wait before. The time it began stays as it
        was.
        """
        known = self._read(lane)
        wait = {
            "for": what,
            "since": known["since"] if known else since.isoformat(timespec="seconds"),
            "renewed": mark(),
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._path(lane).with_suffix(".draft")
        draft.write_text(json.dumps(wait))
        draft.replace(self._path(lane))
        return known is None

    def end(self, lane: Lane) -> bool:
        """A lane waits no more; whether it did."""
        waited = self._path(lane).exists()
        self._path(lane).unlink(missing_ok=True)
        return waited

    def of(self, lane: Lane) -> Wait | None:
        """What a lane waits for."""
        wait = self._read(lane)
        return Wait(f"{wait['for']}, since {wait['since']}") if wait else None

    def all(self) -> list[str]:
        """What each lane that waits waits for."""
        return [f"{lane}: {wait.on}" for lane in Lane if (wait := self.of(lane))]

    def clear(self) -> None:
        """Forget what a platform that has ended waited for."""
        for lane in Lane:
            self.end(lane)

    def _read(self, lane: Lane) -> dict[str, str] | None:
        try:
            wait = dict(json.loads(self._path(lane).read_text()))
        except (FileNotFoundError, ValueError):
            return None
        age = seconds_since(wait.get("renewed", ""))
        return wait if age is not None and age <= FORGOTTEN_AFTER else None

    def _path(self, lane: Lane) -> Path:
        return self._folder / f"{lane}.json"
