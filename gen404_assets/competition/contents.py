"""The content of files' versions, read from the repository when it is asked for."""

from collections.abc import Callable, Iterable, Mapping

from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.versions import Version

ReadBlobs = Callable[[Iterable[str]], Mapping[str, bytes]]
"""Content by blob sha, of any versions at once; without those that the repository lacks, as one
does that was fetched only in part.
"""

LOST = "unreadable: its content is missing in this repository"
"""The reason of a MalformedFile where a file is there and its content isn't."""


class Contents:
    """Bytes by blob, each read once; what the repository lacks is asked for once."""

    def __init__(self, read_blobs: ReadBlobs) -> None:
        self._read_blobs = read_blobs
        self._contents: dict[str, bytes] = {}
        self._lost: set[str] = set()

    def get(self, version: Version) -> bytes | None:
        """A version's bytes; None for a deletion, and for what the repository lacks."""
        if version.blob is None:
            return None
        if version.blob not in self._contents:
            self.fetch([version])
        return self._contents.get(version.blob)

    def is_lost(self, version: Version) -> bool:
        """Whether there is a file that the repository lacks the content of."""
        return version.blob is not None and self.get(version) is None

    def known_as_lost(self, versions: Iterable[Version]) -> list[Version]:
        """Those that were asked for and have no content here."""
        return [version for version in versions if version.blob in self._lost] if self._lost else []

    def required(self, path: str, version: Version) -> bytes:
        """The bytes of a version of a file; b"" for a deletion. Raises MalformedFile where the
        repository lacks them.
        """
        if self.is_lost(version):
            raise MalformedFile(path, 1, LOST)
        return self.get(version) or b""

    def fetch(self, versions: Iterable[Version]) -> None:
        """Read these versions at once, where they aren't known."""
        missing = {
            version.blob for version in versions if version.blob is not None
        } - self._contents.keys()
        self._contents |= self._read(missing - self._lost)

    def keep_only(self, versions: Iterable[Version | None]) -> None:
        """Read these versions at once, and forget the others."""
        wanted = {
            version.blob for version in versions if version is not None and version.blob is not None
        }
        known = {blob: self._contents[blob] for blob in wanted if blob in self._contents}
        self._contents = known | dict(self._read(wanted - known.keys() - self._lost))

    def _read(self, blobs: set[str]) -> Mapping[str, bytes]:
        """Their content, of those that the repository has."""
        contents = self._read_blobs(blobs) if blobs else {}
        self._lost |= blobs - contents.keys()
        return contents
