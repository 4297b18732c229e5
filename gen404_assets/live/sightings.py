"""What was last seen of the repository and the chain, and of another platform, where every process
can read it: one file each, written by the process whose ticks look.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resources.elapsed import mark, seconds_since

REPOSITORY, CHAIN, OTHER = "repository", "chain", "another platform"


class Sightings:
    """The last sight of each thing, and since when it can't be seen, in files of `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def saw(self, name: str, what: str) -> None:
        """It was seen just now: a head's sha, or a block's number."""
        self._write(name, {"seen": what, "mark": mark()})

    def failed(self, name: str, fault: str) -> None:
        """It could not be seen; counted from the first time on."""
        known = self._read(name)
        since = known.get("since") or datetime.now(UTC).isoformat(timespec="seconds")
        failures = int(known.get("failures", 0)) + 1
        self._write(name, {**known, "fault": fault, "since": since, "failures": failures})

    def ended(self, name: str) -> None:
        """There is nothing more to see, or to say, of it."""
        self._path(name).unlink(missing_ok=True)

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
        """Name -> what was seen last, and its age in seconds (None: of before the machine's last
        start).
        """
        return {
            name: {"seen": sighting["seen"], "age": seconds_since(sighting["mark"])}
            for name, sighting in self._all()
            if "seen" in sighting
        }

    def clear(self) -> None:
        """Forget what a platform of before has seen."""
        for name in (REPOSITORY, CHAIN, OTHER):
            self.ended(name)

    def _all(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name in (REPOSITORY, CHAIN, OTHER):
            yield name, self._read(name)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads(self._path(name).read_text()))
        except (FileNotFoundError, ValueError):
            return {}

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._path(name).with_suffix(".draft")
        draft.write_text(json.dumps(content))
        draft.replace(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
