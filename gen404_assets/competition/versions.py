"""A file's versions: the commits that left it as it was, and how they are named."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gen404_assets.competition.commits import by_person


class Commit(Protocol):
    """What a replay needs to know of a commit."""

    @property
    def sha(self) -> str: ...
    @property
    def time(self) -> datetime: ...
    @property
    def message(self) -> str: ...


class Change(Protocol):
    """One file as one commit left it."""

    @property
    def commit(self) -> Commit: ...
    @property
    def path(self) -> str: ...
    @property
    def blob(self) -> str | None: ...
    @property
    def link(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Version:
    """A file as the commit at `index` of the history left it; `blob` is None where that commit
    deleted it. `link`: it is a symbolic link, so its content is no file's.
    """

    index: int
    commit: Commit
    blob: str | None
    link: bool = False

    @property
    def by_person(self) -> bool:
        return by_person(self.commit.message)

    @property
    def who(self) -> str:
        return "a person" if self.by_person else "the platform"

    def __str__(self) -> str:
        return cite(self.commit)


def cite(commit: Commit) -> str:
    """A commit as a person would name it. Control characters of its message stay out, and its
    quotation marks, so that what stands between these is the message.
    """
    subject = commit.message.splitlines()[0] if commit.message else ""
    shown = "".join(char if char.isprintable() else "\ufffd" for char in subject)
    return f'{commit.sha[:7]} "{shown.replace(chr(34), chr(39))}"'
