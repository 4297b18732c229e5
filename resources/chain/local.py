"""The local chain: a folder with the genesis, the clock that its blocks come from, and the log of
extrinsics.

Processes share it through files. Blocks advance while somebody ticks (`keep_ticking`), and stand
still otherwise. As the real chain does, it shows what a timelocked commitment holds once its round
has come (`REVEAL_AFTER`). Unlike the real one, it shows a commitment that isn't sealed, too, from
the block it is included in.
"""

import json
import math
import os
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.settings import BLOCK_SECONDS
from resources.file_lock import locked
from resources.settings import BadSetting
from resources.whole_file import write_whole

if TYPE_CHECKING:
    from bittensor_core import Keypair  # type: ignore[import-untyped]

FINALITY = 3
"""Blocks by which the last finalised one trails the head."""

REVEAL_AFTER = 5
"""Blocks after its own at which a timelocked commitment is revealed."""

_COAST = 3.0
"""Seconds that blocks go on without a tick: a ticker that is killed has stopped by then."""

_TICK = 0.5  # seconds between two ticks, several within `_COAST`


class BrokenChain(InfrastructureFault):
    """A file of the local chain can't be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Extrinsic:
    """A signed call, as it was included in a block."""

    block: int
    signer: str
    call: str
    params: Mapping[str, Any]


def create_local_chain(
    folder: Path, *, block_time: float, genesis_time: datetime, genesis_number: int = 0
) -> "LocalChain":
    """A chain in `folder`, standing at its genesis block until it ticks; one that is there is left
    as it is.

    `block_time` is in seconds of this machine's clock; `genesis_time`, aware, is the chain's own at
    its genesis.
    """
    if not 0.001 <= block_time < math.inf:
        raise ValueError("block_time must be a number of seconds, 0.001 or more")
    folder.mkdir(parents=True, exist_ok=True)
    chain = LocalChain(folder)
    with chain.lock(exclusive=True):
        if not (folder / "chain.json").is_file():
            _replace(folder / "clock.json", json.dumps([genesis_number, None]))
            genesis = {
                "number": genesis_number,
                "time": genesis_time.astimezone(UTC).isoformat(),
                "block_time": block_time,
            }
            _replace(folder / "chain.json", json.dumps(genesis, indent=2) + "\n")
    return chain


def keep_ticking(folder: Path, stop: threading.Event) -> None:
    """Let blocks come, one each `block_time` seconds, until `stop` is set; they go on from where
    they were.
    """
    chain = LocalChain(folder)
    try:
        chain.tick()
        while not stop.wait(_TICK):
            chain.tick()
    finally:
        chain.stand()


def local_keypair(name: str) -> "Keypair":
    """The key pair of a local hotkey: derived from a name, so worth nothing; `ss58_address` is the
    hotkey.
    """
    from bittensor_core import Keypair  # noqa: PLC0415

    return Keypair.create_from_uri(f"//local//{name}")


def local_folder(network: str) -> Path | None:
    """The folder of a local chain's file:// URL, None for any other network. Raises BadSetting."""
    if not network.startswith("file:"):
        return None
    url = urlsplit(network)
    folder = Path(unquote(url.path))
    if url.netloc not in {"", "localhost"} or not (folder / "chain.json").is_file():
        raise BadSetting(
            "SUBTENSOR_NETWORK must be the file:// URL of a folder that holds a local chain"
        )
    return folder


@dataclass(frozen=True, slots=True)
class _Genesis:
    """What `chain.json` holds: the first block, and the seconds of this machine's clock a block."""

    number: int
    time: datetime
    block_time: float
    digest: bytes


class LocalChain:
    """The files of the local chain in `folder`. Threads and processes may share them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_to = 0
        self._extrinsics: list[Extrinsic] = []
        self._reading = threading.Lock()

    @cached_property
    def _genesis(self) -> _Genesis:
        path = self._folder / "chain.json"
        raw = path.read_bytes()
        try:
            genesis = json.loads(raw)
            return _Genesis(
                int(genesis["number"]),
                datetime.fromisoformat(genesis["time"]),
                float(genesis["block_time"]),
                blake2b(raw, digest_size=32).digest(),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise BrokenChain(f"{path}: {error!r}") from error

    @property
    def genesis_number(self) -> int:
        return self._genesis.number

    @property
    def block_time(self) -> float:
        """Seconds of this machine's clock a block."""
        return self._genesis.block_time

    def head(self) -> int:
        """The number of the newest block; it never decreases, for no process."""
        with self.lock(exclusive=False):
            return math.floor(self._height(time.monotonic()))

    def finalized(self) -> int:
        """The number of the last finalised block."""
        return max(self.genesis_number, self.head() - FINALITY)

    def time(self, number: int) -> datetime:
        """A block's timestamp, by the chain's own clock: 12 s a block, whatever `block_time` is."""
        return self._genesis.time + timedelta(seconds=BLOCK_SECONDS) * (
            number - self.genesis_number
        )

    def hash(self, number: int) -> str:
        """A block's hash: of the genesis and the number."""
        return (
            "0x"
            + blake2b(
                number.to_bytes(8, "big"), key=self._genesis.digest, digest_size=32
            ).hexdigest()
        )

    def tick(self) -> None:
        """Let blocks come from here on, as long as the next tick is not overdue."""
        with self.lock(exclusive=True):
            now = time.monotonic()
            self._set_clock(self._height(now), now)

    def stand(self, after: int = 0) -> None:
        """Let no more blocks come but, at once, that many."""
        with self.lock(exclusive=True):
            self._set_clock(self._height(time.monotonic()) + after, None)

    def _height(self, now: float) -> float:
        """The height, with the share of the next block that has passed. Under the lock: a clock is
        set and read as of one moment, or else the height could decrease."""
        path = self._folder / "clock.json"
        try:
            # Where it was at the last tick, and the time of that by `time.monotonic`, which all
            # processes share.
            blocks, ticked_at = json.loads(path.read_bytes())
            passed = 0.0 if ticked_at is None else now - ticked_at
            if not 0 <= passed <= _COAST:  # negative after a reboot, which starts that clock anew
                passed = _COAST
            return float(blocks + passed / self.block_time)
        except (ValueError, TypeError) as error:
            raise BrokenChain(f"{path}: {error!r}") from error

    def _set_clock(self, blocks: float, ticked_at: float | None) -> None:
        _replace(self._folder / "clock.json", json.dumps([blocks, ticked_at]))

    def append(self, signer: str, call: str, params: Mapping[str, Any]) -> Extrinsic:
        """Include a signed call in the next block."""
        with self.lock(exclusive=True), (self._folder / "extrinsics.jsonl").open("ab+") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(0)
            whole = log.read().rfind(b"\n") + 1
            if whole < end:  # the last line of a process that was killed while writing it
                log.truncate(whole)
            extrinsic = Extrinsic(
                math.floor(self._height(time.monotonic())) + 1, signer, call, params
            )
            line = {"block": extrinsic.block, "signer": signer, "call": call, "params": params}
            log.write(json.dumps(line).encode() + b"\n")
            log.flush()
            os.fsync(log.fileno())
        return extrinsic

    def extrinsics(self, at: int) -> list[Extrinsic]:
        """All up to block `at`, oldest first. Of a block that has come, the answer never
        changes.
        """
        path = self._folder / "extrinsics.jsonl"
        # Whoever includes one later than this lock is taken finds a head of `at` or more.
        with self._reading, self.lock(exclusive=False):
            if path.is_file():
                with path.open("rb") as log:
                    log.seek(self._read_to)
                    for line in log:
                        if line.endswith(b"\n"):
                            self._extrinsics.append(_parse(path, line))
                            self._read_to += len(line)
        return [extrinsic for extrinsic in self._extrinsics if extrinsic.block <= at]

    def lock(self, *, exclusive: bool) -> AbstractContextManager[None]:
        return locked(self._folder / "lock", shared=not exclusive)


def _parse(path: Path, line: bytes) -> Extrinsic:
    try:
        return Extrinsic(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise BrokenChain(f"{path}: {error!r} in {line[:200]!r}") from error


def _replace(path: Path, text: str) -> None:
    write_whole(path, text.encode(), durable=True)
