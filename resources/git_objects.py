"""What is read from a bare git repository on this machine: commits, trees, contents, and the log of
what each commit changed. Nothing is fetched.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice

from resources.git_commands import RepositoryError
from resources.git_history import (
    LOG,
    LOG_CHANGES,
    Change,
    Commit,
    decode_path,
    follows,
    in_line,
    parse_log,
)

_PATHS_AT_ONCE = 500
"""As many paths fit on a command line everywhere, at 200 bytes each."""
_IMPROPER = {"", ".", ".."}


class GitObjects:
    """The objects of the repository in which `git` runs git's commands."""

    def __init__(self, git: Callable[..., bytes]) -> None:
        self.git = git

    def commit(self, sha: str) -> Commit:
        """A commit by its sha, or by another name that git knows it by."""
        return parse_log(self.git(*LOG, "-1", "--end-of-options", f"{sha}^{{commit}}"))[0][0]

    def recent(self, sha: str, count: int) -> list[Commit]:
        """The last commits up to `sha`, newest first."""
        return parse_log(self.git(*LOG, f"-{count}", "--end-of-options", sha))[0]

    def tree(self, sha: str) -> dict[str, str]:
        """Blob sha by path, of all files at a commit."""
        return self._listing("-r", sha)

    def listed(self, sha: str, paths: Iterable[str], *, below: bool = False) -> dict[str, str]:
        """Blob sha by path, of those of the paths that are files at a commit; `below`: also of all
        files in those that are folders.

        It costs what is asked for, however many files there are.
        """
        listed: dict[str, str] = {}
        proper = (
            path for path in paths if "\0" not in path and not _IMPROPER & set(path.split("/"))
        )
        while some := [*islice(proper, _PATHS_AT_ONCE)]:
            listed |= self._listing(*(["-r"] if below else []), sha, "--", *some)
        return listed

    def _listing(self, *arguments: str) -> dict[str, str]:
        # A path with `*` or `:(` in it is a name, no pattern.
        literal = {"GIT_LITERAL_PATHSPECS": "1"}
        output = self.git("ls-tree", "-z", "--full-tree", *arguments, environment=literal)
        entries = (entry.partition("\t") for entry in decode_path(output).split("\0")[:-1])
        # An entry is "100644 blob SHA<tab>PATH": six digits of mode, then the type at 7, then the
        # sha at 12.
        return {path: meta[12:] for meta, _, path in entries if meta[7:11] == "blob"}

    def log(self, sha: str, after: str | None = None) -> tuple[list[Commit], list[Change]] | None:
        """The commits up to `sha`, in line, with what each changed; those that came after a commit,
        or None where `sha` does not follow it (`git_history.in_line`).
        """
        if after == sha:
            return [], []
        if after is not None and not self.contains(sha, after):
            return None
        span = sha if after is None else f"{after}..{sha}"
        commits, changes = parse_log(self.git(*LOG_CHANGES, span))
        if after is not None and not follows(sha, commits, after):
            return None
        return in_line(sha, commits, changes, self.tree, after)

    def contains(self, head: str, sha: str) -> bool:
        """Whether a commit is the head, or one that the head follows."""
        try:
            self.git("merge-base", "--is-ancestor", sha, head)
        except RepositoryError:  # also of a commit that is not here, which the branch would have
            return False
        return True

    def contents(
        self, blobs: Collection[str], environment: Mapping[str, str] | None = None
    ) -> dict[str, bytes]:
        """Content by blob sha, of those that are here; `environment` is added to git's."""
        command = ("cat-file", "--batch", "--buffer")
        output = self.git(*command, data=lines(blobs), environment=environment) if blobs else b""
        contents: dict[str, bytes] = {}
        position = 0
        for blob in blobs:
            start = output.index(b"\n", position) + 1
            header = output[position:start].split()
            position = start
            if len(header) == 3:  # else "... missing"
                position += int(header[2]) + 1
                contents[blob] = output[start : position - 1]
        return contents


def lines(names: Iterable[str]) -> bytes:
    """Names, as git reads them from its input."""
    return "".join(f"{name}\n" for name in names).encode()
