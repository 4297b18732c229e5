"""Signatures of commits: signing with git's own, and checking a commit against named signers."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from resources.git_commands import RepositoryError

_IDENTITY = ("NAME", "EMAIL", "DATE")
_SIGNED = "G"
_SIGNED_BY_KEY_OF_UNKNOWN_TRUST = "U"
_MEANINGS = {
    "N": "it isn't signed",
    "B": "its signature doesn't match its content",
    "U": "it is signed by a key that isn't among them",
    "G": "it is signed by a key that isn't among them",
    "X": "its signature has expired",
    "Y": "its key has expired",
    "R": "its key is revoked",
    "E": "its signature can't be checked: the key is unknown here, or the checking program fails",
}
"""Git's `%G?` (git-log's documentation, "pretty formats"), in words."""


class UntrustedHead(RepositoryError):
    """The branch's head isn't one that a named signer signed, so nothing is done on top of it."""

    def __init__(self, sha: str, objection: str) -> None:
        super().__init__(
            f"commit {sha[:7]}, the branch's head, isn't trusted by the signers that the settings "
            f"name: {objection}; nothing is done until one of them commits on top of it"
        )


@dataclass(frozen=True)
class SigningKey:
    """The key that the platform signs its commits with.

    `key` is what git's `user.signingKey` takes: for "ssh" the path of a key, for "openpgp" the
    fingerprint of a secret key in GnuPG's keyring. It must work without a passphrase being typed.
    """

    key: str
    format: Literal["ssh", "openpgp"] = "ssh"

    @property
    def options(self) -> tuple[str, ...]:
        """The options of a git command that signs."""
        return ("-c", f"gpg.format={self.format}", "-c", f"user.signingKey={self.key}")


@dataclass(frozen=True)
class Signers:
    """Whose signature on the head is trusted.

    `ssh_keys` is a file in the format of ssh-keygen's ALLOWED SIGNERS; `openpgp` are the
    fingerprints of keys in GnuPG's keyring, 40 hexadecimal digits each, in capitals.
    """

    ssh_keys: Path | None = None
    openpgp: frozenset[str] = frozenset()

    def objections(
        self, git: Callable[..., bytes], head: str, directory: Path | None, *options: str
    ) -> dict[str, str]:
        """Commit -> why it isn't signed by one of them, of those up to `head` that aren't.
        `options` are those of git log.
        """
        log = git(
            *("-c", f"gpg.ssh.allowedSignersFile={self.ssh_keys or os.devnull}"),
            *("log", *options, "--format=%H%x00%G?%x00%GF%x00%GP", "--end-of-options", head),
            directory=directory,
        )
        lines = (line.split("\0") for line in log.decode(errors="replace").split("\n") if line)
        reasons = {sha: self._reason(*fields) for sha, *fields in lines}
        return {sha: reason for sha, reason in reasons.items() if reason}

    def objection(self, git: Callable[..., bytes], sha: str, directory: Path | None) -> str:
        """Why the commit isn't signed by one of them, empty where it is.

        A signature vouches for the commit's files and for all that came before it, so the head
        alone is checked: an unsigned commit below it was accepted by who signed on top.
        """
        return next(iter(self.objections(git, sha, directory, "-1").values()), "")

    def _reason(self, status: str, key: str, primary_key: str) -> str:
        by_ssh = status == _SIGNED and key.startswith("SHA256:") and self.ssh_keys is not None
        # The fingerprint names the key, whatever GnuPG's web of trust thinks of its owner.
        good = status in {_SIGNED, _SIGNED_BY_KEY_OF_UNKNOWN_TRUST}
        by_openpgp = good and bool({key, primary_key} & self.openpgp)
        return "" if by_ssh or by_openpgp else _MEANINGS.get(status, f"git says {status}")


@dataclass(frozen=True)
class Signatures:
    """How commits are signed, whose signature is asked for, and what gives the name of the
    installation that makes them, which the committer's name ends with; None: nothing of it.
    """

    signing_key: SigningKey | None = None
    signers: Signers | None = None
    installation: Callable[[], str] | None = None


def signed_commit(
    git: Callable[..., bytes], key: SigningKey, sha: str, directory: Path, lock: int
) -> str:
    """The sha of a signed copy of the commit `sha`, made in the repository at `directory`."""
    fields = ("%T", "%P", "%an", "%ae", "%at +0000", "%cn", "%ce", "%ct +0000", "%B")
    log = git("log", "-1", f"--format={'%x00'.join(fields)}", sha, directory=directory)
    tree, parents, *identity, message = log.decode("utf-8", "surrogateescape").split("\0")
    names = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in _IDENTITY]
    environment = {**dict(zip(names, identity, strict=True)), "SSH_ASKPASS_REQUIRE": "never"}
    signed = git(
        *key.options,
        *("commit-tree", "-S", tree),
        *(option for parent in parents.split() for option in ("-p", parent)),
        data=message.rstrip("\n").encode("utf-8", "surrogateescape") + b"\n",
        directory=directory,
        environment=environment,
        lock=lock,
    )
    # In a pack like the rest of what is pushed, which the mirror then takes over.
    git(
        *("pack-objects", "--quiet", str(directory / "objects/pack/pack")),
        data=signed,
        directory=directory,
        lock=lock,
    )
    return signed.decode().strip()
