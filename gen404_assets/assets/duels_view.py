"""What is shown of a round's matches. What a report comes to is kept by its content: reports are
added one by one, and a tick of the mirror is to parse the new one alone.
"""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gen404_assets.assets.tables import Value, table
from gen404_assets.competition.duels import (
    MatchReport,
    Outcome,
    judged_duels,
    without_usable_answer,
)
from gen404_assets.competition.evidence import Orders, orders
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.margins import is_close
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.round import Round, report_path

CLOSE = "close"
_MOST_KEPT = 4096  # reports; beyond that all are read again, once


@dataclass(frozen=True, slots=True)
class _Match:
    """What a report comes to. `unanswered`: duels without a usable answer; `verdict`: how sure it
    is.
    """

    duels: int
    left_wins: int
    draws: int
    right_wins: int
    unanswered: int
    orders: Orders | None
    verdict: str


_KEPT: dict[bytes, _Match] = {}
"""Digest of a report and of what else decides -> what it comes to."""


def duels(current: Round) -> dict[str, Any]:
    """Counts, the judge's dependence on the order, and the matches one by one."""
    matches = [(match, _match(current, match.pair)) for match in current.matrix.matches]
    known = [(match, each) for match, each in matches if each is not None]
    counts: dict[str, Any] = {
        "matches": len(known),
        "duels": sum(each.duels for _, each in known),
        "close matches": sum(each.verdict.startswith(CLOSE) for _, each in known),
    }
    if unanswered := sum(each.unanswered for _, each in known):
        counts["draws without a usable answer"] = unanswered
    if both := _together([each.orders for _, each in known if each.orders is not None]):
        counts["position bias"] = both.bias
        counts["agreement of the two orders"] = both.agreement
    rows: list[dict[str, Value]] = [
        {
            "left": short(match.left),
            "right": short(match.right),
            "left's wins": each.left_wins,
            "draws": each.draws,
            "right's wins": each.right_wins,
            "margin": match.margin,
            "verdict": each.verdict,
        }
        for match, each in known
    ]
    return counts | {"match by match": table(rows)}


def _match(current: Round, pair: Pair) -> _Match | None:
    """What a match's report comes to; None without a report. Raises MalformedFile."""
    path = report_path(current.number, pair)
    raw = current.files.read(path)
    if raw is None:
        return None
    prompts, win_margin = max(1, len(current.stems)), current.config.win_margin
    digest = sha256(f"{path} {prompts} {win_margin}\n".encode())
    digest.update(raw)
    key = digest.digest()
    if key not in _KEPT:
        report = current.report(pair)
        if report is None:
            return None
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        _KEPT[key] = _read(report, prompts, win_margin)
    return _KEPT[key]


def _read(report: MatchReport, prompts: int, win_margin: float) -> _Match:
    outcomes = Counter(duel.winner for duel in report.duels)
    return _Match(
        len(report.duels),
        outcomes[Outcome.LEFT],
        outcomes[Outcome.DRAW],
        outcomes[Outcome.RIGHT],
        without_usable_answer(report.duels),
        orders(duel.evidence for duel in report.duels if duel.evidence),
        _how_sure(report, prompts, win_margin),
    )


def _how_sure(report: MatchReport, prompts: int, win_margin: float) -> str:
    """Whether the judge, asked again, could turn a match (`margins.is_close`), or what was done
    about that.
    """
    if report.others:
        return f"{CLOSE}, played three times"
    if report.clinched:
        return f"sure after {report.clinched.played} of {report.clinched.prompts} duels"
    judged = judged_duels(report.duels)
    return CLOSE if is_close(report.score, judged, prompts, win_margin) else "sure"


def _together(each: list[Orders]) -> Orders | None:
    """The dependence on the order over several matches; None without any."""
    total = sum(one.duels for one in each)
    if not total:
        return None
    bias = sum(one.bias * one.duels for one in each) / total
    return Orders(total, bias, sum(one.agreement * one.duels for one in each) / total)
