"""The public git repository that holds all state: pinned reads, history, and publishing by
fast-forward only.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from time import sleep

from resources.git_commands import GitCommands, RepositoryError
from resources.git_history import (
    NO_COMMIT,
    Change,
    Commit,
)
from resources.git_mirror import Mirror
from resources.git_signatures import Signatures, Signers
from resources.settings import git_address

_TRIES = 10
"""Of one publication: others may publish as often in between."""
_LOST_RACE = (
    "fetch first",
    "non-fast-forward",
    "cannot lock ref",
    "failed to lock",
    "failed to update ref",
)
"""Git's words, of either side, where the branch has moved or another push holds its lock."""


class PublishFailed(RepositoryError):
    """Nothing was published; the message says why."""


class Snapshot:
    """The repository's files and history at one pinned commit."""

    def __init__(self, mirror: "Mirror", commit: Commit, *, fetch: bool = True) -> None:
        self.commit = commit
        self._mirror = mirror
        self._fetch = fetch

    @cached_property
    def blobs(self) -> Mapping[str, str]:
        """Blob sha by path, of all files."""
        if self.commit == NO_COMMIT:
            return {}
        return self._mirror.tree(self.commit.sha)

    def listed(self, paths: Iterable[str], *, below: bool = False) -> Mapping[str, str]:
        """Blob sha by path, of those of the paths that are files; `below`: also of all files in
        those that are folders.
        """
        if self.commit == NO_COMMIT:
            return {}
        return self._mirror.listed(self.commit.sha, paths, below=below)

    def read(self, path: str) -> bytes | None:
        """A file's content, None where there is no such file; `read_many` is the way to read more
        than a few.
        """
        return self.read_many([path]).get(path)

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Content by path, in one batch; paths that are no files are left out."""
        wanted = self.listed(paths)
        contents = self.read_blobs(wanted.values())
        return {path: contents[blob] for path, blob in wanted.items()}

    def read_blob(self, blob: str) -> bytes:
        """Content by blob sha: any version of a file that the history shows."""
        return self.read_blobs([blob])[blob]

    def read_blobs(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Content by blob sha, in one batch; RepositoryError for one that the remote does not
        have, NotFetched for what the snapshot is not to fetch.
        """
        return self._mirror.read(set(blobs), fetch=self._fetch)

    def read_what_there_is(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """As `read_blobs`, without those that the remote does not have. A repository on this
        machine is read where it lies, so that nothing is copied.
        """
        return self._mirror.read_what_there_is(set(blobs))

    @property
    def commits(self) -> Sequence[Commit]:
        """All commits, each after its parents; what a merge brought in stands right before it."""
        return self._log[0]

    def recent(self, count: int) -> Sequence[Commit]:
        """The last commits, newest first, without what they changed."""
        return [] if self.commit == NO_COMMIT else self._mirror.recent(self.commit.sha, count)

    @property
    def history(self) -> Sequence[Change]:
        """All changes in the order of `commits`; a merge shows what it changed beyond what its
        parents brought.
        """
        return self._log[1]

    @cached_property
    def _log(self) -> tuple[list[Commit], list[Change]]:
        if self.commit == NO_COMMIT:
            return [], []
        return self._mirror.log(self.commit.sha) or ([], [])

    @property
    def source(self) -> object:
        """What the snapshots of one repository have in common."""
        return self._mirror

    def since(self, known: str) -> tuple[Sequence[Commit], Sequence[Change]] | None:
        """The commits, and changes, that came after the commit `known`; None where the history has
        to be read whole.

        That is so after a rewriting by force, and where a person's pull made the known commit the
        second parent of a merge: what it brought then stands elsewhere in `commits`.
        """
        return self._mirror.log(self.commit.sha, after=known)


class Repository:
    """One branch of a remote repository, through `mirror`, a bare repository of our own for that
    url alone.

    `url` is whatever git fetches from, a bundle file too; `token` is for https; `timeout`, in
    seconds, bounds each git command. Threads and processes may share a mirror. Infrastructure's
    failures are RepositoryErrors.

    `signatures` says how what is published is signed, and whose signature the head must bear: one
    that bears none of theirs is an UntrustedHead, neither read as the head nor published on.
    """

    def __init__(
        self,
        url: str,
        branch: str = "main",
        *,
        mirror: Path,
        token: str | None = None,
        timeout: float = 120,
        signatures: Signatures = Signatures(),  # noqa: B008 -- frozen
    ) -> None:
        git = GitCommands(mirror.resolve(), git_address(url), token, timeout)
        self._mirror = Mirror(mirror, f"refs/heads/{branch}", git, signatures)

    def refresh(self) -> str:
        """Bring the mirror up to date with the remote branch; the head's sha, NO_COMMIT's where
        there is none.
        """
        return self._mirror.refresh()

    def objections(self, signers: Signers) -> Mapping[str, str]:
        """Commit -> why none of these signers signed it, of those up to the last known head that
        none did.
        """
        return self._mirror.objections(signers)

    def mirrored(self, commit: str) -> Snapshot:
        """The repository at a commit that the mirror has. The remote is not asked for anything:
        what the mirror lacks is a NotFetched.
        """
        pinned = NO_COMMIT if commit == NO_COMMIT.sha else self._mirror.commit(commit)
        return Snapshot(self._mirror, pinned, fetch=False)

    def fetch_blobs(self, blobs: Iterable[str]) -> None:
        """Have in the mirror what a NotFetched names."""
        self._mirror.read(set(blobs))

    def last_known_head(self) -> str:
        """The remote branch's head as of the last refresh; NO_COMMIT's where there was none."""
        return self._mirror.head()

    def snapshot(self, commit: str | None = None) -> Snapshot:
        """The repository at `commit`, or at the mirror's last known head; what the mirror lacks is
        fetched.
        """
        if commit == NO_COMMIT.sha:
            return Snapshot(self._mirror, NO_COMMIT)
        sha = commit or self._mirror.head()
        try:
            known = self._mirror.commit(sha)
        except RepositoryError:
            head = self.refresh()
            if commit is None and head == NO_COMMIT.sha:
                return Snapshot(self._mirror, NO_COMMIT)
            known = self._mirror.commit(commit or head)
        return Snapshot(self._mirror, known)

    def branch_off(self, name: str) -> None:
        """Make the branch `name` on the remote, at the mirror's last known head. Raises
        RepositoryError where there is one already, or the remote refuses it.
        """
        self._mirror.branch_off(name)

    def publish(
        self,
        message: str,
        derive: Callable[[Snapshot], Mapping[str, bytes | None]],
        *,
        time: datetime | None = None,
    ) -> Commit:
        """Publish, as one commit on the remote's head, the files that `derive` gives for it; None
        deletes a file.

        Returns the commit once the remote has it, or the head's own when nothing changes. When
        somebody else published meanwhile, `derive` is called again, on the new head: let it depend
        on its snapshot alone. `time`, with its zone, dates the commit, to the second (None: by this
        machine's clock). Raises PublishFailed when nothing was published, ValueError for an
        improper path, and RepositoryError when the remote cannot be asked whether it took the
        commit.
        """
        refusal = ""
        for attempt in range(_TRIES):
            # Seconds; at random, so that two don't meet again.
            sleep(secrets.SystemRandom().uniform(0, min(0.05 * 2**attempt, 1)) if attempt else 0)
            self.refresh()
            base = self.snapshot()
            changes = _changes(base, derive(base))
            if not changes:
                return base.commit
            sha, refusal = self._mirror.push(
                base.commit, message, changes, time or datetime.now(UTC)
            )
            if not refusal:
                return self._mirror.commit(sha)
            try:
                head = self.refresh()
            except RepositoryError as error:
                raise RepositoryError(
                    f"whether {sha} was published is unknown: {refusal}; {error}"
                ) from error
            # Two who derive the same in the same second make the same commit: only one of them has
            # published it.
            if "rejected]" not in refusal and self._mirror.contains(head, sha):
                return self._mirror.commit(sha)
            if head == base.commit.sha and not any(sign in refusal for sign in _LOST_RACE):
                raise PublishFailed(refusal)
        raise PublishFailed(f"others published meanwhile, {_TRIES} times over: {refusal}")


def _changes(base: Snapshot, files: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Those of the files that differ from the repository's; ValueError for a path that git or we
    cannot have.
    """
    for path in files:
        parts = path.lower().split("/")
        if {"", ".", "..", ".git"} & set(parts) or "\0" in path or "\n" in path:
            raise ValueError(f"{path!r} is not a proper path in the repository")
    known = base.listed(files, below=True)
    changes = {path: data for path, data in files.items() if _blob_sha(data) != known.get(path)}
    written = {path for path, data in changes.items() if data is not None}
    folders = {str(folder) for path in written for folder in PurePosixPath(path).parents}
    after = (known.keys() | base.listed(folders - known.keys()).keys() | written) - {
        path for path, data in changes.items() if data is None
    }
    folders |= {str(folder) for path in after for folder in PurePosixPath(path).parents}
    if clash := sorted(folders & after):
        raise ValueError(f"{clash[0]!r} cannot be both a file and a folder")
    return changes


def _blob_sha(data: bytes | None) -> str | None:
    if data is None:
        return None
    # As git names a blob, so that nothing needs to be read to compare.
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
