"""What the machine that draws here lacks of the workers' sandbox: a note, for `/healthz`."""

import json
from collections.abc import Sequence

from resources.notes import Notes, parsed_note

_NAME = "sandbox.json"


def note_sandbox(notes: Notes, lacking: Sequence[str]) -> None:
    """Keep what a worker's template has found. Raises InfrastructureFault where the disk or the
    database fails.
    """
    notes.write(_NAME, json.dumps(list(lacking)).encode())


def sandbox_lacks(notes: Notes) -> list[str] | None:
    """What was found last; None where nothing has been drawn by workers of the platform's own.
    Raises InfrastructureFault.
    """
    return parsed_note(notes, _NAME, _parsed)


def _parsed(content: bytes) -> list[str]:
    return [str(each) for each in json.loads(content)]
