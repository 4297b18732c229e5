"""Parts of a page that are read from files which may break their format: one that can't be read
says so, and the others are shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gen404_assets.competition.files import MalformedFile

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Section(Generic[T]):
    """What a page shows, or the `fault` of the file for which it can't."""

    value: T | None
    fault: str = ""


def read_section(read: Callable[[], T]) -> Section[T]:
    """What `read` gives, or why it can't be read."""
    try:
        return Section(read())
    except MalformedFile as error:
        return Section(None, str(error))
