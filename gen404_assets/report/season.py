"""What the season's page shows: leaders, winners, participation, and how miners fared."""

from collections.abc import Sequence
from dataclasses import dataclass

from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.frames import Row, leader_rows, round_row, submission_rows
from gen404_assets.report.rounds import decisive_margin


@dataclass(frozen=True, slots=True)
class Fared:
    """A miner over the rounds. `results`: round -> its row of submissions."""

    hotkey: str
    results: dict[int, Row]

    @property
    def won(self) -> int:
        return sum(bool(row["won"]) for row in self.results.values())

    @property
    def best(self) -> float:
        margins = [row["margin"] for row in self.results.values() if row["margin"] is not None]
        return max(margins, default=float("-inf"))


@dataclass(frozen=True, slots=True)
class Season:
    """A competition over its rounds. `faults`: what could not be read. `decisive`: round -> its
    margin nearest to the one that wins.
    """

    rounds: Sequence[Row]
    leaders: Sequence[Row]
    miners: Sequence[Fared]
    decisive: dict[int, float]
    win_margin: float | None
    faults: Sequence[str]


def season(history: History) -> Season:
    """The season up to the head."""
    rounds: list[Row] = []
    leaders: list[Row] = []
    miners: dict[str, Fared] = {}
    decisive: dict[int, float] = {}
    faults: list[str] = []
    win_margin = None
    for number in history.round_numbers:
        current = history.round(number)
        try:
            rounds.append(round_row(current))
            for row in submission_rows(current):
                miners.setdefault(row["hotkey"], Fared(row["hotkey"], {})).results[number] = row
            nearest = decisive_margin(current)
            win_margin = current.config.win_margin
            if nearest is not None:
                decisive[number] = nearest
        except MalformedFile as error:
            faults.append(f"round {number}: {error}")
    try:
        if history.round_numbers:
            leaders = [*leader_rows(history.round(history.round_numbers[-1]))]
    except MalformedFile as error:
        faults.append(str(error))
    fared = sorted(miners.values(), key=lambda miner: (-miner.won, -miner.best, miner.hotkey))
    return Season(rounds, leaders, fared, decisive, win_margin, faults)
