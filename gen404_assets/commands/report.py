"""The work of `gen404 report`: a competition's rounds as static pages in a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.report.addresses import Objects
from gen404_assets.report.book import Book
from gen404_assets.report.writing import write_round, write_season


def write_report(
    history: History, numbers: Sequence[int], rules: Rules, book: Book, tell: Callable[[str], None]
) -> None:
    """Write the season and the rounds `numbers`; `tell` hears of each that is done."""
    for number in numbers:
        write_round(book, history, number, rules)
        tell(f"round {number} is written")
    write_season(book, history, numbers)
    tell(str(book.folder / "index.html"))


def book_of(history: History, folder: Path, host: str | None) -> Book:
    """The book of a report of the history's head. `host`: the base URL its pages will lie under."""
    head = history.commits[-1].sha if history.commits else ""
    return Book(folder, head, Objects(host))
