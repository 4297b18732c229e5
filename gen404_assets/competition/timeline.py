"""Winner stays in: qualification, the line of defenders, what is to be played and audited next, and
who wins.

All of it is a pure function of the order of submissions, the margins played and the verdicts given
(`rules.md`, Timeline); a rejection draws the line again, and never changes a played match.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations

from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.matches import Pair

Margins = Mapping[Pair, float]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Approved: audit and source audit passed. Rejected: either failed. In neither: not yet
    known.
    """

    approved: Set[str] = frozenset()
    rejected: Set[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Line:
    """The main line as far as it is played: who defended in turn after the leader, and the match
    that comes next.
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
        """The main line among the qualified. It is drawn once qualification is over; before, see
        `audits_due`.
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
        """What may be played now, the next first: qualification, then the main line, then, while
        audits run, the missing pairs by left, then right. None: the round is decided, or waits for
        verdicts alone.
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
        """`matches_due` as the platform plays them: of the missing pairs first those that the line
        would need next if one of its defenders, the first first, were rejected now; the others by
        left, then right."""
        pending = [
            hotkey
            for hotkey in self.line(margins, verdicts).defenders
            if hotkey not in verdicts.approved
        ]
        without = (Verdicts(verdicts.approved, {*verdicts.rejected, hotkey}) for hotkey in pending)
        needed = [self.line(margins, fewer).next for fewer in without]
        rank = {pair: number for number, pair in reversed([*enumerate(needed)])}
        return sorted(
            self.matches_due(margins, verdicts), key=lambda pair: rank.get(pair, len(needed))
        )

    def audits_due(self, margins: Margins, verdicts: Verdicts) -> list[tuple[str, Pair]]:
        """Who is to be audited, with the match that led to it: the first to qualify, as soon as all
        before it have played, and every defender of the line."""
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
