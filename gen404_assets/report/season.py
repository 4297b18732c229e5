"""What the season's page shows: leaders, winners, participation, and how miners fared."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.frames import Row, leader_rows, round_row, submission_rows


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
class Played:
    """A round as the season has it: its row, how those of its submissions are read, and its
    margins.
    """

    round: Row
    submissions: Callable[[], Iterable[Row]]
    margins: Sequence[float]
    win_margin: float

    @property
    def nearest(self) -> float | None:
        """The margin that was nearest to the one that wins; None without a match."""
        return min(self.margins, key=lambda margin: abs(margin - self.win_margin), default=None)


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
    """The season of competition 1 up to the head."""

    def read(number: int) -> Played:
        current = history.round(number)
        margins = [match.margin for match in current.matrix.matches]
        rows = partial(submission_rows, current)
        return Played(round_row(current), rows, margins, current.config.win_margin)

    def leaders() -> list[Row]:
        numbers = history.round_numbers
        return [*leader_rows(history.round(numbers[-1]))] if numbers else []

    return season_of(history.round_numbers, read, leaders)


def season_of(
    numbers: Sequence[int], read: Callable[[int], Played], leaders: Callable[[], Sequence[Row]]
) -> Season:
    """The season of the rounds `numbers`, each as `read` gives it. What raises MalformedFile is
    left out, and named.
    """
    played: dict[int, Played] = {}
    miners: dict[str, Fared] = {}
    faults: list[str] = []
    for number in numbers:
        try:
            played[number] = read(number)
            for row in played[number].submissions():
                miners.setdefault(row["hotkey"], Fared(row["hotkey"], {})).results[number] = row
        except MalformedFile as error:
            faults.append(f"round {number}: {error}")
    led: Sequence[Row] = []
    try:
        led = leaders()
    except MalformedFile as error:
        faults.append(str(error))
    nearest = {number: each.nearest for number, each in played.items()}
    return Season(
        [each.round for each in played.values()],
        led,
        sorted(miners.values(), key=lambda miner: (-miner.won, -miner.best, miner.hotkey)),
        {number: margin for number, margin in nearest.items() if margin is not None},
        [*played.values()][-1].win_margin if played else None,
        faults,
    )
