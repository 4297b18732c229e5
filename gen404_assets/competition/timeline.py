"""The timeline (`rules.md`, Timeline): qualification, the line of defenders, what is played and
audited next, and who wins.

All of it is a pure function of the order of submissions, the margins played and the verdicts. After
a rejection the line is drawn again; a played match never changes.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations

from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.matches import Pair

Margins = Mapping[Pair, float]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The hotkeys whose audit and source audit passed, and those of which either failed. The others
    have no verdict yet (`rules.md`, Timeline 4).
    """

    approved: Set[str] = frozenset()
    rejected: Set[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Line:
    """The main line as far as it is played: the defenders after the leader, in turn, and the next
    match; None when all have played.
    """

    defenders: Sequence[str]
    next: Pair | None

    @property
    def led_by(self) -> Sequence[Pair]:
        """For each defender, the match that made it one."""
        return list(zip([LEADER, *self.defenders], self.defenders, strict=False))


@dataclass(frozen=True, slots=True)
class Timeline:
    """A round's submissions in `order`, with a challenger needing `win_margin` to take a place."""

    order: Sequence[str]
    win_margin: float

    def candidates(self, verdicts: Verdicts) -> list[str]:
        """Who is still in, in order."""
        return [hotkey for hotkey in self.order if hotkey not in verdicts.rejected]

    def to_qualify(self, margins: Margins, verdicts: Verdicts) -> list[Pair]:
        """The qualification matches not yet played, in order."""
        return [
            (LEADER, hotkey)
            for hotkey in self.candidates(verdicts)
            if (LEADER, hotkey) not in margins
        ]

    def qualified(self, margins: Margins, verdicts: Verdicts) -> list[str]:
        """Who has beaten the leader by the margin, in order."""
        return [
            hotkey
            for hotkey in self.candidates(verdicts)
            if margins.get((LEADER, hotkey), float("-inf")) >= self.win_margin
        ]

    def line(self, margins: Margins, verdicts: Verdicts) -> Line:
        """The main line among the qualified (`rules.md`, Timeline 2). It holds once qualification
        is over; see `audits_due` for the time before.
        """
        defender = LEADER
        defenders: list[str] = []
        for challenger in self.qualified(margins, verdicts):
            margin = margins.get((defender, challenger))
            if margin is None:
                return Line(defenders, (defender, challenger))
            if margin >= self.win_margin:
                defender = challenger
                defenders.append(challenger)
        return Line(defenders, None)

    def matches_due(self, margins: Margins, verdicts: Verdicts) -> Iterator[Pair]:
        """The matches that may be played now, the next first (`rules.md`, Timeline 1 to 3).

        Qualification, then the main line, then, while audits run, the missing pairs by left, then
        right. Nothing when the round is decided or waits for verdicts alone.
        """
        waiting = self.to_qualify(margins, verdicts)
        if waiting:
            yield from waiting
            return
        line = self.line(margins, verdicts)
        if line.next:
            yield line.next
        elif not set(line.defenders) <= set(verdicts.approved):
            pairs = combinations(self.qualified(margins, verdicts), 2)
            yield from (pair for pair in pairs if pair not in margins)

    def by_need(self, margins: Margins, verdicts: Verdicts) -> list[Pair]:
        """`matches_due` in the order in which the platform plays them (`rules.md`, Timeline 3).

        Of the missing pairs those come first that the line would need next if one of its defenders
        were rejected now, in the order of the defenders; the others follow by left, then right.
        """
        pending = [
            hotkey
            for hotkey in self.line(margins, verdicts).defenders
            if hotkey not in verdicts.approved
        ]
        without = (Verdicts(verdicts.approved, {*verdicts.rejected, hotkey}) for hotkey in pending)
        needed = [self.line(margins, fewer).next for fewer in without]
        # Where several defenders need the same pair, the first one's place counts: hence reversed.
        rank = {pair: number for number, pair in reversed([*enumerate(needed)])}
        return sorted(
            self.matches_due(margins, verdicts), key=lambda pair: rank.get(pair, len(needed))
        )

    def audits_due(self, margins: Margins, verdicts: Verdicts) -> list[tuple[str, Pair]]:
        """Who is to be audited, with the match that led to it (`rules.md`, Timeline 2).

        It is every defender of the line, and, while qualification runs, the first to qualify as
        soon as all before it have played.
        """
        if not self.to_qualify(margins, verdicts):
            return [(pair[1], pair) for pair in self.line(margins, verdicts).led_by]
        for hotkey in self.candidates(verdicts):
            margin = margins.get((LEADER, hotkey))
            if margin is None:
                return []
            if margin >= self.win_margin:
                return [(hotkey, (LEADER, hotkey))]
        return []

    def winner(self, margins: Margins, verdicts: Verdicts) -> str | None:
        """The last defender of a line that is final, or the leader where it has none; None while it
        is open.
        """
        if self.to_qualify(margins, verdicts):
            return None
        line = self.line(margins, verdicts)
        if line.next or not set(line.defenders) <= set(verdicts.approved):
            return None
        return line.defenders[-1] if line.defenders else LEADER
