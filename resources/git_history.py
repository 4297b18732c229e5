"""What a git history consists of, commits and the changes they made, and how to get it from `git log`."""

from dataclasses import dataclass
from datetime import UTC, datetime

LOG = ("log", "-z", "--format=%H%x00%an <%ae>%x00%ct%x00%B%x00")
LOG_CHANGES = (
    *(*LOG, "--reverse", "--raw", "--no-abbrev", "--root", "--no-renames"),
    *("--first-parent", "--diff-merges=first-parent"),
)
_LAST_SECOND = 253402300799  # of the year 9999; a commit may claim any time at all


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; `time` is the committer's date in UTC, `author` reads "name <email>"."""

    sha: str
    author: str
    time: datetime
    message: str

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
    """One file as one commit left it; `blob` is None when that commit deleted it."""

    commit: Commit
    path: str
    blob: str | None


def parse_log(log: bytes) -> tuple[list[Commit], list[Change]]:
    """The commits and changes, in the order printed by a LOG or LOG_CHANGES command."""
    commits: list[Commit] = []
    changes: list[Change] = []
    fields = iter(decode_path(log).split("\0"))
    for field in fields:
        head = field.lstrip("\n")
        if head.startswith(":"):
            _, mode, _, blob, _ = head.split(" ")
            is_file = mode not in ("000000", "160000")  # neither deleted nor another repository's commit
            changes.append(Change(commits[-1], next(fields), blob if is_file else None))
        elif head:
            author, seconds, message = next(fields), next(fields), next(fields)
            when = datetime.fromtimestamp(min(int(seconds or 0), _LAST_SECOND), UTC)
            commits.append(Commit(head, _printable(author), when, _printable(message.strip())))
    return commits, changes


def decode_path(raw: bytes) -> str:
    """Text that gives the same bytes back when encoded likewise, whatever they were."""
    return raw.decode("utf-8", "surrogateescape")


def _printable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
