"""What the platform's work waits for outside, where every process can see it: one file a lane,
while it waits.
"""

import json
from datetime import datetime
from pathlib import Path

from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.due import Wait
from resources.disk import disk_faults
from resources.own_files import read_own
from resources.whole_file import write_whole


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
        }
        with disk_faults("what is waited for can't be kept"):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._path(lane), json.dumps(wait).encode())
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

    def _read(self, lane: Lane) -> dict[str, str] | None:
        return read_own(self._path(lane), _parsed)

    def _path(self, lane: Lane) -> Path:
        return self._folder / f"{lane}.json"


def _parsed(content: bytes) -> dict[str, str]:
    wait = json.loads(content)
    return {"for": str(wait["for"]), "since": str(wait["since"])}
