"""What every `gen404 check` has in common: the findings that it prints, and the file's look as a
collection takes it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gen404_assets.commands.mending import advice
from gen404_assets.competition.faults import MinerFault
from gpu.remarks import remarks_of
from gpu.workers.sandbox import CPU_SECONDS
from resources.renderer import DrawnHere, Renderer, open_renderer

_LONGEST = 300  # characters of a line


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found out about one thing. `refused` is the reason the competition records;
    `tolerated` what it overlooks; `notes` are for information.
    """

    subject: str
    refused: str = ""
    tolerated: str = ""
    notes: Sequence[str] = ()

    @property
    def accepted(self) -> bool:
        """Whether the competition takes it."""
        return not self.refused

    def lines(self) -> Iterator[str]:
        """For a terminal: a stranger's text is shown without control characters."""
        yield f"{plain(self.subject)}: {'refused' if self.refused else 'accepted'}"
        if self.refused:
            yield f"    reason     {plain(self.refused)}"
        if mend := advice(self.refused):
            yield f"    mend it    {mend}"
        if self.tolerated:
            yield f"    tolerated  {plain(self.tolerated)}"
        yield from (f"    {plain(note)}" for note in self.notes)

    def to_json(self) -> dict[str, object]:
        """For a program."""
        return {
            "subject": self.subject,
            "accepted": self.accepted,
            "reason": self.refused,
            "mend": advice(self.refused),
            "tolerated": self.tolerated,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Look:
    """What a collection sees of a file: its preview, or why there is none. `seconds` that took."""

    preview: bytes | None
    reason: str
    seconds: float

    @property
    def tolerated(self) -> str:
        """What the renderer overlooked in the file."""
        return remarks_of(self.preview) if self.preview is not None else ""

    def note(self) -> str:
        """The time, beside the renderer's limit."""
        limit = f"a file may take {CPU_SECONDS} s of processor time"
        return f"drawn in {self.seconds:.1f} s by the clock; {limit}"


@contextmanager
def ready_renderer(
    environment: Mapping[str, str], workers: int | None = None
) -> Iterator[Renderer]:
    """What draws, with its workers started: their start counts for no file. Raises
    InfrastructureFault where this machine can't draw.
    """
    renderer = open_renderer(environment)
    try:
        if isinstance(renderer, DrawnHere):
            renderer.start(workers)
        yield renderer
    finally:
        renderer.close()


def look_at(renderer: Renderer, path: Path, output_format: str) -> Look:
    """Draw a file as a collection does. Raises InfrastructureFault where this machine can't."""
    began = time.monotonic()
    try:
        preview = renderer.render(path, output_format)
    except MinerFault as fault:
        return Look(None, str(fault), time.monotonic() - began)
    return Look(preview, "", time.monotonic() - began)


def size_note(size: int, limit: int) -> str:
    """A file's size beside the limit."""
    return f"{size:,} bytes of at most {limit:,} ({100 * size / limit:.1f} %)"


def plain(text: str) -> str:
    """A stranger's text as one line of a terminal."""
    line = "".join(letter if letter.isprintable() else "�" for letter in text)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
