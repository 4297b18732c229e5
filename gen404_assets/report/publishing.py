"""A report's files put into the store, under names of their own: no object is overwritten."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from gen404_assets.report.book import pages_of

_AT_A_TIME = 8  # files put into the store at a time
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}


class Store(Protocol):
    """The part of the object store that a report takes."""

    def put(self, key: str, source: Path | bytes, content_type: str) -> str: ...


def prefix_of(number: int, head: str) -> str:
    """Where a round's report of a commit lies in the store."""
    return f"reports/{number}/{head[:12]}"


def publish(folder: Path, prefix: str, store: Store) -> str:
    """Put all files of a report below `prefix`; the URL of its first page. The pages go last, and
    the first page after all others, so that what it links to is there.
    """
    paths = [path for path in pages_of(folder) if path != folder / "index.html"]
    paths.sort(key=lambda path: path.suffix == ".html")

    def put(path: Path) -> str:
        key = f"{prefix}/{path.relative_to(folder).as_posix()}"
        return store.put(key, path, _TYPES.get(path.suffix, "application/octet-stream"))

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        list(pool.map(put, paths))
    return put(folder / "index.html")
