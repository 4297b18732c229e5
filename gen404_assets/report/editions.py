"""Competitions of editions that are not operated, in tables and on pages, as far as their files
carry it: the season, and a page a round.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from gen404_assets.competition.editions.facts import RoundFacts, RoundFiles, Row, rows_of
from gen404_assets.competition.editions.rules import EditionRules
from gen404_assets.competition.history import History
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.round import CONFIG, LEADERS, round_path
from gen404_assets.competition.settings import Rules
from gen404_assets.frames import Frames, frames_from
from gen404_assets.replay.editions.choosing import Edition
from gen404_assets.replay.editions.edition_round import EditionRound
from gen404_assets.report import charts
from gen404_assets.report.addresses import round_page
from gen404_assets.report.book import Book
from gen404_assets.report.rounds import Began, acts_on, findings, heat_map_of, ranked, times_of
from gen404_assets.report.season import Played, Season, season_of
from gen404_assets.report.sections import read_section
from gen404_assets.report.writing import write_season_page


@dataclass(frozen=True)
class Competition:
    """A competition of an edition, up to the head of its history."""

    history: History
    edition: Edition
    rules: EditionRules

    def facts(self, number: int) -> RoundFacts:
        """A round as its files tell it, by the configuration by which it ended. Raises
        MalformedFile.
        """
        ended = EditionRound(self.history, number, self.rules).ended
        config = self.history.last(CONFIG, ended) or self.history.last(CONFIG)

        def read(path: str) -> bytes | None:
            if path == CONFIG and config is not None:
                return self.history.content(config)
            return self.history.read(path)

        prefix = round_path(number, "")
        names = [path.removeprefix(prefix) for path in self.history.of_round(number)]
        return self.rules.facts(RoundFiles(number, names, read))

    def leaders(self) -> list[Row]:
        """The leaders up to now, oldest first. Raises MalformedFile."""
        raw = self.history.read(LEADERS)
        entries = Leader.parse(raw, LEADERS).root if raw is not None else []
        return [entry.model_dump() for entry in entries]

    def season(self) -> Season:
        """The season up to the head."""
        return season_of(self.history.round_numbers, self._played, self.leaders)

    def _played(self, number: int) -> Played:
        facts = self.facts(number)
        rows, margins = rows_of(number, facts), [match.margin for match in facts.matches]
        return Played(rows.round, partial(list, rows.submissions), margins, facts.win_margin)


def competition_of(history: History, edition: Edition) -> Competition | None:
    """The competition where its edition is not operated; None where it is competition 1."""
    return None if edition.rules is None else Competition(history, edition, edition.rules)


def edition_frames(competition: Competition, numbers: Sequence[int]) -> Frames:
    """Rounds as data frames, with the columns of competition 1's; what an edition has no file for
    is empty. Raises MalformedFile.
    """
    rounds = [rows_of(number, competition.facts(number)) for number in numbers]
    return frames_from(rounds, competition.leaders())


def write_edition_season(book: Book, competition: Competition, written: Iterable[int]) -> None:
    """Write the season's page. `written`: the rounds that have a page of their own."""
    write_season_page(book, competition.season(), written)


def write_edition_round(book: Book, competition: Competition, number: int) -> None:
    """Write a round's page. A file that breaks its format leaves its part of the page empty, with
    the reason.
    """
    history = competition.history
    this_round = EditionRound(history, number, competition.rules)
    replayed = competition.edition.replay(history, number, Rules(), {})
    facts = read_section(lambda: competition.facts(number))
    rows = rows_of(number, facts.value) if facts.value is not None else None
    heat = None
    if facts.value is not None and rows is not None:
        margins = {(match.left, match.right): match.margin for match in facts.value.matches}
        order = [row["hotkey"] for row in rows.submissions]
        heat = heat_map_of(margins, order, facts.value.win_margin)
    times = read_section(lambda: times_of(_began(this_round), number))
    ended = [(time.stage, time.hours) for time in times.value or () if time.hours is not None]
    path = f"rounds/{number}/charts/stages.svg"
    book.write(
        round_page(number),
        "edition_round.html",
        number=number,
        title=competition.edition.title,
        facts=facts,
        ranking=ranked(rows.submissions) if rows is not None else [],
        audits=rows.audits if rows is not None else [],
        heat=heat,
        times=times,
        stages_chart=book.draw(path, charts.stages_chart(ended)) if ended else None,
        acts=read_section(lambda: acts_on(history, number, this_round.people)),
        replayed=replayed,
        findings=findings(replayed),
    )


def _began(this_round: EditionRound) -> list[Began]:
    return [
        Began(version, number, stage, this_round.who(version))
        for version, _, (number, stage) in this_round.stage_changes
    ]
