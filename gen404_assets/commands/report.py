"""The work of `gen404 report`: a competition's rounds as static pages in a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.editions.choosing import edition_of
from gen404_assets.report.addresses import Objects
from gen404_assets.report.book import Book
from gen404_assets.report.editions import (
    competition_of,
    write_edition_round,
    write_edition_season,
)
from gen404_assets.report.writing import write_round, write_season


def write_report(
    history: History, numbers: Sequence[int], rules: Rules, book: Book, tell: Callable[[str], None]
) -> None:
    """Write the season and the rounds `numbers`, by the edition of their files; `tell` hears of
    each that is done.
    """
    competition = competition_of(history, edition_of(history))
    for number in numbers:
        if competition is None:
            write_round(book, history, number, rules)
        else:
            write_edition_round(book, competition, number)
        tell(f"round {number} is written")
    if competition is None:
        write_season(book, history, numbers)
    else:
        write_edition_season(book, competition, numbers)
    tell(str(book.folder / "index.html"))


def book_of(history: History, folder: Path, host: str | None) -> Book:
    """The book of a report of the history's head. `host`: the base URL its pages will lie under."""
    head = history.commits[-1].sha if history.commits else ""
    return Book(folder, head, Objects(host))
