"""The competition's repository as the platform opens it: by the operator's settings, with a mirror
of its own.
"""

import hashlib
import os
import subprocess
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from weakref import WeakKeyDictionary

from gen404_assets.competition.history import History
from gen404_assets.settings import RepositorySettings, fingerprints, home
from resources.git_signatures import Signatures, Signers, SigningKey
from resources.repository import Repository, Snapshot
from resources.settings import git_address, read_settings


def open_repository(
    url: str,
    branch: str,
    environment: Mapping[str, str] = os.environ,
    installation: Callable[[], str] | None = None,
) -> Repository:
    """The repository at a git URL, path or bundle file, with the token that `environment` holds.
    Nothing is read yet. `installation` gives the digits that its commits bear. Raises BadSetting.
    """
    local = Path(git_address(url)).expanduser()
    address = str(local.absolute()) if local.exists() else url
    name = hashlib.sha256(f"{address} {branch}".encode()).hexdigest()[:16]
    settings = read_settings(RepositorySettings, environment)
    token = settings.github_token.get_secret_value() if settings.github_token else None
    # Another repository, such as a bundle that is replayed, has signers of its own.
    ours = url == settings.competition_repo
    signatures = _signatures(settings, installation) if ours else Signatures()
    mirror = home() / "mirrors" / name
    return Repository(address, branch, mirror=mirror, token=token, signatures=signatures)


def _signatures(settings: RepositorySettings, installation: Callable[[], str] | None) -> Signatures:
    key, keys = settings.commit_signing_key, settings.commit_signers_file
    openpgp = fingerprints(settings.commit_signers_openpgp or "")
    return Signatures(
        SigningKey(key, settings.commit_signing_format) if key else None,
        Signers(keys.absolute() if keys else None, openpgp) if keys or openpgp else None,
        installation,
    )


@lru_cache(maxsize=2)
def history_at(repository: Repository, commit: str) -> History:
    """The history up to a commit that the mirror has."""
    return history_of(repository.snapshot(commit))


@lru_cache(maxsize=2)
def mirrored_history(repository: Repository, commit: str) -> History:
    """The same, of the mirror as it stands: what it lacks is a NotFetched when it is read."""
    return history_of(repository.mirrored(commit))


def history_of(snapshot: Snapshot) -> History:
    """The history up to a snapshot's commit.

    Where it follows the one that was read last of this repository, only what came since is read.
    """
    known = _READ_LAST.get(snapshot.source)
    since = snapshot.since(known.commits[-1].sha) if known is not None and known.commits else None
    if known is not None and since is not None:
        history = known.following(*since, snapshot.read_blobs)
    else:
        history = History(snapshot.commits, snapshot.history, snapshot.read_blobs)
    _READ_LAST[snapshot.source] = history
    return history


def history_in_part(snapshot: Snapshot) -> History:
    """The history up to a snapshot's commit, of a repository that may lack the content of files."""
    return History(snapshot.commits, snapshot.history, snapshot.read_what_there_is)


_READ_LAST: "WeakKeyDictionary[object, History]" = WeakKeyDictionary()


def forget_histories() -> None:
    """Forget what this process has read, so that the next history is read whole."""
    _READ_LAST.clear()
    history_at.cache_clear()
    mirrored_history.cache_clear()


def newest_history(url: str, branch: str) -> History:
    """The history of a branch up to its head as it is now. Reading a file whose content the
    repository lacks, as a partial clone does, is a MalformedFile.
    """
    repository = open_repository(url, branch)
    return history_in_part(repository.snapshot(repository.refresh()))


def create_repository(path: Path) -> None:
    """An empty bare repository at `path`; one that is there is left as it is."""
    if not path.exists():
        init = ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)]
        subprocess.run(init, check=True)  # noqa: S603
