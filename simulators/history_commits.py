"""How a made-up competition's commits are written: its clock, the round it is in, and the stream
that becomes a git repository.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO, Protocol

from gen404_assets.competition.round import STATE, round_path
from gen404_assets.competition.settings import BLOCK_SECONDS
from gen404_assets.competition.state import Stage, State
from simulators.history_world import World

PLATFORM = "404-gen <platform@404-gen.invalid>"
PERSON = "operator <operator@404-gen.invalid>"

FIRST_START = datetime(2026, 2, 2, 8, tzinfo=UTC)
"""When round 0 starts: at `FIRST_BLOCK`."""
FIRST_BLOCK = 7_454_966


class Content(Protocol):
    """A state file."""

    def to_bytes(self) -> bytes: ...


Files = Mapping[str, Content | bytes | None]
"""Path -> a file's content; None: it is deleted."""


class CommitWriter:
    """Commits the files of round `number` at the time `now`, which only moves forward."""

    def __init__(self, stream: IO[bytes], world: World) -> None:
        self._stream, self.world = stream, world
        self.number = 0
        self.now = FIRST_START - timedelta(days=2)

    def path(self, name: str) -> str:
        """The path of a file of the round."""
        return round_path(self.number, name)

    def about(self, what: str) -> str:
        """The message of a commit that updates something of the round."""
        return f"Update {what} for round {self.number}"

    def state(self, stage: Stage, until: int | None = None) -> Files:
        """`state.json` of the round in this stage, until block `until` if that is known."""
        eta = None if until is None else f"{time_of(until):%Y-%m-%dT%H:%M:%SZ}"
        return {STATE: State(current_round=self.number, stage=stage, next_stage_eta=eta)}

    def wait_until(self, block: int) -> None:
        """Let time pass until `block` is final on the chain, and a little longer."""
        noticed = timedelta(seconds=self.world.rng.randint(40, 400))
        self.now = max(self.now, time_of(block)) + noticed

    def wait(self, minutes: int) -> None:
        """Let these minutes pass, and up to 50 seconds more."""
        self.now += timedelta(minutes=minutes, seconds=self.world.rng.randint(0, 50))

    def commit(self, messages: Sequence[str], files: Files, author: str = PLATFORM) -> None:
        """One commit of these files now."""
        message = "\n".join(messages).encode()
        when = f"{int(self.now.timestamp())} +0000"
        head = f"commit refs/heads/main\ncommitter {author} {when}\ndata {len(message)}\n"
        self._stream.write(head.encode() + message + b"\n")
        for path, content in files.items():
            if content is None:
                self._stream.write(b"D %s\n" % path.encode())
                continue
            data = content if isinstance(content, bytes) else content.to_bytes()
            self._stream.write(
                b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
            )


def time_of(block: int) -> datetime:
    """When a block is made."""
    return FIRST_START + timedelta(seconds=(block - FIRST_BLOCK) * BLOCK_SECONDS)


def block_at(now: datetime) -> int:
    """The last block made by then."""
    return FIRST_BLOCK + int((now - FIRST_START).total_seconds()) // BLOCK_SECONDS
