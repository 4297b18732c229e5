"""What the platform's work waits for outside, where every process can see it: one note a lane,
while it waits.
"""

import json
from datetime import datetime

from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.due import Wait
from resources.notes import Notes, parsed_note

FORGOTTEN_AFTER = 900.0
"""Seconds after which a wait that no run has renewed is left over from one that crashed. A run
renews it every minute, and a failed run is followed by the next within ten."""


class Waiting:
    """The waits of all lanes, as notes. A note that begins means a person is to be told, once."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def begin(self, lane: Lane, what: str, since: datetime) -> bool:
        """A lane waits for something; whether it did not wait before. The time it began stays as it
        was.
        """
        known = self._read(lane)
        wait = {
            "for": what,
            "since": known["since"] if known else since.isoformat(timespec="seconds"),
            "renewed": self._notes.mark(),
        }
        self._notes.write(_note(lane), json.dumps(wait).encode())
        return known is None

    def end(self, lane: Lane) -> bool:
        """A lane waits no more; whether it did."""
        return self._notes.remove(_note(lane))

    def for_lane(self, lane: Lane) -> Wait | None:
        """What a lane waits for."""
        wait = self._read(lane)
        return Wait(f"{wait['for']}, since {wait['since']}") if wait else None

    def all(self) -> list[str]:
        """What each lane that waits waits for."""
        return [f"{lane}: {wait.on}" for lane in Lane if (wait := self.for_lane(lane))]

    def _read(self, lane: Lane) -> dict[str, str] | None:
        wait = parsed_note(self._notes, _note(lane), _parsed)
        age = self._notes.age(wait["renewed"]) if wait else None
        return wait if age is not None and age <= FORGOTTEN_AFTER else None


def _note(lane: Lane) -> str:
    return f"waiting/{lane}.json"


def _parsed(content: bytes) -> dict[str, str]:
    wait = json.loads(content)
    return {name: str(wait[name]) for name in ("for", "since", "renewed")}
