"""What was last seen of the repository and the chain, of files that can't be read, and of another
platform, where every process can read it: one note each, written by the process whose ticks look.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from resources.notes import Notes, parsed_note

REPOSITORY, CHAIN, OTHER = "repository", "chain", "another platform"
FILES = "the repository's files"
_NAMES = (REPOSITORY, CHAIN, FILES, OTHER)

_RENEWED_AFTER = 10.0
"""Seconds after which the note of what is seen again and again is written anew. Ticks look every
second or so; an age is as exact as this."""


class Sightings:
    """The last sight of each thing, and since when it can't be seen. Calls raise
    InfrastructureFault where the disk or the database fails. Threads may share it.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._noted: dict[str, tuple[str | None, float]] = {}
        """What this process has noted last of each (None: nothing is known of it), and when."""

    def saw(self, name: str, what: str) -> None:
        """It was seen just now: a head's sha, or a block's number."""
        noted, when = self._noted.get(name, ("", 0.0))
        if noted != what or time.monotonic() - when > _RENEWED_AFTER:
            self._write(name, {"seen": what, "mark": self._notes.mark()})
            self._noted[name] = what, time.monotonic()

    def failed(self, name: str, fault: str) -> None:
        """It could not be seen; counted from the first time on."""
        self._noted.pop(name, None)  # the next sight is written at once, and ends the fault
        known = self._read(name)
        since = known.get("since") or datetime.now(UTC).isoformat(timespec="seconds")
        failures = int(known.get("failures", 0)) + 1
        self._write(name, {**known, "fault": fault, "since": since, "failures": failures})

    def ended(self, name: str) -> None:
        """There is nothing more to see, or to say, of it."""
        noted, _ = self._noted.get(name, ("", 0.0))
        if noted is not None:
            self._notes.remove(_note(name))
            self._noted[name] = None, time.monotonic()

    def waits(self) -> list[str]:
        """What can't be seen, and since when."""
        return [
            f"{name}: {sighting['fault']}, since {sighting['since']} ({sighting['failures']} times)"
            for name, sighting in self._all()
            if "fault" in sighting
        ]

    def failing(self, times: int = 3) -> dict[str, str]:
        """Name -> why it can't be seen, and since when, of what has failed so often in a row."""
        return {
            name: f"{sighting['fault']}, since {sighting['since']}"
            for name, sighting in self._all()
            if int(sighting.get("failures", 0)) >= times
        }

    def latest(self) -> dict[str, Any]:
        """Name -> what was seen last, and its age in seconds (None where that can't be told, as of
        before the machine's last start).
        """
        return {
            name: {"seen": sighting["seen"], "age": self._notes.age(sighting["mark"])}
            for name, sighting in self._all()
            if "seen" in sighting
        }

    def clear(self) -> None:
        """Forget what a platform of before has seen."""
        for name in _NAMES:
            self.ended(name)

    def _all(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name in _NAMES:
            yield name, self._read(name)

    def _read(self, name: str) -> dict[str, Any]:
        return parsed_note(self._notes, _note(name), _parsed) or {}

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self._notes.write(_note(name), json.dumps(content).encode())


def _note(name: str) -> str:
    return f"sightings/{name}.json"


def _parsed(content: bytes) -> dict[str, Any]:
    sighting = json.loads(content)
    if not isinstance(sighting, dict):
        raise TypeError("it is no object")
    return sighting
