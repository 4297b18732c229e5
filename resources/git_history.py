"""What a git history consists of, commits and the changes they made, and how to get it from `git
log`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

LOG = ("log", "-z", "--format=%H%x00%P%x00%an <%ae>%x00%cn%x00%ct%x00%B%x00")
# Renames would be a guess of git's by likeness; what a merge changed is reckoned by `in_line`.
LOG_CHANGES = (*LOG, "--raw", "--no-abbrev", "--root", "--no-renames", "--diff-merges=off")
_LAST_SECOND = 253402300799  # of the year 9999; a commit may claim any time at all


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; `time` is the committer's date in UTC, `author` reads "name <email>", `parents`
    are shas, `committer` is a name.
    """

    sha: str
    author: str
    time: datetime
    message: str
    parents: tuple[str, ...] = ()
    committer: str = ""

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]

    @property
    def short(self) -> str:
        """The first seven digits of the sha."""
        return self.sha[:7]


NO_COMMIT = Commit("0" * 40, "", datetime.fromtimestamp(0, UTC), "")
"""Stands for the head of a branch that does not exist yet."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file as one commit left it; `blob` is None when that commit deleted it. `link`: it is a
    symbolic link, and the blob holds where it leads.
    """

    commit: Commit
    path: str
    blob: str | None
    link: bool = False


def parse_log(log: bytes) -> tuple[list[Commit], list[Change]]:
    """The commits and changes, in the order printed by a LOG or LOG_CHANGES command."""
    commits: list[Commit] = []
    changes: list[Change] = []
    fields = iter(decode_path(log).split("\0"))
    for field in fields:
        head = field.lstrip("\n")
        if head.startswith(":"):
            _, mode, _, blob, _ = head.split(" ")
            is_file = mode not in (
                "000000",
                "160000",
            )  # neither deleted nor another repository's commit
            link = mode == "120000"  # git's mode of a symbolic link
            changes.append(Change(commits[-1], next(fields), blob if is_file else None, link))
        elif head:
            parents, author, committer, seconds, message = (next(fields) for _ in range(5))
            when = datetime.fromtimestamp(min(int(seconds or 0), _LAST_SECOND), UTC)
            text, author, committer = map(_printable, (message.strip(), author, committer))
            commits.append(Commit(head, author, when, text, tuple(parents.split()), committer))
    return commits, changes


def in_line(
    head: str,
    commits: Sequence[Commit],
    changes: Sequence[Change],
    tree: Callable[[str], Mapping[str, str]],
    after: str | None = None,
) -> tuple[list[Commit], list[Change]]:
    """A history as one line that ends at `head`, each commit after its parents, and what each
    changed in the files.

    What a merge brought in stands right before it; the merge itself changed what then still differs
    from its `tree` (blob by path). So a pull by a person takes nobody's commits away.

    `after`: the part of the line that follows this commit, of the `commits` that it lacks. It must
    be one of the first parents of the head (`follows`), since the line goes down them first: then
    all that `after` has stands before all that it lacks.
    """
    line, joints = _line(head, {commit.sha: commit for commit in commits})
    made: dict[str, list[Change]] = {}
    for change in changes:
        made.setdefault(change.commit.sha, []).append(change)
    listed: list[Change] = []
    files: dict[str, str] = dict(tree(after)) if after and joints else {}
    for commit in line:
        new = made.get(commit.sha, [])
        if commit.sha in joints:
            wanted = tree(commit.sha)
            paths = sorted(
                path for path in files.keys() | wanted.keys() if files.get(path) != wanted.get(path)
            )
            new = [Change(commit, path, wanted.get(path)) for path in paths]
        for change in new if joints else ():
            if change.blob is None:
                files.pop(change.path, None)
            else:
                files[change.path] = change.blob
        listed += new
    return line, listed


def follows(head: str, commits: Iterable[Commit], after: str) -> bool:
    """Whether the first parents of `head`, as far as they are among the `commits`, end at
    `after`.
    """
    known = {commit.sha: commit for commit in commits}
    while head in known:
        head = next(iter(known[head].parents), "")
    return head == after


def _line(head: str, known: Mapping[str, Commit]) -> tuple[list[Commit], set[str]]:
    """The commits in line, and the merges among the first parents of the head, where all that came
    before is theirs.
    """
    line: list[Commit] = []
    joints: set[str] = set()
    seen: set[str] = set()
    waiting = [(head, False)] if head in known else []  # nothing came since
    while waiting:
        sha, ready = waiting.pop()
        if ready:
            line.append(known[sha])
        elif sha not in seen:
            seen.add(sha)
            waiting.append((sha, True))
            waiting += [
                (parent, False) for parent in reversed(known[sha].parents) if parent in known
            ]
    sha = head
    while sha in known:
        parents = known[sha].parents
        if len(parents) > 1:
            joints.add(sha)
        sha = parents[0] if parents else ""
    return line, joints


def decode_path(raw: bytes) -> str:
    """Text that gives the same bytes back when encoded likewise, whatever they were."""
    return raw.decode("utf-8", "surrogateescape")


def _printable(text: str) -> str:
    return (
        text
        if text.isascii()
        else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    )
