"""The mirror of the competition's repository on this machine: a bare git repository without blobs
that nobody has asked for.
"""

import logging
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from resources.disk import disk_faults
from resources.file_lock import try_lock
from resources.git_commands import REMOTE, GitCommands, RepositoryError
from resources.git_history import (
    NO_COMMIT,
    Commit,
)
from resources.git_mending import SPOILT, remove_left_over, set_aside_spoilt
from resources.git_objects import GitObjects, lines
from resources.git_signatures import Signatures, Signers, UntrustedHead, signed_commit
from resources.settings import setting

_LOG = logging.getLogger(__name__)

_FETCH = (
    # Blobs stay on the server until wanted; one that cannot do that sends them all. Only fetches
    # are told so: a reading command that does not know of it cannot start to fetch blob by blob.
    *(
        "-c",
        f"remote.{REMOTE}.promisor=true",
        "-c",
        f"remote.{REMOTE}.partialCloneFilter=blob:none",
    ),
    # A gc in the background would outlast the lock. Each fetch may make a pack: git's limit is 50.
    *("-c", "gc.autoDetach=false", "-c", "gc.autoPackLimit=200"),
    *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"),
)
# As a pack however small it is, since packs are what `_adopt` takes over; without deltas, which
# only save space.
_BUILD = ("-c", "fastimport.unpackLimit=0", "fast-import", "--quiet", "--depth=0")
_PUSH = ("push", "--porcelain", "--no-signed", "--no-follow-tags", "--recurse-submodules=no")


_NOT_THERE = re.compile(r"not our ref ([0-9a-f]{40})")
"""What a remote says that is asked for an object it lacks."""
_TRUSTED = "refs/trusted/head"
"""The last head that a named signer had signed."""


class NotFetched(RepositoryError):
    """The mirror lacks these blobs, and may not ask the remote for them."""

    def __init__(self, blobs: Collection[str]) -> None:
        super().__init__(f"read blobs: {len(blobs)} are not in the mirror yet")
        self.blobs = blobs


class Mirror(GitObjects):
    """The bare repository at `path` that follows one branch, `ref`, of the repository at `url`.

    What is pushed is signed with the key of `signatures`; a head that none of its signers signed is
    an UntrustedHead. A lock is waited for no longer than a git command.
    """

    def __init__(self, path: Path, ref: str, git: GitCommands, signatures: Signatures) -> None:
        self._path = path.resolve()
        self._ref = ref
        self._timeout = git.timeout
        self._signing_key = signatures.signing_key
        self._signers = signatures.signers
        self._installation = signatures.installation
        self._trusted_head = NO_COMMIT.sha
        self._neighbour = git.objects_beside
        super().__init__(git.run)

    def refresh(self) -> str:
        """Fetch the branch; its head's sha, NO_COMMIT's where there is none."""
        with self._lock("refresh"):
            try:
                self._fetch()
            except RepositoryError:
                if not self._mend():
                    raise
                self._fetch()
        return self.head()

    def _fetch(self) -> None:
        try:
            self.git(*_FETCH, REMOTE, f"+{self._ref}:{self._ref}", network=True)
        except RepositoryError as error:
            if "couldn't find remote ref" not in str(error):
                raise
            self.git("update-ref", "-d", self._ref)

    def _mend(self) -> bool:
        """Set aside what a full disk or a power cut has spoilt, and begin anew what that was; all
        of it is the remote's. Whether there was anything.
        """
        with disk_faults(f"{self._path} can't be mended"):
            spoilt = set_aside_spoilt(self._path)
        if spoilt:
            _LOG.warning(
                "%s: %s can't be read: set aside as *%s, and made again from the remote",
                *(self._path, ", ".join(spoilt), SPOILT),
            )
            self.git("init", "--quiet", "--bare", "--template=")
        return bool(spoilt)

    def head(self) -> str:
        """The branch's head as it was last fetched. Raises UntrustedHead."""
        try:
            head = self.git("rev-parse", "--verify", "--quiet", self._ref).decode().strip()
        except RepositoryError:
            return NO_COMMIT.sha
        if self._signers and head != self._trusted_head:
            self._check(self._signers, head)
            self._trusted_head = head
        return head

    def objections(self, signers: Signers) -> Mapping[str, str]:
        """Commit -> why none of these signed it, of those up to the head that none did."""
        return signers.objections(self.git, self.head(), self._path)

    def _check(self, signers: Signers, head: str) -> None:
        """Raise UntrustedHead unless a signer signed the head and it came after the one before."""
        if objection := signers.objection(self.git, head, self._path):
            raise UntrustedHead(head, objection)
        try:
            before = self.git("rev-parse", "--verify", "--quiet", _TRUSTED).decode().strip()
        except RepositoryError:
            before = ""
        if before and not self.contains(head, before):
            raise UntrustedHead(
                head,
                f"it doesn't follow {before[:7]}, the head before, so somebody has set the branch "
                f"back by force (if that was right, remove {self._path})",
            )
        with self._lock("refresh"):
            self.git("update-ref", _TRUSTED, head)

    def read(self, blobs: Collection[str], *, fetch: bool = True) -> dict[str, bytes]:
        """Content by blob sha. What the mirror lacks is fetched, all in one go, or without `fetch`
        is a NotFetched.
        """
        contents = self.contents(blobs)
        missing = [blob for blob in blobs if blob not in contents]
        if missing and not fetch:
            raise NotFetched(missing)
        if missing:
            with self._lock("refresh"):
                wanted = (*_FETCH, "--no-auto-maintenance", "--stdin", REMOTE)
                # What we have doesn't matter for blobs by name.
                all_at_once = ("-c", "fetch.negotiationAlgorithm=noop")
                self.git(*all_at_once, *wanted, data=lines(missing), network=True)
            contents |= self.contents(missing)
        if len(contents) < len(blobs):
            raise RepositoryError("read blobs: the remote does not have them all")
        return contents

    def read_what_there_is(self, blobs: Collection[str]) -> dict[str, bytes]:
        """As `read`, without those that the remote does not have either. A remote on this machine
        is read where it lies.
        """
        if self._neighbour is not None:
            beside = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self._neighbour)}
            return self.contents(blobs, beside)
        contents = self.contents(blobs)
        missing = {blob for blob in blobs if blob not in contents}
        while missing:
            try:
                return contents | self.read(missing)
            except RepositoryError as error:
                lacks = _NOT_THERE.search(str(error))
                if lacks is None or lacks[1] not in missing:
                    raise
                missing.discard(lacks[1])
        return contents

    def push(
        self, base: Commit, message: str, changes: Mapping[str, bytes | None], time: datetime
    ) -> tuple[str, str]:
        """Build a commit and push it, by fast-forward; its sha, and why it seems not to have been
        accepted.

        This is done in a throwaway repository that borrows the mirror's objects, so that nothing
        can be left over.
        """
        with self._lock("publish") as lock:
            for left in self._path.glob("outgoing-*"):  # by a killed process
                shutil.rmtree(left, ignore_errors=True)
            with TemporaryDirectory(
                prefix="outgoing-", dir=self._path, ignore_cleanup_errors=True
            ) as name:
                outgoing = Path(name)
                self.git("init", "--quiet", "--bare", "--template=", directory=outgoing)
                (outgoing / "objects/info/alternates").write_text("../../objects\n")
                whose = self._installation() if self._installation else ""
                stream = b"".join(_import_stream(self._ref, base, message, changes, time, whose))
                sha = self.git(*_BUILD, data=stream, directory=outgoing, lock=lock).decode().strip()
                if self._signing_key:
                    sha = signed_commit(self.git, self._signing_key, sha, outgoing, lock)
                if self._signers and (why := self._signers.objection(self.git, sha, outgoing)):
                    raise RepositoryError(
                        "nothing is published: this platform's own commits wouldn't be trusted by "
                        f"the signers that its settings name ({why})"
                    )
                try:
                    target = f"{sha}:{self._ref}"
                    answer = self.git(*_PUSH, REMOTE, target, directory=outgoing, network=True)
                except RepositoryError as error:
                    return sha, str(error)
                # `=` in porcelain: the remote's branch stood at this commit already.
                if b"\n=" in answer:
                    return sha, "[rejected] (fetch first): the very same commit, of somebody else"
                with self._lock("refresh"):
                    self._adopt(outgoing / "objects/pack", sha)
                return sha, ""

    def branch_off(self, name: str) -> None:
        """Have the remote begin a branch at the mirror's head. RepositoryError if it is there."""
        ref = f"refs/heads/{name}"
        new = f"--force-with-lease={ref}:"  # refused where it stands at another commit
        answer = self.git("push", "--porcelain", new, REMOTE, f"{self.head()}:{ref}", network=True)
        if b"\n=" in answer:
            raise RepositoryError(f"the branch {name} is there already; choose another name")

    def _adopt(self, packs: Path, head: str) -> None:
        """Take over what the remote has just accepted, so that it need not be fetched."""
        for pack in packs.glob("*.pack"):
            pack.with_suffix(".promisor").touch()  # as git marks what the remote is known to have
            for suffix in (".promisor", ".pack", ".idx"):  # with its index, git sees the pack
                part = pack.with_suffix(suffix)
                part.replace(self._path / "objects/pack" / part.name)
        self.git("update-ref", self._ref, head)
        if self._signers:
            self.git("update-ref", _TRUSTED, head)
            self._trusted_head = head

    @contextmanager
    def _lock(self, name: str) -> Iterator[int]:
        """Exclude threads and processes from "publish", or from "refresh": writing anything into
        the mirror.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        with (self._path / f"{name}.flock").open("w") as handle:
            if not try_lock(handle, self._timeout):
                raise RepositoryError(
                    f"{name}: others have been at it in {self._path} for {self._timeout:g} s"
                )
            if name == "refresh":
                remove_left_over(self._path)
                if not (self._path / "objects/info").is_dir():  # the last thing that init creates
                    self.git("init", "--quiet", "--bare", "--template=")
            yield handle.fileno()


def _import_stream(
    ref: str,
    base: Commit,
    message: str,
    changes: Mapping[str, bytes | None],
    time: datetime,
    installation: str,
) -> Iterator[bytes]:
    """What git fast-import reads to make one commit on `base` and print its sha."""
    name = setting(os.environ, "GIT_AUTHOR_NAME") or "404-gen"
    email = setting(os.environ, "GIT_AUTHOR_EMAIL") or "platform@404-gen.invalid"
    text = message.strip().encode() + b"\n"
    when = f"<{email}> {int(time.timestamp())} +0000"
    committer = f"{name} ({installation})" if installation else name
    yield f"feature done\ncommit {ref}\nmark :1\n".encode()
    yield f"author {name} {when}\ncommitter {committer} {when}\ndata {len(text)}\n".encode() + text
    if base != NO_COMMIT:
        yield f"from {base.sha}\n".encode()
    for path, data in sorted(
        changes.items(), key=lambda change: change[1] is not None
    ):  # deletions first
        quoted = path.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "surrogateescape")
        if data is None:
            yield b'D "%s"\n' % quoted
        else:
            yield b'M 100644 inline "%s"\ndata %d\n%s\n' % (quoted, len(data), data)
    yield b"get-mark :1\ndone\n"
