"""The prompts' pictures: copied into the store when a round opens, and worked with from there
alone.

A copy's key follows from the round and the prompt's URL (`competition.prompts.picture_key`), so
that every run on every machine finds it. Miners go by the URL in `prompts.txt`, and so do reports.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.prompts import is_plain, picture_key, stem
from gpu.unpacking import NoPicture, opened
from resources.deadlines import within
from resources.object_store import ObjectConflict

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
"""What a prompt picture may be, as Pillow calls it."""
MAX_PICTURE_BYTES = 20 * 2**20
"""Of the file; a larger one can't be a prompt's picture (`picture_type`)."""
MAX_PICTURE_PIXELS = 50_000_000
"""Asked of the header: unpacked, so many take 200 MB."""

_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # a JPEG that holds further ones, as cameras write it
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
"""The formats, by Pillow's names, that every OpenAI-compatible judge reads."""

LONGEST_TRY = 60.0
"""Seconds that fetching a picture may take."""

_AT_ONCE = 8
"""Pictures looked up in the store at a time."""


class Store(Protocol):
    """What is needed of the object store. Every failure is an InfrastructureFault."""

    def url(self, key: str) -> str: ...
    def key(self, url: str) -> str: ...
    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, source: bytes, content_type: str) -> str: ...


class Fetch(Protocol):
    """What is needed of the downloads. Raises MinerFault where the host is at fault."""

    def download(self, url: str, to: Path) -> int: ...


class PromptPictures:
    """The rounds' own copies of their prompts' pictures; threads may share it."""

    def __init__(self, store: Store, downloads: Fetch) -> None:
        self._store, self._downloads = store, downloads
        # Never emptied: objects are never overwritten (decision 13), so a copy stays.
        self._there: set[str] = set()

    def copy(self, number: int, prompt: str, seconds: float = LONGEST_TRY) -> str:
        """The public URL of round `number`'s copy of a prompt's picture, made now if there is none.

        `seconds` is what fetching it may take. Raises NoPicture, and InfrastructureFault where this
        machine's network, disk or store is at fault.
        """
        if not is_plain(stem(prompt)):
            raise NoPicture(f"the stem {stem(prompt)!r} is not plain")
        key = picture_key(number, prompt)
        if key not in self._there and self._store.get(key) is None:
            content = self._fetched(prompt, seconds)
            content_type = picture_type(content)
            with suppress(ObjectConflict):  # another run has copied it meanwhile: that copy stands
                self._store.put(key, content, content_type)
        self._there.add(key)
        return self._store.url(key)

    def url(self, number: int, prompt: str) -> str:
        """The public URL of the copy, once the round is open.

        The store lacks it only if an older version opened the round, a person typed the prompt, or
        the object was lost: then it is copied now. Raises InfrastructureFault where it can't be,
        since nothing follows from that for the round any more.
        """
        try:
            return self.copy(number, prompt)
        except NoPicture as reason:
            key = picture_key(number, prompt)
            raise InfrastructureFault(
                f"{key} is not in the store, and {prompt} gives no picture: {reason}. Put it "
                "there, "
                f"or name {stem(prompt)} in missing_prompts of rounds/{number}/seed.json"
            ) from reason

    def urls(self, number: int, prompts: Sequence[str]) -> list[str]:
        """The public URLs of the copies of several prompts (see `url`)."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(partial(self.url, number), prompts))

    def _fetched(self, prompt: str, seconds: float) -> bytes:
        try:
            key = self._store.key(prompt)
        except ValueError:
            return self._downloaded(prompt, seconds)
        content = self._store.get(key)
        if content is None:
            raise NoPicture("the store has no such object")
        return content

    def _downloaded(self, prompt: str, seconds: float) -> bytes:
        with TemporaryDirectory(prefix="gen404-prompt-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / "picture"
            try:
                within(seconds, self._downloads.download, prompt, path)
            except MinerFault as fault:
                raise NoPicture(str(fault)) from fault
            except TimeoutError as error:
                raise NoPicture(f"no end after {seconds:g} s") from error
            if path.stat().st_size > MAX_PICTURE_BYTES:
                raise NoPicture(f"larger than {MAX_PICTURE_BYTES} bytes")
            return path.read_bytes()


_decoding = threading.Lock()
"""One picture at a time is unpacked: the largest takes 200 MB."""


def picture_type(content: bytes) -> str:
    """The content type of a picture. Raises NoPicture for bytes that can't be judged as one: not a
    whole PNG, JPEG, WebP or GIF, or more than `MAX_PICTURE_BYTES` or `MAX_PICTURE_PIXELS`."""
    if len(content) > MAX_PICTURE_BYTES:
        raise NoPicture(f"larger than {MAX_PICTURE_BYTES} bytes")
    with _decoding, opened(content, FORMATS, MAX_PICTURE_PIXELS) as picture:
        picture.load()
        return _TYPES[picture.format or ""]
