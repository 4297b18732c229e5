"""A round's timeline step by step: who challenged whom, with which margin, and what followed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gen404_assets.competition.audits import AuditOutcome, SourceVerdict, verdicts
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER, named, short
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.round import Round
from gen404_assets.competition.timeline import Verdicts
from gen404_assets.replay.judging import arrivals


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `pair`: the match it is about, None for a verdict; `margin`: None where that match
    was not played; `then`: what followed; `kind`: `up`, `held`, `open` or `verdict`.
    """

    hotkey: str
    then: str
    kind: str
    pair: Pair | None = None
    margin: float | None = None
    critical: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """The main line as drawn with the verdicts of one time. `because`: why it was drawn again."""

    title: str
    because: Sequence[Step]
    steps: Sequence[Step]
    defenders: Sequence[str] = field(default_factory=tuple)


def compared(margin: float, win_margin: float) -> str:
    """A margin beside the one that wins, such as `+0.0547 ≥ 0.05`."""
    sign = "≥" if margin >= win_margin else "<"
    return f"{margin:+.4f} {sign} {win_margin:g}"


def qualification(current: Round) -> list[Step]:
    """The matches against the leader, in the order of submissions."""
    margins, win_margin = current.matrix.margins, current.timeline.win_margin
    qualified = set(current.timeline.qualified(margins, Verdicts()))
    steps = []
    for hotkey in current.timeline.order:
        pair = (LEADER, hotkey)
        margin = margins.get(pair)
        if margin is None:
            steps.append(Step(hotkey, "has not played the leader", "open", pair))
        elif hotkey in qualified:
            shown = compared(margin, win_margin)
            steps.append(Step(hotkey, f"{shown}: qualifies", "up", pair, margin))
        else:
            shown = compared(margin, win_margin)
            steps.append(Step(hotkey, f"{shown}: is out", "held", pair, margin))
    return steps


def lines(history: History, current: Round) -> list[Line]:
    """The main line, once for the time before any verdict and again after each that rejected
    somebody (`rules.md`, Timeline 4).
    """
    drawn: list[Line] = []
    rejected: frozenset[str] = frozenset()
    for known in _verdicts(history, current):
        new = [hotkey for hotkey in known.rejected if hotkey not in rejected]
        if drawn and not new:
            continue
        rejected = frozenset(known.rejected)
        because = [
            Step(hotkey, f"rejected: {_reason(current, hotkey)}", "verdict")
            for hotkey in current.timeline.order
            if hotkey in new
        ]
        defenders = current.timeline.line(current.matrix.margins, known).defenders
        title = "The line is drawn again" if drawn else "The line before any rejection"
        drawn.append(Line(title, because, list(_challenges(current, known)), defenders))
    return drawn


def _verdicts(history: History, current: Round) -> list[Verdicts]:
    """The verdicts as they came, from none on."""
    try:
        return [arrival.verdicts for arrival in arrivals(history, current.number)]
    except MalformedFile:
        return [Verdicts()]


def _challenges(current: Round, known: Verdicts) -> Iterator[Step]:
    """The challenges of the line, in turn."""
    timeline, margins = current.timeline, current.matrix.margins
    line = timeline.line(margins, known)
    defender = LEADER
    for challenger in timeline.qualified(margins, known):
        pair = (defender, challenger)
        if pair == line.next:
            yield Step(challenger, f"is to challenge {named(defender)} next", "open", pair)
            return
        margin = margins[pair]
        shown = compared(margin, timeline.win_margin)
        if challenger in line.defenders:
            request = current.requests.for_hotkey(challenger)
            critical = request.critical_prompts if request else None
            then = f"{shown}: takes the place of {named(defender)}, and is audited"
            yield Step(challenger, then, "up", pair, margin, critical)
            defender = challenger
        else:
            yield Step(challenger, f"{shown}: {named(defender)} holds", "held", pair, margin)


def ending(current: Round) -> str:
    """How the line ended, by all verdicts there are."""
    known = verdicts(current.audits, current.source_audits)
    timeline, margins = current.timeline, current.matrix.margins
    if current.submissions is None:
        return "It is not known yet who takes part."
    winner = timeline.winner(margins, known)
    if winner == LEADER:
        somebody = timeline.qualified(margins, Verdicts())
        why = "Everybody who qualified was rejected" if somebody else "Nobody qualified"
        return f"{why}: the leader defends."
    if winner:
        return f"The last defender, {short(winner)}, passed both audits and wins."
    waiting = timeline.to_qualify(margins, known)
    if waiting:
        return f"{len(waiting)} matches of the qualification are still to be played."
    line = timeline.line(margins, known)
    if line.next:
        return f"The match {named(line.next[0])} against {named(line.next[1])} is due."
    pending = [hotkey for hotkey in line.defenders if hotkey not in known.approved]
    return f"The line waits for the verdicts on {', '.join(map(short, pending))}."


def _reason(current: Round, hotkey: str) -> str:
    audit = current.audits.root.get(hotkey)
    if audit is not None and audit.outcome is AuditOutcome.REJECTED:
        return audit.reason
    for source in reversed(current.source_audits.root):
        if source.hotkey == hotkey and source.verdict is SourceVerdict.FAILED:
            return f"its source audit failed: {source.reason}"
    return "by a verdict that was changed later"
