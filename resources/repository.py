"""The public git repository that holds all state: pinned reads, history, and publishing by
fast-forward only.
"""

import base64
import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from urllib.parse import urlsplit

from git.cmd import Git

from gen404_assets.competition.faults import InfrastructureFault
from resources.git_history import (
    LOG,
    LOG_CHANGES,
    NO_COMMIT,
    Change,
    Commit,
    decode_path,
    in_line,
    parse_log,
)

__all__ = [
    "NO_COMMIT",
    "Change",
    "Commit",
    "PublishFailed",
    "Repository",
    "RepositoryError",
    "Snapshot",
]

_TRIES = 10
_REMOTE = "gen404"
_LOST_RACE = (
    "fetch first",
    "non-fast-forward",
    "cannot lock ref",
    "failed to lock",
    "failed to update ref",
)
_FETCH = (
    # Blobs stay on the server until wanted; one that cannot do that sends them all. Only fetches
    # are told so: a reading command that does not know of it cannot start to fetch blob by blob.
    *(
        "-c",
        f"remote.{_REMOTE}.promisor=true",
        "-c",
        f"remote.{_REMOTE}.partialCloneFilter=blob:none",
    ),
    *("-c", "gc.autoDetach=false", "-c", "gc.autoPackLimit=200"),
    *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"),
)
_BUILD = ("-c", "fastimport.unpackLimit=0", "fast-import", "--quiet", "--depth=0")
_PUSH = ("push", "--porcelain", "--no-signed", "--no-follow-tags", "--recurse-submodules=no")


class RepositoryError(InfrastructureFault):
    """Git or the remote failed; the message names the action and never a token."""


class PublishFailed(RepositoryError):
    """Nothing was published; the message says why."""


class Snapshot:
    """The repository's files and history at one pinned commit."""

    def __init__(self, mirror: "_Mirror", commit: Commit) -> None:
        self.commit = commit
        self._mirror = mirror

    @cached_property
    def blobs(self) -> Mapping[str, str]:
        """Blob sha by path, of all files."""
        if self.commit == NO_COMMIT:
            return {}
        return self._mirror.tree(self.commit.sha)

    def read(self, path: str) -> bytes | None:
        """A file's content, None where there is no such file; `read_many` is the way to read more
        than a few.
        """
        return self.read_many([path]).get(path)

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Content by path, in one batch; paths that are no files are left out."""
        wanted = {path: self.blobs[path] for path in paths if path in self.blobs}
        contents = self._mirror.read(set(wanted.values()))
        return {path: contents[blob] for path, blob in wanted.items()}

    def read_blob(self, blob: str) -> bytes:
        """Content by blob sha: any version of a file that the history shows."""
        return self.read_blobs([blob])[blob]

    def read_blobs(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Content by blob sha, in one batch; RepositoryError for one that the remote does not
        have.
        """
        return self._mirror.read(set(blobs))

    @property
    def commits(self) -> Sequence[Commit]:
        """All commits, each after its parents; what a merge brought in stands right before it."""
        return self._log[0]

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
        commits, changes = parse_log(self._mirror.git(*LOG_CHANGES, self.commit.sha))
        return in_line(self.commit.sha, commits, changes, self._mirror.tree)


class Repository:
    """One branch of a remote repository, through `mirror`, a bare repository of our own for that
    url alone.

    `url` is whatever git fetches from, a bundle file too; `token` is for https; `timeout`, in
    seconds, bounds each git command. Threads and processes may share a mirror. Infrastructure's
    failures are RepositoryErrors.
    """

    def __init__(
        self,
        url: str,
        branch: str = "main",
        *,
        mirror: Path,
        token: str | None = None,
        timeout: float = 300,
    ) -> None:
        if "://" in url and urlsplit(url).password:
            raise ValueError("the repository's url holds a password: it belongs in the token")
        self._mirror = _Mirror(url, f"refs/heads/{branch}", mirror, token, timeout)

    def refresh(self) -> str:
        """Bring the mirror up to date with the remote branch; the head's sha, NO_COMMIT's where
        there is none.
        """
        return self._mirror.refresh()

    def snapshot(self, commit: str | None = None) -> Snapshot:
        """The repository at `commit`, or at the mirror's last known head; what the mirror lacks is
        fetched.
        """
        if commit == NO_COMMIT.sha:
            return Snapshot(self._mirror, NO_COMMIT)
        sha = commit or self._mirror.head()
        try:
            found = self._mirror.commit(sha)
        except RepositoryError:
            head = self.refresh()
            if commit is None and head == NO_COMMIT.sha:
                return Snapshot(self._mirror, NO_COMMIT)
            found = self._mirror.commit(commit or head)
        return Snapshot(self._mirror, found)

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
            sleep(secrets.SystemRandom().uniform(0, min(0.05 * 2**attempt, 1)) if attempt else 0)
            self.refresh()
            base = self.snapshot()
            changes = _changes(base.blobs, derive(base))
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


class _Mirror:
    """The bare repository on this machine, and the git commands that run in it."""

    def __init__(self, url: str, ref: str, path: Path, token: str | None, timeout: float) -> None:
        self._path = path.resolve()
        self._ref = ref
        self._token = token
        self._timeout = timeout
        self._shown_url = _without_credentials(url)
        self._config = {f"remote.{_REMOTE}.url": url, "protocol.version": "2"}
        if "://" not in url and Path(url).exists():
            # These run in the other repository, which git lets nobody but its owner use unless told
            # otherwise.
            other = "git -c safe.directory='*' -c uploadpack.allowFilter=true"
            self._config |= {
                f"remote.{_REMOTE}.url": str(Path(url).resolve()),
                f"remote.{_REMOTE}.uploadPack": f"{other} upload-pack",
                f"remote.{_REMOTE}.receivePack": f"{other} receive-pack",
            }
        self._secret = (
            base64.b64encode(f"x-access-token:{token}".encode()).decode() if token else ""
        )
        if token and url.startswith("https://"):
            header = f"http.https://{urlsplit(url).netloc}/.extraHeader"
            self._config[header] = f"Authorization: Basic {self._secret}"

    def refresh(self) -> str:
        with self._lock("refresh"):
            try:
                self.git(*_FETCH, _REMOTE, f"+{self._ref}:{self._ref}", network=True)
            except RepositoryError as error:
                if "couldn't find remote ref" not in str(error):
                    raise
                self.git("update-ref", "-d", self._ref)
            return self.head()

    def head(self) -> str:
        try:
            return self.git("rev-parse", "--verify", "--quiet", self._ref).decode().strip()
        except RepositoryError:
            return NO_COMMIT.sha

    def commit(self, sha: str) -> Commit:
        return parse_log(self.git(*LOG, "-1", "--end-of-options", f"{sha}^{{commit}}"))[0][0]

    def tree(self, sha: str) -> dict[str, str]:
        """Blob sha by path, of all files at a commit."""
        listing = decode_path(self.git("ls-tree", "-r", "-z", "--full-tree", sha))
        entries = (entry.partition("\t") for entry in listing.split("\0")[:-1])
        return {path: meta[12:] for meta, _, path in entries if meta[7:11] == "blob"}

    def contains(self, head: str, sha: str) -> bool:
        try:
            self.git("merge-base", "--is-ancestor", sha, head)
        except (
            RepositoryError
        ):  # also when the mirror lacks the commit, which it would have if the branch had it
            return False
        return True

    def read(self, blobs: Collection[str]) -> dict[str, bytes]:
        """Content by blob sha. What the mirror lacks is fetched, all in one go."""
        found = self._cat(blobs)
        missing = [blob for blob in blobs if blob not in found]
        if missing:
            with self._lock("refresh"):
                wanted = ("--no-auto-maintenance", "--stdin", _REMOTE)
                self.git(
                    "-c",
                    "fetch.negotiationAlgorithm=noop",
                    *_FETCH,
                    *wanted,
                    data=_lines(missing),
                    network=True,
                )
            found |= self._cat(missing)
        if len(found) < len(blobs):
            raise RepositoryError("read blobs: the remote does not have them all")
        return found

    def _cat(self, blobs: Collection[str]) -> dict[str, bytes]:
        output = self.git("cat-file", "--batch", "--buffer", data=_lines(blobs)) if blobs else b""
        found: dict[str, bytes] = {}
        position = 0
        for blob in blobs:
            start = output.index(b"\n", position) + 1
            header = output[position:start].split()
            position = start
            if len(header) == 3:  # else "... missing"
                position += int(header[2]) + 1
                found[blob] = output[start : position - 1]
        return found

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
                stream = b"".join(_import_stream(self._ref, base, message, changes, time))
                sha = self.git(*_BUILD, data=stream, directory=outgoing, lock=lock).decode().strip()
                try:
                    target = f"{self._ref}:{self._ref}"
                    answer = self.git(*_PUSH, _REMOTE, target, directory=outgoing, network=True)
                except RepositoryError as error:
                    return sha, str(error)
                if b"\n=" in answer:
                    return sha, "[rejected] (fetch first): the very same commit, of somebody else"
                with self._lock("refresh"):
                    self._adopt(outgoing / "objects/pack", sha)
                return sha, ""

    def _adopt(self, packs: Path, head: str) -> None:
        """Take over what the remote has just accepted, so that it need not be fetched."""
        for pack in packs.glob("*.pack"):
            pack.with_suffix(".promisor").touch()  # as git marks what the remote is known to have
            for suffix in (".promisor", ".pack", ".idx"):  # with its index, git sees the pack
                part = pack.with_suffix(suffix)
                part.replace(self._path / "objects/pack" / part.name)
        self.git("update-ref", self._ref, head)

    @contextmanager
    def _lock(self, name: str) -> Iterator[int]:
        """Exclude threads and processes from "publish", or from "refresh": writing anything into
        the mirror.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        with (self._path / f"{name}.flock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if name == "refresh":
                self._sweep()
            yield handle.fileno()

    def _sweep(self) -> None:
        """Remove what a killed git left, for nobody alive owns it now, and see that the mirror
        exists.
        """
        packs = self._path / "objects/pack"
        complete = {index.stem for index in packs.glob("pack-*.idx")}
        left = [
            part for part in packs.glob("*") if part.stem not in complete or part.suffix == ".keep"
        ]
        for pattern in ("*.lock", "refs/**/*.lock", "objects/info/**/*.lock"):
            left += self._path.glob(pattern)
        for file in left:
            file.unlink(missing_ok=True)
        if not (self._path / "objects/info").is_dir():  # the last thing that init creates
            self.git("init", "--quiet", "--bare", "--template=")

    def git(
        self,
        *arguments: str,
        data: bytes = b"",
        directory: Path | None = None,
        network: bool = False,
        lock: int = -1,
    ) -> bytes:
        """Run a command; its output. One given a lock holds it until it ends, even if we are
        killed.

        None that uses the network is: a credential helper that it starts would stay, and the lock
        with it.
        """
        process = Git(self._path).execute(
            ["git", *arguments],
            istream=subprocess.PIPE,
            as_process=True,
            env=self._environment(directory or self._path, network),
            start_new_session=True,  # of its own, to be ended with all its helpers
            pass_fds=() if lock < 0 else (lock,),
        )
        action = "git " + next(word for word in arguments if word != "-c" and "=" not in word)
        try:
            output, errors = process.communicate(data, timeout=self._timeout)
        except subprocess.TimeoutExpired:
            where = f" of {self._shown_url}" if network else ""
            raise RepositoryError(f"{action}{where}: no end after {self._timeout:g} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        if process.returncode:
            reason = _complaint((errors + output[:1000]).decode(errors="replace"))
            for secret in filter(None, (self._token, self._secret)):
                reason = reason.replace(secret, "***")
            where = f" of {self._shown_url}" if network else ""
            raise RepositoryError(
                f"{action}{where}: {reason or f'exit status {process.returncode}'}"
            )
        return bytes(output)

    def _environment(self, directory: Path, network: bool) -> dict[str, str]:
        config = {"safe.directory": "*", "core.hooksPath": os.devnull}
        if network:
            config |= self._config
            environment = {
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_ASKPASS": os.environ.get("GIT_ASKPASS", ""),
                "SSH_ASKPASS_REQUIRE": "never",
            }
        else:  # whatever git's settings on this machine are, reading does not depend on them
            environment = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
        for number, (key, value) in enumerate(config.items(), first):
            environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return {
            **environment,
            "GIT_DIR": str(directory),
            "GIT_CONFIG_COUNT": str(first + len(config)),
        }


def _changes(
    blobs: Mapping[str, str], files: Mapping[str, bytes | None]
) -> dict[str, bytes | None]:
    """Those of the files that differ from the repository's; ValueError for a path that git or we
    cannot have.
    """
    for path in files:
        parts = path.lower().split("/")
        if {"", ".", "..", ".git"} & set(parts) or "\0" in path or "\n" in path:
            raise ValueError(f"{path!r} is not a proper path in the repository")
    changes = {path: data for path, data in files.items() if _blob_sha(data) != blobs.get(path)}
    after = (blobs.keys() | changes.keys()) - {
        path for path, data in changes.items() if data is None
    }
    folders: set[str] = set()
    for path in after if changes else ():
        folder = path
        while (folder := folder.rpartition("/")[0]) and folder not in folders:
            folders.add(folder)
    if clash := sorted(folders & after):
        raise ValueError(f"{clash[0]!r} cannot be both a file and a folder")
    return changes


def _complaint(output: str) -> str:
    """What git complains of, in one line without its advice.

    `!` begins the line in which `push --porcelain` says why a ref was not taken.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    marks = ("fatal: ", "error: ", "remote: ", "!")
    complaints = [line for line in lines if line.startswith(marks)] or lines[:1]
    return "; ".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in complaints)


def _without_credentials(url: str) -> str:
    """A git URL as it may be shown."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


def _blob_sha(data: bytes | None) -> str | None:
    if data is None:
        return None
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def _import_stream(
    ref: str, base: Commit, message: str, changes: Mapping[str, bytes | None], time: datetime
) -> Iterator[bytes]:
    """What git fast-import reads to make one commit on `base` and print its sha."""
    name = os.environ.get("GIT_AUTHOR_NAME") or "404-gen"
    email = os.environ.get("GIT_AUTHOR_EMAIL") or "platform@404-gen.invalid"
    text = message.strip().encode() + b"\n"
    yield f"feature done\ncommit {ref}\nmark :1\n".encode()
    yield (
        f"committer {name} <{email}> {int(time.timestamp())} +0000\ndata {len(text)}\n".encode()
        + text
    )
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
