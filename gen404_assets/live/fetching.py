"""One miner's file: fetched, drawn and stored. Whatever goes wrong with it is the miner's fault, a
fault of this side, or a bug that the miner's file has found.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from gen404_assets.competition.again import object_name
from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.output_formats import OUTPUT_FORMATS
from gen404_assets.competition.outputs import Output
from gen404_assets.competition.round import miner_path
from gen404_assets.live.cdns import File
from gen404_assets.live.work import Work
from gpu.remarks import remarks_of
from resources.disk import disk_fault
from resources.figures import FIGURES
from resources.object_store import ObjectConflict

T = TypeVar("T")

_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
"""Seconds between two tries of what this side failed at: at first, and at most."""


@dataclass(frozen=True, slots=True)
class Download:
    """What a try to fetch a file has brought: its entry, or the miner's fault. The times are those
    of the download alone, without what was done with the file here."""

    result: Output | MinerFault
    began: float
    ended: float


@dataclass(slots=True)
class Fetching:
    """Fetches files of one round to `folder`; threads share it."""

    work: Work
    number: int
    format: str
    folder: Path
    stopping: threading.Event = field(default_factory=threading.Event)
    """Once it is set, nothing is tried again."""
    _messages: SimpleQueue[tuple[Callable[[str], None], str]] = field(default_factory=SimpleQueue)

    def tell(self) -> None:
        """Tell the operator what the threads have to say: only one thread may."""
        with suppress(Empty):
            while True:
                tell, message = self._messages.get_nowait()
                tell(message)

    def fetch(self, file: File) -> Download:
        """The entry of a file that came, or the miner's fault. Raises what is no miner's fault."""
        path = self.folder / f"{file.hotkey}-{file.stem}.{self.format}"
        began = time.monotonic()

        def download() -> int:
            nonlocal began  # a repeated try begins anew: the CDN pays for no pause of ours
            began = time.monotonic()
            if file.stored is not None:
                return self._from_store(file.stored, path)
            return self.work.outside.downloads.download(file.url, path)

        try:
            size = self._of_the_miner(file, "the download", download)
            ended = time.monotonic()
            FIGURES.add("fetched_bytes", size)
            return Download(self._store(file, path, size), began, ended)
        except MinerFault as fault:
            return Download(fault, began, time.monotonic())
        finally:
            with suppress(OSError):  # the folder goes at the end
                path.unlink(missing_ok=True)

    def steadily(self, call: Callable[..., T], *args: object, **kwargs: object) -> T:
        """What `call` returns, tried again while this side is at fault. Raises the fault once the
        patience is over, or the work stops."""
        began, delay = time.monotonic(), _FIRST_DELAY
        while True:
            try:
                return call(*args, **kwargs)
            except InfrastructureFault as fault:
                over = time.monotonic() + delay - began > self.work.pace.fault_patience_seconds
                if over or self.stopping.is_set():
                    raise
                self._messages.put((self.work.say, f"tried again in {delay:g} s: {fault}"))
            self.stopping.wait(delay)  # no sleep: the work's end cuts it short
            delay = min(2 * delay, _LONGEST_DELAY)

    def _of_the_miner(self, file: File, what: str, call: Callable[..., T], *args: object) -> T:
        """What `call` returns. It works on nothing but what the miner chose, so an error that
        nobody has foreseen is held against the miner, who alone can bring it about, and the
        operator is told of the bug.
        """
        try:
            return self.steadily(call, *args)
        except (MinerFault, InfrastructureFault):
            raise
        except OSError as error:
            raise disk_fault(what, error) from error
        except MemoryError as error:
            raise InfrastructureFault(f"{what}: out of memory") from error
        except Exception as error:
            kind = type(error).__name__
            message = (
                f"a bug, held against miner {file.hotkey} alone: {file.url[:300]!r}: {what} failed "
                f"with {kind}: {str(error)[:300]}. Once it is mended, `gen404 again` makes the "
                "miner's entry again"
            )
            self._messages.put((self.work.alert, message))
            raise MinerFault(f"{what} fails with it ({kind})") from error

    def _store(self, file: File, path: Path, size: int) -> Output:
        """The stored file with its preview; a file that can't be rendered keeps its URL, and the
        reason. Where the preview was drawn in spite of something in the file, the reason says of
        what."""
        name = object_name(file.stem, file.again)
        key = miner_path(self.number, file.hotkey, f"submitted/{name}")
        url = file.stored
        if url is None:
            url, size = self.steadily(self._keep, f"{key}.{self.format}", path, size)
        renderer, began = self.work.outside.renderer, time.monotonic()
        try:
            preview = self._of_the_miner(
                file, "drawing the file", renderer.render, path, self.format
            )
        except MinerFault as fault:
            FIGURES.add("files", outcome="refused")
            return self.entry(url, None, size, file.attempts, str(fault))
        FIGURES.add("files", outcome="drawn")
        FIGURES.add("render_seconds", time.monotonic() - began)
        png = self.steadily(self._keep_preview, f"{key}.png", preview)
        return self.entry(url, png, size, file.attempts, remarks_of(preview))

    def _from_store(self, url: str, path: Path) -> int:
        """A file that we have already; its size in bytes."""
        store = self.work.outside.store
        key = store.key(url)
        if not store.fetch(key, path):
            raise InfrastructureFault(f"object store: {key} is missing")
        return path.stat().st_size

    def _keep(self, key: str, path: Path, size: int) -> tuple[str, int]:
        """Store a file; its URL, and its size in bytes."""
        store = self.work.outside.store
        try:
            return store.put(key, path, OUTPUT_FORMATS[self.format]), size
        except (
            ObjectConflict
        ):  # an earlier attempt, cut off before it was recorded, got other bytes: they stand
            store.fetch(key, path)
            return store.url(key), path.stat().st_size

    def _keep_preview(self, key: str, preview: bytes) -> str:
        store = self.work.outside.store
        with suppress(ObjectConflict):  # likewise, drawn on another machine
            store.put(key, preview, "image/png")
        return store.url(key)

    def entry(
        self, model: str | None, png: str | None, size: int, attempts: int, reason: str = ""
    ) -> Output:
        """What is recorded of a file: the URLs of it and its preview, its size in bytes."""
        content: dict[str, object] = {
            self.format: model,
            "png": png,
            "generation_time": 0.0,  # only regenerated outputs have one (`rules.md`, Duels)
            "size": size,
        }
        content |= {"attempts": attempts, "distance": 0.0} | ({"reason": reason} if reason else {})
        return Output.model_validate(content)
