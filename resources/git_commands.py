"""Git's commands in a bare repository: environment, deadline, and what they complain of."""

import base64
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.plain_text import keep_secret, quoted
from resources.settings import setting

REMOTE = "gen404"
"""The name by which the commands know the repository that is mirrored."""

_NOT_ADMITTED = ("could not read Username", "Authentication failed", "returned error: 403")
"""Git's words where the remote answers 401 (with and without a user's name) or 403."""


class RepositoryError(InfrastructureFault):
    """Git or the remote failed; the message names the action and never a token."""


class GitCommands:
    """The commands of one bare repository at `path`, whose remote is `url`.

    `token` is for a remote behind https; it enters no command line and no error. Each command ends
    within `timeout` seconds.
    """

    def __init__(self, path: Path, url: str, token: str | None, timeout: float) -> None:
        self._path, self._url = path, url
        self._token = token
        keep_secret(token or "")
        self.timeout = timeout
        self._shown_url = _without_credentials(url)
        self._config = {f"remote.{REMOTE}.url": url, "protocol.version": "2"}
        if "://" not in url and Path(url).exists():
            # These run in the other repository, which git lets nobody but its owner use unless told
            # otherwise.
            other = "git -c safe.directory='*' -c uploadpack.allowFilter=true"
            self._config |= {
                f"remote.{REMOTE}.url": str(Path(url).resolve()),
                f"remote.{REMOTE}.uploadPack": f"{other} upload-pack",
                f"remote.{REMOTE}.receivePack": f"{other} receive-pack",
            }
        self._secret = (
            base64.b64encode(f"x-access-token:{token}".encode()).decode() if token else ""
        )
        if token and url.startswith("https://"):
            header = f"http.https://{urlsplit(url).netloc}/.extraHeader"
            self._config[header] = f"Authorization: Basic {self._secret}"

    @property
    def objects_beside(self) -> Path | None:
        """The folder of the remote's objects, where the remote is a repository on this machine."""
        if "://" in self._url or ":" in str(Path(self._url).absolute()):
            return None
        folders = (Path(self._url) / ".git" / "objects", Path(self._url) / "objects")
        return next((folder.absolute() for folder in folders if folder.is_dir()), None)

    def run(
        self,
        *arguments: str,
        data: bytes = b"",
        directory: Path | None = None,
        network: bool = False,
        environment: Mapping[str, str] | None = None,
        lock: int = -1,
    ) -> bytes:
        """Run a command; its output. One given a lock holds it until it ends, even if we are
        killed.

        None that uses the network is: a credential helper that it starts would stay, and the lock
        with it.
        """
        process = subprocess.Popen(  # noqa: S603 -- no shell, and no user's words as options
            ["git", *arguments],  # noqa: S607
            cwd=self._path if self._path.is_dir() else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "LANGUAGE": "C",  # what git says is looked for
                "LC_ALL": "C",
                "GIT_FLUSH": "0",  # a log commit by commit would be read commit by commit
                **self._environment(directory or self._path, network),
                **(environment or {}),
            },
            start_new_session=True,  # of its own, to be ended with all its helpers
            pass_fds=() if lock < 0 else (lock,),
        )
        action = "git " + next(word for word in arguments if word != "-c" and "=" not in word)
        try:
            output, errors = process.communicate(data, timeout=self.timeout)
        except subprocess.TimeoutExpired:
            where = f" of {self._shown_url}" if network else ""
            raise RepositoryError(f"{action}{where}: no end after {self.timeout:g} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        if process.returncode:
            answer = quoted(output.decode(errors="replace"), 1000)
            reason = _complaint(errors.decode(errors="replace") + answer)
            where = f" of {self._shown_url}" if network else ""
            raise RepositoryError(
                f"{action}{where}: {reason or f'exit status {process.returncode}'}"
                f"{self._what_to_do(reason) if network else ''}"
            )
        return bytes(output)

    def _what_to_do(self, reason: str) -> str:
        """What an operator does about a remote that admits nobody, after git's own words."""
        if not any(words in reason for words in _NOT_ADMITTED):
            return ""
        if self._token:
            return "; the remote refuses the token: set GITHUB_TOKEN to a valid one with access"
        return "; the remote asks who this is: set GITHUB_TOKEN, or git's credential helper"

    def _environment(self, directory: Path, network: bool) -> dict[str, str]:
        config = {"safe.directory": "*", "core.hooksPath": os.devnull}
        if network:
            config |= self._config
            environment = {
                "GIT_TERMINAL_PROMPT": "0",  # a question to nobody would last until the timeout
                "GIT_ASKPASS": os.environ.get("GIT_ASKPASS", ""),
                "SSH_ASKPASS_REQUIRE": "never",
            }
        else:  # whatever git's settings on this machine are, reading does not depend on them
            environment = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        # The operator's own come first, and stay.
        first = int(setting(os.environ, "GIT_CONFIG_COUNT") or 0)
        for number, (key, value) in enumerate(config.items(), first):
            environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return {
            **environment,
            "GIT_DIR": str(directory),
            "GIT_CONFIG_COUNT": str(first + len(config)),
        }


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
